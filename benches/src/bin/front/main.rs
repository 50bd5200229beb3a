//! The exact front against a grid of weights.
//!
//! ```text
//! cargo run --release -p counterweight-benches --no-default-features --bin front -- \
//!     --python venv/bin/python
//! ```
//!
//! 10,000 requests of 100 candidates, k = 10. Ours: all curves for every λ ≥ 0, from the columns in
//! memory to the finished curves, and the time of a budget query on them; medians of five runs. The
//! peer, `peers/front_numpy.py`: the same two means at 1,000 weights, vectorised over all requests,
//! once. Both work on the same numbers, and their curves must agree to 1e-9. Then growth from 10⁵
//! to 10⁷ candidates, with `--svg FILE` as a plot, and 10⁷ candidates in one request.

mod growth;
mod log;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use counterweight_benches::{median, program};
use counterweight_evaluation::front::Front;
use counterweight_ranking::sweep::{Curves, Discount, Metric};

use crate::log::Log;

const CANDIDATES: usize = 100;
const K: usize = 10;
const RUNS: usize = 5;
const WEIGHTS: usize = 1_000;
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/front_numpy.py");

/// The exact front of 1,000,000 candidates, beside numpy on a grid.
#[derive(Parser)]
struct Arguments {
    /// A Python with numpy; without it the peer is left out.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Where to draw the growth.
    #[arg(long)]
    svg: Option<PathBuf>,
    /// Leave out how the time grows with the number of candidates.
    #[arg(long)]
    no_growth: bool,
    /// Requests of 100 candidates each. The aims are for 10,000.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
}

/// What is measured, and the aim in seconds.
struct Case {
    name: &'static str,
    metrics: Vec<Metric>,
    aim: Option<f64>,
}

fn main() -> ExitCode {
    program::exit_code(bench(&Arguments::parse()))
}

/// False when a figure misses its aim.
#[expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
fn bench(arguments: &Arguments) -> Result<bool> {
    let requests = arguments.requests;
    let log = Log::generate(requests as usize, CANDIDATES, 7);
    let mut missed = Vec::new();
    println!(
        "{requests} requests × {CANDIDATES} candidates, k = {K}, all λ ≥ 0; medians of {RUNS} runs, threads: {}",
        threads()
    );
    println!("| curves | breakpoints | seconds (all runs) | aim |\n|---|---|---|---|");
    let mut ours = Vec::new();
    for case in cases() {
        let (times, curves) = case.run(&log)?;
        let time = median(&times);
        println!(
            "| {} | {} | {time:.3} ({}) | {} |",
            case.name,
            curves.breakpoints().len(),
            list(&times),
            case.aim.map_or("".to_owned(), |aim| format!("≤ {aim}"))
        );
        if case.aim.is_some_and(|aim| time > aim) {
            missed.push(case.name);
        }
        if case.aim.is_some() {
            ours.push((case.name, time, query(&curves)));
        }
    }
    for (name, _, (build, slowest)) in &ours {
        println!(
            "{name}: front of the curves once {:.1} ms, then the slowest of 1,001 budget queries {:.4} ms (aim 3 ms)",
            build * 1e3,
            slowest * 1e3
        );
        if *slowest > 3e-3 {
            missed.push("budget query");
        }
    }
    if let Some(python) = &arguments.python {
        let theirs = peer(python, &log)?;
        for ((name, ours, _), theirs) in ours.iter().zip(theirs) {
            println!(
                "{name}: numpy at {WEIGHTS} weights {theirs:.2} s, ours exact {ours:.3} s: {:.0} × faster (aim 50)",
                theirs / ours
            );
            if theirs / ours < 50.0 {
                missed.push("50 × numpy");
            }
        }
    }
    if !arguments.no_growth {
        growth::run(arguments.svg.as_deref())?;
    }
    if !missed.is_empty() {
        println!("missed: {}", missed.join(", "));
    }
    Ok(missed.is_empty())
}

fn cases() -> Vec<Case> {
    let both = |discount| {
        (0..2)
            .map(|objective| Metric::Predicted {
                objective,
                discount,
            })
            .collect::<Vec<_>>()
    };
    let mut all = both(Discount::Flat);
    all.extend(both(Discount::Log2));
    for objective in 0..2 {
        all.push(Metric::Realised {
            objective,
            discount: Discount::Flat,
        });
        all.push(Metric::Ndcg { objective });
    }
    all.extend([Metric::ChangedSet, Metric::ChangedOrder]);
    vec![
        Case {
            name: "engagement@10, bait@10",
            metrics: both(Discount::Flat),
            aim: Some(0.3),
        },
        Case {
            name: "the same with DCG's discount",
            metrics: both(Discount::Log2),
            aim: Some(0.5),
        },
        Case {
            name: "all ten: predicted, realised, NDCG, changed pages",
            metrics: all,
            aim: None,
        },
    ]
}

impl Case {
    fn run(&self, log: &Log) -> Result<(Vec<f64>, Curves)> {
        let mut times = Vec::new();
        let mut last = None;
        for _ in 0..RUNS {
            drop(last.take());
            let clock = Instant::now();
            last = Some(log.curves(&self.metrics)?);
            times.push(clock.elapsed().as_secs_f64());
        }
        Ok((times, last.context("no run")?))
    }
}

/// Seconds to build the front, and of the slowest query on it.
fn query(curves: &Curves) -> (f64, f64) {
    let clock = Instant::now();
    let front = Front::from_curves(curves, 0, 1, 1e-9);
    let build = clock.elapsed().as_secs_f64();
    let time = |budget: f64| {
        let clock = Instant::now();
        std::hint::black_box(front.within_budget(budget));
        clock.elapsed().as_secs_f64()
    };
    let slowest = (0..=1_000)
        .map(|budget| median(&[(); RUNS].map(|()| time(f64::from(budget) / 1_000.0))))
        .fold(0.0, f64::max);
    (build, slowest)
}

/// Seconds of numpy for the flat and the discounted means.
fn peer(python: &Path, log: &Log) -> Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("columns");
    let mut out = BufWriter::new(File::create(&file)?);
    for value in log.engagement.iter().chain(&log.bait) {
        out.write_all(&value.to_le_bytes())?;
    }
    out.flush()?;
    drop(out);
    let output = Command::new(python)
        .arg(PEER)
        .arg(&file)
        .args([CANDIDATES, K, WEIGHTS].map(|n| n.to_string()))
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    ensure!(
        output.status.success(),
        "the peer failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    // The same curves, or the race means nothing.
    for (metrics, theirs) in [
        (&cases()[0].metrics, &answer.flat),
        (&cases()[1].metrics, &answer.log2),
    ] {
        let curves = log.curves(metrics)?;
        for (at, lambda) in answer.weights.iter().enumerate() {
            for metric in 0..2 {
                let (ours, theirs) = (curves.value_at(metric, *lambda), theirs[metric][at]);
                ensure!(
                    (ours - theirs).abs() < 1e-9,
                    "λ = {lambda}: {ours} against {theirs}"
                );
            }
        }
    }
    Ok(vec![answer.flat_seconds, answer.log2_seconds])
}

#[derive(serde::Deserialize)]
struct Answer {
    weights: Vec<f64>,
    flat: [Vec<f64>; 2],
    log2: [Vec<f64>; 2],
    flat_seconds: f64,
    log2_seconds: f64,
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn list(values: &[f64]) -> String {
    values
        .iter()
        .map(|s| format!("{s:.3}"))
        .collect::<Vec<_>>()
        .join(" ")
}
