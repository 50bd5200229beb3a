//! The first rows of a log, with all columns.

use serde_json::Value;

use crate::{
    DatasetError, Excerpt,
    files::{DataFile, Format},
    pieces::{self, Needed, Shape},
};

/// Columns and their values in the first rows; a missing value is null.
pub(super) struct Sample {
    pub(super) columns: Vec<(String, Vec<Value>)>,
    pub(super) rows: usize,
}

/// Reads the first rows of the files.
pub(super) fn read(files: &[DataFile], rows: usize) -> Result<Sample, DatasetError> {
    let mut sample = Sample {
        columns: Vec::new(),
        rows: 0,
    };
    for file in files {
        if sample.rows >= rows {
            break;
        }
        match file.format {
            Format::Ndjson => sample.add_lines(file, rows)?,
            Format::Csv | Format::Parquet => sample.add_table(file, rows)?,
        }
    }
    if sample.columns.is_empty() || sample.rows == 0 {
        return Err(DatasetError::Description {
            origin: "the log".to_owned(),
            element: "files".to_owned(),
            problem: "they have no rows, so nothing can be guessed".to_owned(),
        });
    }
    Ok(sample)
}

impl Sample {
    fn column(&mut self, name: &str) -> usize {
        if let Some(at) = self.columns.iter().position(|(own, _)| own == name) {
            return at;
        }
        self.columns.push((name.to_owned(), Vec::new()));
        self.columns.len() - 1
    }

    /// Adds a row of some columns.
    fn add(&mut self, row: impl IntoIterator<Item = (String, Value)>) {
        for (name, value) in row {
            let at = self.column(&name);
            let values = &mut self.columns[at].1;
            values.resize(self.rows, Value::Null);
            values.push(value);
        }
        self.rows += 1;
    }

    fn add_lines(&mut self, file: &DataFile, rows: usize) -> Result<(), DatasetError> {
        use std::io::BufRead as _;
        let unreadable = |problem: &dyn std::fmt::Display| DatasetError::Read {
            file: file.path.clone(),
            problem: Excerpt::problem(problem),
        };
        let opened = std::fs::File::open(&file.path).map_err(|error| unreadable(&error))?;
        for line in std::io::BufReader::new(opened).lines() {
            let line = line.map_err(|error| unreadable(&error))?;
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() {
                continue;
            }
            if self.rows >= rows {
                break;
            }
            match serde_json::from_str(line) {
                Ok(Value::Object(object)) => self.add(object),
                Ok(_) => return Err(unreadable(&"a line is not a JSON object")),
                Err(error) => return Err(unreadable(&error)),
            }
        }
        self.fill();
        Ok(())
    }

    fn add_table(&mut self, file: &DataFile, rows: usize) -> Result<(), DatasetError> {
        let columns = pieces::read_header(file)?;
        let needed: Vec<Needed> = columns
            .iter()
            .map(|column| Needed {
                column: column.clone(),
                needed_as: "column".to_owned(),
                optional: true,
                shape: Shape::Scalar,
            })
            .collect();
        for piece in pieces::open(file, &needed)? {
            let frame = piece?.frame;
            for row in 0..frame.height() {
                if self.rows >= rows {
                    self.fill();
                    return Ok(());
                }
                let values = frame.columns().iter().map(|column| {
                    let value = column.get(row).map_or(Value::Null, |value| json(&value));
                    (column.name().to_string(), value)
                });
                self.add(values.collect::<Vec<_>>());
            }
        }
        self.fill();
        Ok(())
    }

    /// Columns that the last rows did not have are null there.
    fn fill(&mut self) {
        for (_, values) in &mut self.columns {
            values.resize(self.rows, Value::Null);
        }
    }
}

/// A value of a table as JSON. Text in CSV stays text; an empty one is missing.
fn json(value: &polars::prelude::AnyValue<'_>) -> Value {
    use polars::prelude::AnyValue as V;
    match value {
        V::Boolean(value) => Value::from(*value),
        V::String("") => Value::Null,
        V::String(text) => Value::from(*text),
        V::StringOwned(text) => Value::from(text.as_str()),
        V::List(series) => series.iter().map(|value| json(&value)).collect(),
        V::Float32(number) => Value::from(f64::from(*number)),
        V::Float64(number) => Value::from(*number),
        V::Null => Value::Null,
        other => match other.extract::<i64>() {
            Some(number) => Value::from(number),
            None => Value::from(other.to_string()),
        },
    }
}
