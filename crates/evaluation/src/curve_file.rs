//! Whole curves as a table in a file: one row per interval in which no page changes.

use std::path::Path;

use counterweight_dataset::ParquetRows;
use counterweight_files::AtomicFile;
use counterweight_ranking::{solve::MIN_WIDTH, sweep::Curves};
use polars::prelude::{Column, CsvWriter, DataFrame, PolarsResult, SerWriter};

use crate::error::EvaluationError;

/// Writes the curves to a CSV or Parquet file, by its ending: `lambda_low`, `lambda_high` (∞ in the
/// last row), `lambda` (a point to choose; missing where the interval is too narrow to rest a
/// weight on) and one column per curve. The first row is λ = 0 itself. The file is written beside
/// its place and renamed when it is complete.
///
/// # Errors
/// [`EvaluationError::Write`], also for another ending.
pub fn write_curves(path: &Path, curves: &Curves, names: &[String]) -> Result<(), EvaluationError> {
    let steps = 0..=curves.breakpoints().len();
    let ends: Vec<(f64, f64)> = steps.clone().map(|step| curves.interval(step)).collect();
    let number = |name: &str, values: Vec<f64>| Column::new(name.into(), values);
    let mut columns = vec![
        number("lambda_low", ends.iter().map(|end| end.0).collect()),
        number("lambda_high", ends.iter().map(|end| end.1).collect()),
        Column::new(
            "lambda".into(),
            steps
                .map(|step| curves.midpoint(step, MIN_WIDTH))
                .collect::<Vec<Option<f64>>>(),
        ),
    ];
    for (curve, name) in names.iter().enumerate() {
        columns.push(number(name, curves.values(curve).to_vec()));
    }
    write_table(path, columns)
}

/// Checks that curves can be written to a file, before they are made.
///
/// # Errors
/// [`EvaluationError::Write`] for an ending other than .csv and .parquet, and for a folder that is
/// not there.
pub fn check_curve_file(path: &Path) -> Result<(), EvaluationError> {
    form(path)?;
    let folder = folder(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(EvaluationError::Write {
        path: path.to_owned(),
        problem: format!(
            "the folder {} does not exist; create it first",
            folder.display()
        ),
    })
}

/// How a table is written.
#[derive(Clone, Copy)]
enum Form {
    Csv,
    Parquet,
}

fn form(path: &Path) -> Result<Form, EvaluationError> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(Form::Csv),
        Some("parquet") => Ok(Form::Parquet),
        _ => Err(EvaluationError::Write {
            path: path.to_owned(),
            problem: "the ending must be .csv or .parquet".to_owned(),
        }),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

pub(crate) fn write_table(path: &Path, columns: Vec<Column>) -> Result<(), EvaluationError> {
    let wrong = |problem: String| EvaluationError::Write {
        path: path.to_owned(),
        problem,
    };
    let form = form(path)?;
    let unfinished = AtomicFile::create(path).map_err(|error| wrong(error.to_string()))?;
    let write = || -> PolarsResult<()> {
        let height = columns.first().map_or(0, Column::len);
        let mut frame = DataFrame::new(height, columns)?;
        match form {
            Form::Csv => CsvWriter::new(unfinished.file()).finish(&mut frame),
            Form::Parquet => {
                let mut rows = ParquetRows::begin(unfinished.file(), frame.schema())?;
                rows.write(&frame)?;
                rows.finish().map(drop)
            }
        }
    };
    write().map_err(|error| wrong(error.to_string()))?;
    unfinished
        .commit()
        .map_err(|error| wrong(error.to_string()))
}
