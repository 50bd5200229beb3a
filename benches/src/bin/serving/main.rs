//! What a request costs over loopback: Rank with two remote models, and ModelInfer beside the same
//! model in MLServer.
//!
//! It starts the release binary of this project three times (two model servers and a combiner, on
//! free ports) with linear models of 32 numeric features whose coefficients are random, and loads
//! them from this process. `docs/performance.md` has the commands.

mod measure;
mod peer;
mod processes;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;
use counterweight_benches::{
    Linear, numeric_model,
    program::{self, print},
};
use counterweight_load::{
    Contents, InferWorkload, Mode, Options, RankWorkload, TensorSpec, Workload,
};

use measure::{Case, Measured};
use processes::{Servers, start};

// As in the servers: the generator's buffers of one request after the other come from no fresh
// pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: usize = 32;
const CANDIDATES: usize = 500;
const ROWS: usize = 100;
const IN_FLIGHT: usize = 16;
/// Candidates of a page.
const PAGE: u32 = 10;
const ENGAGEMENT: &str = "engagement";
const BAIT: &str = "engagement_bait";

/// Measures serving over loopback.
#[derive(Debug, Parser)]
struct Args {
    /// The `counterweight` binary [default: beside this program].
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Runs of every measurement; the table shows their median and extremes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Seconds of one run, after one second of warm-up.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// gRPC address of an MLServer that serves the coefficients of --write-coefficients; it is
    /// measured in the same run.
    #[arg(long, value_name = "HOST:PORT")]
    mlserver: Option<String>,
    /// The model's name in MLServer.
    #[arg(long, default_value = ENGAGEMENT, value_name = "NAME")]
    mlserver_model: String,
    /// Writes {"coefficients": [...], "intercept": b} of the engagement model, in raw feature
    /// units, and exits.
    #[arg(long, value_name = "FILE")]
    write_coefficients: Option<PathBuf>,
    /// Writes every run as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keeps the servers under load for so many seconds and measures nothing, to look at them with
    /// a profiler.
    #[arg(long, value_name = "SECONDS")]
    profile: Option<f64>,
}

fn main() -> ExitCode {
    program::run(bench(&Args::parse()))
}

/// False when a figure misses its aim.
async fn bench(args: &Args) -> Result<bool> {
    let engagement = numeric_model(ENGAGEMENT, FEATURES, 1)?;
    let bait = numeric_model(BAIT, FEATURES, 2)?;
    let linear = Linear::from_model(&engagement)?;
    if let Some(path) = &args.write_coefficients {
        let text = serde_json::to_string_pretty(&linear)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(true);
    }
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("counterweight"),
    };
    let servers = start(&binary, engagement, bait)?;
    if let Some(seconds) = args.profile {
        let mut options = rank(
            &servers,
            PAGE,
            Mode::Closed {
                concurrency: IN_FLIGHT,
            },
        );
        options.seconds = seconds;
        measure::once(&options).await?;
        return Ok(true);
    }
    if let Some(address) = &args.mlserver {
        let difference =
            peer::compare(&servers.engagement, address, &args.mlserver_model, &linear).await?;
        print(&format!(
            "Both servers answer alike: the largest difference over {ROWS} random rows is {difference:.1e}.\n"
        ));
    }
    let measured = measure::run(&cases(args, &servers), args.runs).await?;
    if let Some(path) = &args.json {
        let runs: Vec<_> = measured
            .iter()
            .map(|case| (&case.name, &case.runs))
            .collect();
        std::fs::write(path, serde_json::to_string_pretty(&runs)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&measure::table(&measured));
    Ok(aims(&measured))
}

fn cases(args: &Args, servers: &Servers) -> Vec<Case> {
    let one = Mode::Closed { concurrency: 1 };
    let many = Mode::Closed {
        concurrency: IN_FLIGHT,
    };
    let mut cases = Vec::new();
    for (limit, answered) in [(PAGE, "the best 10"), (0, "all")] {
        for (mode, in_flight) in [(one, 1), (many, IN_FLIGHT)] {
            let name = format!(
                "Rank {CANDIDATES} × {FEATURES}, {answered} answered, {in_flight} in flight"
            );
            cases.push(Case::new(name, rank(servers, limit, mode)));
        }
    }
    let infer = |name: &str, mode: Mode, in_flight: usize, options: Options| {
        let name = format!("ModelInfer {ROWS} × {FEATURES}, {in_flight} in flight, {name}");
        Case::new(name, Options { mode, ..options })
    };
    for (mode, in_flight) in [(one, 1), (many, IN_FLIGHT)] {
        let ours = infer_options(&servers.engagement, ENGAGEMENT, columns(), &[]);
        cases.push(infer("counterweight", mode, in_flight, ours));
        if let Some(address) = &args.mlserver {
            let packed = vec![TensorSpec::packed("predict", "FP32", FEATURES)];
            let theirs = infer_options(address, &args.mlserver_model, packed, &["predict_proba"]);
            cases.push(infer("MLServer", mode, in_flight, theirs));
        }
    }
    for case in &mut cases {
        case.options.seconds = args.seconds;
    }
    cases
}

/// One FP32 tensor per feature.
fn columns() -> Vec<TensorSpec> {
    let column = |index: usize| TensorSpec {
        name: format!("x{index:02}"),
        datatype: "FP32".to_owned(),
        shape: vec![-1],
        ..TensorSpec::default()
    };
    (0..FEATURES).map(column).collect()
}

fn rank(servers: &Servers, limit: u32, mode: Mode) -> Options {
    let workload = Workload::Rank(RankWorkload {
        profile: String::new(),
        candidates: CANDIDATES,
        limit,
        contents: Contents::Raw,
        inputs: columns(),
    });
    Options {
        mode,
        ..Options::new(&servers.combiner, workload)
    }
}

fn infer_options(address: &str, model: &str, inputs: Vec<TensorSpec>, outputs: &[&str]) -> Options {
    let workload = Workload::Infer(InferWorkload {
        model: model.to_owned(),
        version: String::new(),
        rows: ROWS,
        contents: Contents::Raw,
        inputs,
        outputs: outputs.iter().map(|&name| name.to_owned()).collect(),
    });
    Options::new(address, workload)
}

/// Compares with the aims, and says which are missed.
fn aims(measured: &[Measured]) -> bool {
    let find = |words: &[&str]| {
        let mut cases = measured.iter();
        cases.find(|case| words.iter().all(|word| case.name.contains(word)))
    };
    let mut met = true;
    let mut judge = |what: String, holds: bool| {
        met &= holds;
        let verdict = if holds { "met" } else { "missed" };
        print(&format!("- {what}: {verdict}"));
    };
    if let Some(rank) = find(&["Rank", "the best", " 1 in flight"]) {
        let (p50, p99) = (rank.p50().median, rank.p99().median);
        judge(
            format!("p50 of Rank unloaded ≤ 0.4 ms: {p50:.3} ms"),
            p50 <= 0.4,
        );
        judge(
            format!("p99 of Rank unloaded ≤ 1.3 ms: {p99:.3} ms"),
            p99 <= 1.3,
        );
    }
    let in_flight = format!(", {IN_FLIGHT} in flight");
    if let (Some(ours), Some(theirs)) = (
        find(&["ModelInfer", &in_flight, "counterweight"]),
        find(&["ModelInfer", &in_flight, "MLServer"]),
    ) {
        let ratio = ours.throughput().median / theirs.throughput().median;
        judge(
            format!("ModelInfer ≥ 20 × MLServer's requests per second: {ratio:.1} ×"),
            ratio >= 20.0,
        );
    }
    met
}
