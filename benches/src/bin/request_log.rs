//! The request log: what it costs Rank, at half of the capacity and at all of it.
//!
//! Two combiners before the same models, one with the log and one without, are loaded in turns. What
//! is lost is the difference between the rankings that were answered and those in the log.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use clap::Parser;
use counterweight_benches::{
    Figure, Servers, numeric_model,
    program::{self, note, print},
};
use counterweight_journal::{Contents, Kind};
use counterweight_load::{
    Contents as Encoding, Mode, Options, RankWorkload, Report, Workload, run,
};
use tokio::time::sleep;

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: usize = 32;
const IN_FLIGHT: usize = 16;
const PAGE: u32 = 10;
/// The aims: at most so much more time, and at least so much of the throughput.
const P50: f64 = 1.05;
const P99: f64 = 1.15;
const THROUGHPUT: f64 = 0.9;

/// Measures the request log.
#[derive(Debug, Parser)]
struct Args {
    /// The `counterweight` binary [default: beside this program].
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Pairs of runs, with the log and without.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Seconds of one run.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Candidates of a ranking.
    #[arg(long, default_value_t = 500)]
    candidates: usize,
    /// The features that are logged: none, page or all.
    #[arg(long, default_value = "page")]
    features: String,
    /// When a ranking is durable: none, interval or request.
    #[arg(long, default_value = "interval")]
    sync: String,
}

fn main() -> ExitCode {
    program::run(bench(&Args::parse()))
}

/// One combiner under test.
struct Combiner {
    address: String,
    process: u32,
}

/// False when an aim is missed.
async fn bench(args: &Args) -> Result<bool> {
    let models = vec![
        numeric_model("engagement", FEATURES, 1)?,
        numeric_model("engagement_bait", FEATURES, 2)?,
    ];
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("counterweight"),
    };
    let mut servers = Servers::start(&binary, models, None)?;
    let (features, sync) = (&args.features, &args.sync);
    let log =
        format!("request_log = {{ path = \"log\", features = \"{features}\", sync = \"{sync}\" }}");
    let logged = servers.start_combiner(&binary, "logged", &log, None)?;
    // Two models were started before the combiners.
    let processes: Vec<u32> = servers.process_ids().collect();
    let plain = Combiner {
        address: servers.combiner.clone(),
        process: processes[2],
    };
    let logged = Combiner {
        address: logged,
        process: processes[3],
    };
    let mut counted = Counted {
        folder: servers.folder().join("logged/log"),
        candidates: args.candidates as u64,
        answered: 0,
        lost: 0,
    };

    let many = Mode::Closed {
        concurrency: IN_FLIGHT,
    };
    // Both are warmed up.
    let capacity = load(args, &plain, many).await?.0.throughput;
    counted.answered += load(args, &logged, many).await?.0.requests;
    counted.update().await?;
    let half = Mode::Open {
        rate: capacity / 2.0,
    };
    note(&format!("capacity: {capacity:.0} rankings/s"));
    let at_half = pairs(args, &plain, &logged, half, &mut counted).await?;
    let lost_at_half = counted.update().await?;
    let at_all = pairs(args, &plain, &logged, many, &mut counted).await?;
    let lost_at_all = counted.update().await?;

    let p50 = ratio(&at_half, |run| run.p50_ms);
    let p99 = ratio(&at_half, |run| run.p99_ms);
    let throughput = ratio(&at_all, |run| run.throughput);
    let processor = ratio(&at_half, |run| run.processor_us);
    print(&format!(
        "{} pairs of {} s, {} candidates, {FEATURES} features, page of {PAGE}, features = {features}, sync = {sync}\n\n\
         | with the log, as a share of without | median (lowest–highest) |\n|---|---|",
        args.pairs, args.seconds, args.candidates
    ));
    for (name, figure) in [
        ("p50 at half of the capacity", p50),
        ("p99 at half of the capacity", p99),
        ("processor time of the combiner per ranking", processor),
        ("throughput at saturation", throughput),
    ] {
        print(&format!("| {name} | {} |", figure.cell(3)));
    }
    print(&format!(
        "\nlost: {lost_at_half} rankings at half of the capacity, {lost_at_all} at saturation\n{}",
        counted.size()?
    ));
    let met = p50.median <= P50
        && p99.median <= P99
        && throughput.median >= THROUGHPUT
        && lost_at_half == 0;
    Ok(met)
}

/// What one run showed.
struct Run {
    p50_ms: f64,
    p99_ms: f64,
    throughput: f64,
    processor_us: f64,
}

/// Loads both combiners in turns; who is first changes each time.
async fn pairs(
    args: &Args,
    plain: &Combiner,
    logged: &Combiner,
    mode: Mode,
    counted: &mut Counted,
) -> Result<Vec<[Run; 2]>> {
    let mut pairs = Vec::new();
    for pair in 0..args.pairs {
        note(&format!("pair {} of {}, {mode:?}", pair + 1, args.pairs));
        let first_plain = pair % 2 == 0;
        let mut with = None;
        if !first_plain {
            with = Some(load(args, logged, mode).await?);
        }
        let without = load(args, plain, mode).await?;
        let with = match with {
            Some(with) => with,
            None => load(args, logged, mode).await?,
        };
        counted.answered += with.0.requests;
        pairs.push([figures(without)?, figures(with)?]);
    }
    Ok(pairs)
}

fn figures((report, processor): (Report, Duration)) -> Result<Run> {
    let latency = report.latency.ok_or_else(|| anyhow::anyhow!("no answer"))?;
    Ok(Run {
        p50_ms: latency.p50_ms,
        p99_ms: latency.p99_ms,
        throughput: report.throughput,
        processor_us: processor.as_secs_f64() * 1e6 / report.requests as f64,
    })
}

fn ratio(pairs: &[[Run; 2]], of: impl Fn(&Run) -> f64) -> Figure {
    let ratios = pairs.iter().map(|[plain, logged]| of(logged) / of(plain));
    Figure::from_runs(ratios)
}

/// Loads a combiner; the processor time that its process took meanwhile is beside the report.
async fn load(args: &Args, combiner: &Combiner, mode: Mode) -> Result<(Report, Duration)> {
    let workload = Workload::Rank(RankWorkload {
        profile: String::new(),
        candidates: args.candidates,
        limit: PAGE,
        contents: Encoding::Raw,
        inputs: Vec::new(),
    });
    let options = Options {
        mode,
        seconds: args.seconds,
        warm_up_seconds: 0.0,
        ..Options::new(&combiner.address, workload)
    };
    let before = processor_time(combiner.process)?;
    let report = run(&options, |_| {}).await?;
    ensure!(report.failed() == 0, "requests failed: {:?}", report.errors);
    let spent = processor_time(combiner.process)?.saturating_sub(before);
    Ok((report, spent))
}

/// The time that the threads of a process have run.
fn processor_time(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended.
        let Ok(times) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let ran = times.split_whitespace().next().unwrap_or_default();
        nanoseconds += ran.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// What was answered, and what of it is in the log.
struct Counted {
    folder: PathBuf,
    candidates: u64,
    answered: u64,
    lost: u64,
}

impl Counted {
    /// How many were lost since the last call.
    async fn update(&mut self) -> Result<u64> {
        // Longer than records wait for the writer.
        sleep(Duration::from_secs(2)).await;
        let lost = self.answered.saturating_sub(self.in_log()?);
        let new = lost - self.lost;
        self.lost = lost;
        Ok(new)
    }

    fn in_log(&self) -> Result<u64> {
        let contents = Contents::read(&self.folder, Kind::Requests)?;
        ensure!(contents.problems.is_empty(), "{:?}", contents.problems);
        Ok(contents.rows / self.candidates + contents.records)
    }

    fn size(&self) -> Result<String> {
        let contents = Contents::read(&self.folder, Kind::Requests)?;
        let million = |bytes: u64, rankings: u64| match rankings {
            0 => "none".to_owned(),
            rankings => format!("{:.2} GB", bytes as f64 / rankings as f64 / 1e3),
        };
        Ok(format!(
            "on the disk for a million rankings: {} as segments, {} as parts",
            million(contents.segment_bytes, contents.records),
            million(contents.bytes, contents.rows / self.candidates)
        ))
    }
}
