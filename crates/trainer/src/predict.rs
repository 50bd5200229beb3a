//! A probability for every row of a dataset, in the order of its files.

use std::fs::File;
use std::path::Path;

use counterweight_dataset::{Dataset, ParquetRows, Rows};
use counterweight_files::AtomicFile;
use counterweight_model::Artefact;
use polars::prelude::{
    Column, CsvWriter, DataFrame, JsonFormat, JsonWriter, PolarsError, SerWriter,
};

use crate::error::TrainerError;
use crate::progress::{Progress, Stage, step};

/// Writes one row per row of the files, also for rows that the dataset filters out or that have no
/// label. The columns are the ids of the row, then `probability`. The probability is the one that a
/// server answers: an input with a served value has that value.
///
/// The file extension of `out` selects CSV, NDJSON or Parquet. The file is written piece by piece,
/// and appears under its name when it is complete. Returns the number of rows.
///
/// # Errors
/// [`TrainerError::Ending`], [`TrainerError::Write`], and the errors of reading the dataset.
pub fn predict(
    artefact: &Artefact,
    dataset: &Dataset,
    out: &Path,
    report: &mut dyn FnMut(Progress),
) -> Result<u64, TrainerError> {
    let format = Format::from_path(out)?;
    let write_error = |problem: String| TrainerError::Write {
        path: out.to_owned(),
        problem,
    };
    let unfinished = AtomicFile::create(out).map_err(|e| write_error(e.to_string()))?;
    let mut writer = Writer {
        format,
        file: unfinished.file(),
        parquet: None,
        begun: false,
    };
    let mut done = 0;
    step(report, Stage::Predict, 0, None);
    for piece in dataset.inputs(artefact.model.schema())? {
        let rows = piece?;
        let probabilities = artefact.model.score(&rows.all()?)?.probabilities;
        done += probabilities.len();
        let frame = frame(&rows, probabilities);
        frame
            .and_then(|frame| writer.write(frame))
            .map_err(|e| write_error(e.to_string()))?;
        step(report, Stage::Predict, done, None);
    }
    writer.finish().map_err(|e| write_error(e.to_string()))?;
    unfinished
        .commit()
        .map_err(|e| write_error(e.to_string()))?;
    Ok(done as u64)
}

/// The id columns and the probability. A column that has two roles is written once. A missing id is
/// null.
fn frame(rows: &Rows, probabilities: Vec<f64>) -> Result<DataFrame, PolarsError> {
    let mut columns: Vec<Column> = Vec::new();
    for id in &rows.ids {
        if columns
            .iter()
            .all(|column| column.name() != id.column.as_str())
        {
            let values = id
                .values
                .iter()
                .map(|value| Some(value.as_str()).filter(|v| !v.is_empty()));
            columns.push(Column::new(
                id.column.as_str().into(),
                values.collect::<Vec<_>>(),
            ));
        }
    }
    let height = probabilities.len();
    columns.push(Column::new("probability".into(), probabilities));
    DataFrame::new(height, columns)
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    fn from_path(path: &Path) -> Result<Self, TrainerError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("ndjson" | "jsonl") => Ok(Self::Ndjson),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(TrainerError::Ending {
                path: path.to_owned(),
            }),
        }
    }
}

/// Appends frames of one schema to a file.
struct Writer<'a> {
    format: Format,
    file: &'a File,
    /// Set for Parquet after the first frame: its footer is written at the end.
    parquet: Option<ParquetRows<&'a File>>,
    begun: bool,
}

impl Writer<'_> {
    fn write(&mut self, mut frame: DataFrame) -> Result<(), PolarsError> {
        match self.format {
            Format::Csv => CsvWriter::new(self.file)
                .include_header(!self.begun)
                .finish(&mut frame)?,
            Format::Ndjson => {
                JsonWriter::new(self.file)
                    .with_json_format(JsonFormat::JsonLines)
                    .finish(&mut frame)?;
            }
            Format::Parquet => {
                let rows = match self.parquet.take() {
                    Some(rows) => rows,
                    None => ParquetRows::begin(self.file, frame.schema())?,
                };
                self.parquet.insert(rows).write(&frame)?;
            }
        }
        self.begun = true;
        Ok(())
    }

    fn finish(self) -> Result<(), PolarsError> {
        self.parquet.map_or(Ok(()), |rows| rows.finish().map(drop))
    }
}
