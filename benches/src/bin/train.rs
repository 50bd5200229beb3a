//! Training time, final loss and peak memory against scikit-learn's `LogisticRegression(lbfgs)`, on
//! the same matrix in one run.
//!
//! ```text
//! python3 -m venv venv && venv/bin/pip install scikit-learn numpy
//! cargo run --release -p counterweight-benches --bin train -- --python venv/bin/python
//! ```
//!
//! Each fit runs in its own process that holds one copy of the matrix, in the layout it likes
//! best (columns for us, rows for scikit-learn), so the peaks compare. Loading is not timed. Both
//! final losses are computed here, by one plain function that neither side uses. Ours includes
//! standardising the columns; they arrive standardised, so that both penalise the same.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use counterweight_benches::{median, program};
use counterweight_trainer::fit::{FitOptions, fit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

const SIZES: [(usize, usize, f64); 2] = [(100_000, 64, 1.3), (1_000_000, 32, 2.0)];
const ALPHA: f64 = 1.0;
const RUNS: usize = 5;
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/train_sklearn.py");

/// What one side prints: times of its runs, and the model of the last.
#[derive(Serialize, Deserialize)]
struct Outcome {
    seconds: Vec<f64>,
    coefficients: Vec<f64>,
    intercept: f64,
    iterations: usize,
    /// Largest entry of the gradient per row, where the side knows it.
    gradient: Option<f64>,
    /// Before the first fit and at the end.
    loaded_bytes: u64,
    peak_bytes: u64,
}

/// Training beside scikit-learn.
#[derive(Parser)]
struct Arguments {
    /// A Python with scikit-learn.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Train on one matrix of this many rows and 64 columns in place of the two of the table.
    #[arg(long)]
    rows: Option<usize>,
    #[command(subcommand)]
    side: Option<Side>,
}

#[derive(Subcommand)]
enum Side {
    /// Our side of one comparison, which runs in its own process.
    #[command(hide = true)]
    Fit { matrix: PathBuf, labels: PathBuf },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    program::exit_code(match &arguments.side {
        Some(Side::Fit { matrix, labels }) => fit_file(matrix, labels).and_then(|outcome| {
            program::print(&serde_json::to_string(&outcome)?);
            Ok(true)
        }),
        None => compare_all(&arguments),
    })
}

/// False when a figure misses its aim.
#[expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
fn compare_all(arguments: &Arguments) -> Result<bool> {
    println!(
        "rows × columns | side | median s (all runs) | mean objective per row | peak MiB (above the matrix) | iterations | gradient"
    );
    let sizes = match arguments.rows {
        Some(rows) => vec![(rows, SIZES[0].1, SIZES[0].2)],
        None => SIZES.to_vec(),
    };
    let mut met = true;
    for (rows, columns, limit) in sizes {
        let (ratio, no_worse) = compare(&arguments.python, rows, columns)?;
        println!(
            "{rows} × {columns}: {ratio:.2} × scikit-learn's time (limit {limit}); final loss no worse: {no_worse}"
        );
        met &= ratio <= limit && no_worse;
    }
    Ok(met)
}

/// The ratio of the median times, and whether our final loss is no worse.
#[expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]
fn compare(python: &str, rows: usize, columns: usize) -> Result<(f64, bool)> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (matrix, labels) = generate(rows, columns);
    write_npy(
        &path("columns.npy"),
        rows,
        columns,
        true,
        matrix.iter().flatten().copied(),
    )?;
    let by_row = (0..rows).flat_map(|row| matrix.iter().map(move |column| column[row]));
    write_npy(&path("rows.npy"), rows, columns, false, by_row)?;
    std::fs::write(
        path("labels"),
        labels
            .iter()
            .map(|&label| u8::from(label))
            .collect::<Vec<_>>(),
    )?;

    let ours = run(Command::new(std::env::current_exe()?)
        .arg("fit")
        .arg(path("columns.npy"))
        .arg(path("labels")))?;
    let theirs = run(Command::new(python)
        .arg(PEER)
        .arg(path("rows.npy"))
        .arg(path("labels"))
        .args([ALPHA.to_string(), RUNS.to_string()]))?;
    let mut losses = Vec::new();
    for (side, outcome) in [("counterweight", &ours), ("scikit-learn", &theirs)] {
        let loss = objective(&matrix, &labels, outcome);
        losses.push(loss);
        let mib = |bytes: u64| bytes / (1 << 20);
        println!(
            "{rows} × {columns} | {side} | {:.3} ({}) | {:.12} | {} ({}) | {} | {}",
            median(&outcome.seconds),
            outcome
                .seconds
                .iter()
                .map(|s| format!("{s:.3}"))
                .collect::<Vec<_>>()
                .join(" "),
            loss / rows as f64,
            mib(outcome.peak_bytes),
            mib(outcome.peak_bytes - outcome.loaded_bytes),
            outcome.iterations,
            outcome
                .gradient
                .map_or("-".to_owned(), |g| format!("{g:.1e}")),
        );
    }
    // Equal up to the rounding of a sum over the rows.
    let no_worse = losses[0] <= losses[1] * (1.0 + 1e-13);
    Ok((median(&ours.seconds) / median(&theirs.seconds), no_worse))
}

/// Correlated, partly skewed and partly binary columns, standardised; labels from a logistic law,
/// three in ten true.
fn generate(rows: usize, columns: usize) -> (Vec<Vec<f64>>, Vec<bool>) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let normal = |rng: &mut ChaCha8Rng| rng.sample::<f64, _>(StandardNormal);
    let shared: Vec<[f64; 4]> = (0..rows)
        .map(|_| std::array::from_fn(|_| normal(&mut rng)))
        .collect();
    let mut logits = vec![-1.2; rows];
    let mut matrix = Vec::with_capacity(columns);
    for j in 0..columns {
        let mut column: Vec<f64> = shared
            .iter()
            .map(|s| 0.7 * s[j % 4] + normal(&mut rng))
            .collect();
        match j % 8 {
            5 => column.iter_mut().for_each(|x| *x = x.exp()),
            6 => column
                .iter_mut()
                .for_each(|x| *x = f64::from(u8::from(*x > 1.5))),
            _ => {}
        }
        standardise(&mut column);
        let weight = 0.4 * normal(&mut rng);
        logits
            .iter_mut()
            .zip(&column)
            .for_each(|(t, x)| *t += weight * x);
        matrix.push(column);
    }
    let labels = logits
        .iter()
        .map(|t| rng.random::<f64>() < 1.0 / (1.0 + (-t).exp()))
        .collect();
    (matrix, labels)
}

fn standardise(column: &mut [f64]) {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let sd = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    column.iter_mut().for_each(|x| *x = (*x - mean) / sd);
}

/// Summed log loss plus penalty, written as plainly as can be.
fn objective(matrix: &[Vec<f64>], labels: &[bool], model: &Outcome) -> f64 {
    let mut logits = vec![model.intercept; labels.len()];
    for (column, weight) in matrix.iter().zip(&model.coefficients) {
        logits
            .iter_mut()
            .zip(column)
            .for_each(|(t, x)| *t += weight * x);
    }
    let loss: f64 = logits
        .iter()
        .zip(labels)
        .map(|(&t, &label)| {
            let t = if label { -t } else { t };
            t.max(0.0) + (-t.abs()).exp().ln_1p()
        })
        .sum();
    loss + 0.5 * ALPHA * model.coefficients.iter().map(|w| w * w).sum::<f64>()
}

fn fit_file(matrix: &Path, labels: &Path) -> Result<Outcome> {
    let labels: Vec<bool> = std::fs::read(labels)?
        .into_iter()
        .map(|byte| byte == 1)
        .collect();
    let columns = read_columns(matrix, labels.len())?;
    let options = FitOptions {
        alpha: ALPHA,
        ..FitOptions::default()
    };
    let loaded_bytes = peak_bytes()?;
    let mut seconds = Vec::new();
    let mut last = None;
    for _ in 0..RUNS {
        let clock = Instant::now();
        last = Some(fit(&columns, &labels, &options, None)?);
        seconds.push(clock.elapsed().as_secs_f64());
    }
    let fitted = last.context("no run")?;
    ensure!(
        fitted.report.converged,
        "not converged: {:?}",
        fitted.report
    );
    Ok(Outcome {
        seconds,
        coefficients: fitted.coefficients,
        intercept: fitted.intercept,
        iterations: fitted.report.newton_steps,
        gradient: Some(fitted.report.relative_gradient),
        loaded_bytes,
        peak_bytes: peak_bytes()?,
    })
}

fn run(command: &mut Command) -> Result<Outcome> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?} failed: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Peak resident memory of this process.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .context("no VmHWM")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no figure")?
        .parse()?;
    Ok(kib << 10)
}

/// NumPy's format, version 1.0: doubles, little-endian.
fn write_npy(
    path: &PathBuf,
    rows: usize,
    columns: usize,
    by_column: bool,
    values: impl Iterator<Item = f64>,
) -> Result<()> {
    let order = if by_column { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ({rows}, {columns}), }}");
    let total = (10 + header.len() + 1).next_multiple_of(64);
    header.push_str(&" ".repeat(total - 11 - header.len()));
    header.push('\n');
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00")?;
    file.write_all(&u16::try_from(header.len())?.to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for value in values {
        file.write_all(&value.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// The columns of a file written by [`write_npy`] by column.
fn read_columns(path: &Path, rows: usize) -> Result<Vec<Vec<f64>>> {
    let mut file = File::open(path)?;
    let mut start = [0; 10];
    file.read_exact(&mut start)?;
    file.read_exact(&mut vec![
        0;
        usize::from(u16::from_le_bytes([
            start[8], start[9]
        ]))
    ])?;
    let mut columns = Vec::new();
    let mut bytes = vec![0; rows * 8];
    while file.read_exact(&mut bytes).is_ok() {
        let value = |b: &[u8]| <[u8; 8]>::try_from(b).map_or(f64::NAN, f64::from_le_bytes);
        columns.push(bytes.chunks_exact(8).map(value).collect());
    }
    Ok(columns)
}
