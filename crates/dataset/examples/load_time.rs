//! Measures how long it takes to load 1,000,000 rows × 32 numbers from a Parquet file into a
//! model's columns, with the fingerprint:
//! `cargo run --release -p counterweight-dataset --example load_time`

#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::{error::Error, fs::File, time::Instant};

use counterweight_dataset::{Dataset, Part};
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};

const ROWS: usize = 1_000_000;
const INPUTS: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    write(&folder.path().join("rows.parquet"))?;
    let mut description = "name = \"rows\"\nfiles = [\"rows.parquet\"]\n".to_owned();
    for index in 0..INPUTS {
        description += &format!("[[input]]\nname = \"x{index}\"\nkind = \"numeric\"\n");
    }
    description += "[[objective]]\nname = \"click\"\nlabel = { column = \"y\" }\n";
    description += "[split]\nby = \"hash\"\ntrain = 0.8\ntest = 0.2\n";
    let dataset = Dataset::parse(&description, "load_time", folder.path())?;

    let start = Instant::now();
    let loaded = dataset.load("click")?;
    println!(
        "{} rows × {INPUTS} inputs loaded in {:.2} s",
        loaded.rows.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let batch = loaded.rows.batch(&loaded.part(Part::Train))?;
    println!(
        "batch of {} training rows in {:.2} s",
        batch.rows(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Writes numbers that do not compress, from a fixed pseudo-random sequence.
fn write(path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut columns: Vec<Column> = Vec::new();
    for index in 0..INPUTS {
        let values: Vec<f64> = (0..ROWS).map(|_| next()).collect();
        columns.push(Series::new(format!("x{index}").into(), values).into());
    }
    let labels: Vec<bool> = (0..ROWS).map(|_| next() < 0.1).collect();
    columns.push(Series::new("y".into(), labels).into());
    let mut frame = DataFrame::new(ROWS, columns)?;
    ParquetWriter::new(File::create(path)?).finish(&mut frame)?;
    Ok(())
}
