//! What the servers do when more is asked of them than they can do: Rank, Rank with text, and
//! ModelInfer, at several multiples of their capacity.
//!
//! It starts the release binary of this project (model servers and a combiner, on free ports) and
//! loads it from this process. The capacity is measured first, with a fixed number of requests in
//! flight. Then requests arrive at fixed times, whether or not earlier ones were answered.

mod confine;
mod sink;
mod table;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use counterweight_benches::{
    Servers, numeric_model, on_core,
    program::{self, note},
    spawn, title_model,
};
use counterweight_load::{
    Contents, InferWorkload, Mode, Options, RankWorkload, TensorSpec, Workload, run as load,
};

use confine::{Quota, stay_on_core};
use table::Measured;

// As in the servers: the generator's buffers of one request after the other come from no fresh
// pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: usize = 32;
const CANDIDATES: usize = 500;
/// Candidates of a page.
const PAGE: u32 = 10;
const IN_FLIGHT: usize = 16;
/// More than the servers ever need, so that the generator is the limit.
const SINK_IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 8;
const DEADLINES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];
const FACTORS: [f64; 3] = [0.7, 1.2, 3.0];
const TEXT_FACTORS: [f64; 4] = [0.7, 1.2, 3.0, 10.0];
const SERVER_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;

/// Measures overload: the share of the peak that is still answered in time, and how fast the rest
/// is refused.
///
/// Each workload is sent at 0.7, 1.2 and 3 times the capacity of the servers (Rank with text also
/// at 10 times), with deadlines of 200 ms and of 10 s. The exit status is 2 when an aim is missed:
/// from 1.2 times on, 90 % of the peak is answered in time; 99 % of the refusals take at most 10 ms;
/// no answer is UNKNOWN.
#[derive(Debug, Parser)]
struct Args {
    /// The `counterweight` binary [default: beside this program].
    #[arg(long)]
    binary: Option<PathBuf>,
    /// What is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "rank,text,infer"
    )]
    workload: Vec<Kind>,
    /// Seconds of every measurement, after two seconds of warm-up.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Cores that the servers may use together, such as 0.5. Needs the rights of root. The servers
    /// then run on core 0 and this program on core 1, so that the generator has a core of its own.
    #[arg(long, value_name = "CORES")]
    quota: Option<f64>,
    /// The sample's candidates, whose texts are sent.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "data/sample/candidates.ndjson"
    )]
    candidates: PathBuf,
    /// Writes every report as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Runs the server that does nothing; this program starts it.
    #[arg(long, hide = true)]
    sink: bool,
}

/// What is asked of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Rank 500 candidates of 32 numeric features.
    Rank,
    /// Rank as many candidates with a text each as the sample has.
    Text,
    /// ModelInfer of the same texts.
    Infer,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) deadline: Duration,
    pub(crate) factor: f64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.sink {
        true => program::run(sink::serve()),
        false => program::run(bench(&args)),
    }
}

/// False when a figure misses its aim.
async fn bench(args: &Args) -> Result<bool> {
    let own = std::env::current_exe()?;
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => own.with_file_name("counterweight"),
    };
    if args.quota.is_some() {
        stay_on_core(GENERATOR_CORE)?;
    }
    let mut met = true;
    let mut reports = Vec::new();
    for &kind in &args.workload {
        let measured = measure(args, kind, &binary, &own).await?;
        met &= measured.print();
        let points = measured.points.into_iter();
        reports.extend(points.map(|(point, report)| (measured.name, point.factor, report)));
    }
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string_pretty(&reports)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(met)
}

async fn measure(args: &Args, kind: Kind, binary: &Path, own: &Path) -> Result<Measured> {
    let core = args.quota.map(|_| SERVER_CORE);
    let texts = texts(&args.candidates)?;
    let mut options = Options::new("", workload(kind, &texts));
    options.channels = CONNECTIONS;
    options.seconds = args.seconds;
    options.warm_up_seconds = 2.0;
    let ceiling = {
        let (_sink, address) = spawn(on_core(own, core).arg("--sink"))?;
        options.address = address.to_string();
        closed_loop(&mut options, SINK_IN_FLIGHT).await?
    };
    let quota = args.quota.map(Quota::new).transpose()?;
    // Made after the quota, so that it is dropped before.
    let servers = start(kind, binary, &texts, core)?;
    if let Some(quota) = &quota {
        for process in servers.process_ids() {
            quota.add(process)?;
        }
    }
    options.address = match kind {
        Kind::Rank | Kind::Text => servers.combiner.clone(),
        Kind::Infer => servers.models[0].clone(),
    };
    let capacity = closed_loop(&mut options, IN_FLIGHT).await?;
    let mut points = Vec::new();
    for deadline in DEADLINES {
        let factors = match kind {
            Kind::Text => &TEXT_FACTORS[..],
            Kind::Rank | Kind::Infer => &FACTORS[..],
        };
        for &factor in factors {
            let point = Point { deadline, factor };
            note(&format!("{}: {point:?}", name(kind)));
            options.timeout = deadline;
            options.mode = Mode::Open {
                rate: capacity * factor,
            };
            points.push((point, load(&options, |_| {}).await?));
        }
    }
    Ok(Measured {
        name: name(kind),
        capacity,
        ceiling,
        points,
    })
}

/// Requests per second with so many in flight.
async fn closed_loop(options: &mut Options, concurrency: usize) -> Result<f64> {
    options.mode = Mode::Closed { concurrency };
    options.timeout = Duration::from_secs(10);
    let report = load(options, |_| {}).await?;
    ensure!(
        report.failed() == 0,
        "requests failed without overload: {:?}",
        report.errors
    );
    Ok(report.throughput)
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Rank => "Rank 500 × 32",
        Kind::Text => "Rank with text",
        Kind::Infer => "ModelInfer with text",
    }
}

fn workload(kind: Kind, texts: &[String]) -> Workload {
    let rank = |candidates, inputs| {
        Workload::Rank(RankWorkload {
            profile: String::new(),
            candidates,
            limit: PAGE,
            contents: Contents::Raw,
            inputs,
        })
    };
    match kind {
        Kind::Rank => rank(CANDIDATES, columns()),
        Kind::Text => rank(texts.len(), titles(texts)),
        Kind::Infer => Workload::Infer(InferWorkload {
            model: "engagement_bait".to_owned(),
            version: String::new(),
            rows: texts.len(),
            contents: Contents::Raw,
            inputs: titles(texts),
            outputs: Vec::new(),
        }),
    }
}

/// One tensor of texts, drawn from those of the sample.
fn titles(texts: &[String]) -> Vec<TensorSpec> {
    vec![TensorSpec {
        name: "title".to_owned(),
        datatype: "BYTES".to_owned(),
        shape: vec![-1],
        kind: "text".to_owned(),
        texts: texts.to_vec(),
        ..TensorSpec::default()
    }]
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

fn start(kind: Kind, binary: &Path, texts: &[String], core: Option<usize>) -> Result<Servers> {
    let models = match kind {
        Kind::Rank => vec![
            numeric_model("engagement", FEATURES, 1)?,
            numeric_model("engagement_bait", FEATURES, 2)?,
        ],
        Kind::Text | Kind::Infer => vec![title_model(texts, 1)?],
    };
    Servers::start(binary, models, core)
}

fn texts(path: &Path) -> Result<Vec<String>> {
    let problem = || {
        format!(
            "cannot read texts from {}; --candidates names a file of one JSON object with \
             post_text per line",
            path.display()
        )
    };
    let lines = std::fs::read_to_string(path).with_context(problem)?;
    let text = |line: &str| {
        let candidate: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(candidate.get("post_text")?.as_str()?.to_owned())
    };
    let texts: Option<Vec<String>> = lines.lines().map(text).collect();
    texts.with_context(problem)
}
