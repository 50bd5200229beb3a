//! One part of a request log, opened: its objectives, and which columns it has. Parts differ in
//! their columns, as a part has those that some of its rankings have.

use std::path::{Path, PathBuf};

use counterweight_dataset::{Dataset, DatasetBuilder, LogColumns, LogPieces, Role};

use crate::{columns, error::LogError};

/// A part of a request log.
pub(crate) struct Part {
    path: PathBuf,
    dataset: Dataset,
    has: Vec<String>,
    /// In the order of their columns, in which scores are summed.
    pub(crate) objectives: Vec<String>,
}

impl Part {
    pub(crate) fn open(path: &Path) -> Result<Self, LogError> {
        let dataset = DatasetBuilder::of_file("part", path)
            .ok_or_else(|| wrong(path, "its path is not UTF-8; rename it"))?
            .role(Role::Candidate, columns::CANDIDATE)
            .build()?;
        let has = dataset.columns()?;
        let named = has.iter().filter_map(|name| columns::objective_of(name));
        let objectives: Vec<String> = named
            .filter(|objective| has.contains(&columns::weight(objective)))
            .map(str::to_owned)
            .collect();
        let part = Self {
            path: path.to_owned(),
            dataset,
            has,
            objectives,
        };
        match part.objectives.is_empty() || !part.has(columns::RANKING) {
            true => Err(part.wrong("it is not a part of a request log")),
            false => Ok(part),
        }
    }

    /// Whether it has a column.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.has.iter().any(|own| own == column)
    }

    /// The column of a feature, if any ranking of the part has it.
    pub(crate) fn feature(&self, name: &str) -> Option<String> {
        let column = match columns::is_reserved(name, &self.objectives) {
            true => format!("feature_{name}"),
            false => name.to_owned(),
        };
        self.has(&column).then_some(column)
    }

    /// Asks for a column of numbers, and returns its place among those that are read; none where
    /// the part does not have it.
    pub(crate) fn number(&self, wanted: &mut LogColumns, column: &str) -> Option<usize> {
        self.place(&mut wanted.numbers, column)
    }

    /// As [`number`](Self::number), for text.
    pub(crate) fn text(&self, wanted: &mut LogColumns, column: &str) -> Option<usize> {
        self.place(&mut wanted.texts, column)
    }

    fn place(&self, wanted: &mut Vec<String>, column: &str) -> Option<usize> {
        self.has(column).then(|| {
            wanted.push(column.to_owned());
            wanted.len() - 1
        })
    }

    /// Reads its rows piece by piece.
    pub(crate) fn read(&self, wanted: LogColumns) -> Result<LogPieces, LogError> {
        Ok(self.dataset.log(wanted)?)
    }

    pub(crate) fn wrong(&self, problem: impl Into<String>) -> LogError {
        wrong(&self.path, problem)
    }
}

fn wrong(path: &Path, problem: impl Into<String>) -> LogError {
    LogError::Log {
        log: path.display().to_string(),
        problem: problem.into(),
    }
}
