//! The join of a day of rankings with its events: seconds and peak memory, beside DuckDB.
//!
//! ```text
//! cargo run --release -p counterweight-benches --bin join -- --python venv/bin/python
//! ```
//!
//! 20,000 rankings of 500 candidates, of which ten are shown with eight features and a text, in parts
//! of a quarter of an hour, and 1,000,000 events. Each run joins all of it in a process of its own. The
//! peer, `peers/join_duckdb.py`, joins the same parts by SQL and writes the same columns; its labels
//! must be ours.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use counterweight_benches::{
    median,
    program::{exit_code, note, print},
};
use counterweight_dataset::ParquetRows;
use counterweight_join::{Options, Rules, join};
use counterweight_journal::{HOUR_MS, hour_folder};
use polars::prelude::{Column, DataFrame, df};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CANDIDATES: usize = 500;
const K: usize = 10;
const FEATURES: usize = 8;
/// Parts of an hour.
const PARTS: i64 = 4;
/// 2026-01-02T00:00Z.
const START_MS: i64 = 1_767_312_000_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/join_duckdb.py");
/// The longest that the join of ten million candidates may take, in seconds.
const AIM: f64 = 180.0;

/// Measures the join of a request log with its events.
#[derive(Parser)]
struct Arguments {
    /// A Python with duckdb; without it the peer is left out.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Rankings of 500 candidates. The aim is for 20,000.
    #[arg(long, default_value_t = 20_000)]
    rankings: usize,
    /// Events for each ranking.
    #[arg(long, default_value_t = 50)]
    events: usize,
    /// How often everything is joined.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Joins the logs in this folder, and prints seconds and peak memory. The bench starts itself so.
    #[arg(long, hide = true)]
    only_join: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit_code(match &arguments.only_join {
        Some(folder) => only_join(folder).map(|()| true),
        None => bench(&arguments),
    })
}

fn bench(arguments: &Arguments) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let rows = arguments.rankings * CANDIDATES;
    note("writing the logs");
    let bytes = write_logs(folder.path(), arguments)?;
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..arguments.runs {
        let out = folder.path().join("joined");
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        let this = std::env::current_exe()?;
        ours.push(measure(
            Command::new(this).arg("--only-join").arg(folder.path()),
        )?);
        if let Some(python) = &arguments.python {
            theirs.push(measure(Command::new(python).arg(PEER).arg(folder.path()))?);
        }
    }
    let seconds = median(&ours.iter().map(|run| run.0).collect::<Vec<_>>());
    let peak = ours.iter().map(|run| run.1).fold(0.0, f64::max);
    print(&format!(
        "{rows} candidates ({:.2} GB in parts) and {} events: {seconds:.1} s, {:.0} thousand candidates a second, peak {peak:.0} MiB",
        bytes as f64 / 1e9,
        arguments.rankings * arguments.events,
        rows as f64 / seconds / 1e3
    ));
    if !theirs.is_empty() {
        let peer = median(&theirs.iter().map(|run| run.0).collect::<Vec<_>>());
        let memory = theirs.iter().map(|run| run.1).fold(0.0, f64::max);
        print(&format!(
            "DuckDB, the same labels: {peer:.1} s, peak {memory:.0} MiB; ours takes {:.2} of its time and {:.2} of its memory",
            seconds / peer,
            peak / memory
        ));
    }
    Ok(rows < 10_000_000 || seconds <= AIM)
}

/// Seconds and peak MiB that a program prints.
fn measure(command: &mut Command) -> Result<(f64, f64)> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}");
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(seconds)), Some(Ok(peak))) => Ok((seconds, peak)),
        _ => bail!("{command:?} printed {text:?}"),
    }
}

fn only_join(folder: &Path) -> Result<()> {
    let options = Options {
        requests: folder.join("requests"),
        events: vec![folder.join("events")],
        out: folder.join("joined"),
        rules: Rules::by_name(DAY_MS, HOUR_MS),
        rebuild: None,
        now_ms: START_MS + 10 * DAY_MS,
    };
    let begin = Instant::now();
    let joined = join(&options, &mut |_| {})?;
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(joined.failed.is_empty(), "{:?}", joined.failed);
    print(&format!("{seconds} {}", peak_mib()?));
    Ok(())
}

/// The most memory that this process had, in MiB.
fn peak_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib
        .context("the system does not state the peak memory")?
        .parse()?;
    Ok(kib / 1024.0)
}

/// Writes a day of both logs, and returns the bytes of the parts.
fn write_logs(folder: &Path, arguments: &Arguments) -> Result<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let parts = 24 * PARTS;
    let each = arguments.rankings.div_ceil(usize::try_from(parts)?);
    let mut bytes = 0;
    for part in 0..parts {
        let start = START_MS + part * HOUR_MS / PARTS;
        let rankings: Vec<(String, i64)> = (0..each)
            .map(|_| {
                let time_ms = start + random.random_range(0..HOUR_MS / PARTS);
                (ranking_id(time_ms, &mut random), time_ms)
            })
            .collect();
        let hour = start.div_euclid(HOUR_MS);
        let requests = folder.join("requests/requests").join(hour_folder(hour));
        bytes += write(&requests, part, &ranking_rows(&rankings, &mut random)?)?;
        let events = folder.join("events/events").join(hour_folder(hour));
        bytes += write(
            &events,
            part,
            &event_rows(&rankings, arguments.events, &mut random)?,
        )?;
    }
    Ok(bytes)
}

/// An id as the combiner makes it: a UUID of version 7.
fn ranking_id(time_ms: i64, random: &mut ChaCha8Rng) -> String {
    let random: u128 = random.random();
    let low = random & 0x0fff_3fff_ffff_ffff_ffff | 0x7000_8000_0000_0000_0000;
    let id = u128::from(time_ms.unsigned_abs()) << 80 | low;
    let hex = format!("{id:032x}");
    let [a, b, c, d, e] = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    format!("{a}-{b}-{c}-{d}-{e}")
}

fn ranking_rows(rankings: &[(String, i64)], random: &mut ChaCha8Rng) -> Result<DataFrame> {
    let rows = rankings.len() * CANDIDATES;
    let repeated = |row: usize| &rankings[row / CANDIDATES];
    let shown = |row: usize| row % CANDIDATES < K;
    let position = |row: usize| {
        i32::try_from(row % CANDIDATES + 1)
            .ok()
            .filter(|_| shown(row))
    };
    let ids: Vec<&str> = (0..rows).map(|row| repeated(row).0.as_str()).collect();
    let mut frame = df!(
        "ranking_id" => &ids,
        "request_id" => &ids,
        "user_id" => (0..rows).map(|row| format!("user{}", row / CANDIDATES % 5_000)).collect::<Vec<_>>(),
        "candidate_id" => (0..rows).map(|row| format!("post{:07}", row % CANDIDATES)).collect::<Vec<_>>(),
        "time" => (0..rows).map(|row| repeated(row).1).collect::<Vec<_>>(),
        "k" => vec![i32::try_from(K)?; rows],
        "position" => (0..rows).map(position).collect::<Vec<_>>(),
        "profile" => vec!["default"; rows],
        "revision" => vec![1_i64; rows],
        "p_engagement" => (0..rows).map(|_| random.random::<f64>()).collect::<Vec<_>>(),
        "w_engagement" => vec![1.0; rows],
        "p_engagement_bait" => (0..rows).map(|_| random.random::<f64>()).collect::<Vec<_>>(),
        "w_engagement_bait" => vec![-1.0; rows],
    )?;
    for feature in 0..FEATURES {
        let values: Vec<Option<f64>> = (0..rows)
            .map(|row| shown(row).then(|| random.random()))
            .collect();
        frame.with_column(Column::new(format!("feature{feature}").into(), values))?;
    }
    let text = |row: usize| {
        shown(row).then(|| {
            format!(
                "a post about number {} with some more words in it, which nobody reads",
                random.random::<u32>()
            )
        })
    };
    let texts: Vec<Option<String>> = (0..rows).map(text).collect();
    frame.with_column(Column::new("post_text".into(), texts))?;
    Ok(frame)
}

fn event_rows(
    rankings: &[(String, i64)],
    each: usize,
    random: &mut ChaCha8Rng,
) -> Result<DataFrame> {
    let rows = rankings.len() * each;
    let ranking = |row: usize| &rankings[row / each];
    let types = ["seen", "engagement", "engagement_bait", "share"];
    let delays: Vec<i64> = (0..rows)
        .map(|_| random.random_range(1_000..HOUR_MS / 10))
        .collect();
    Ok(df!(
        "event_id" => (0..rows).map(|row| format!("{}-{row}", &ranking(row).0)).collect::<Vec<_>>(),
        "ranking_id" => (0..rows).map(|row| ranking(row).0.as_str()).collect::<Vec<_>>(),
        "candidate_id" => (0..rows).map(|row| format!("post{:07}", row % K)).collect::<Vec<_>>(),
        "type" => (0..rows).map(|row| types[row / K % types.len()]).collect::<Vec<_>>(),
        "time" => (0..rows).map(|row| ranking(row).1 + delays[row]).collect::<Vec<_>>(),
        "received" => (0..rows).map(|row| ranking(row).1 + delays[row] + 1_000).collect::<Vec<_>>(),
    )?)
}

fn write(folder: &Path, part: i64, rows: &DataFrame) -> Result<u64> {
    fs::create_dir_all(folder)?;
    let file = File::create(folder.join(format!("part-bench-{part:010}.parquet")))?;
    let mut writer = ParquetRows::begin(file, rows.schema())?;
    writer.write(rows)?;
    Ok(writer.finish()?)
}
