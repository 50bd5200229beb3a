//! The labelled rows of one objective: their parts, groups, folds and labels.

use serde::Serialize;

use crate::{DatasetError, Rows, folds, moment::Moment};

/// The part of the data that a row belongs to. Each row is in at most one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Rows on which encoders, coefficients and thresholds are fitted.
    Train,
    /// Rows on which calibrators are fitted.
    Calibrate,
    /// Rows on which weights are chosen.
    Tune,
    /// Rows on which results are reported.
    Test,
}

impl Part {
    /// All parts, in the order in which fractions and time fill them.
    pub const ALL: [Self; 4] = [Self::Train, Self::Calibrate, Self::Tune, Self::Test];

    /// The name in the description.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Calibrate => "calibrate",
            Self::Tune => "tune",
            Self::Test => "test",
        }
    }
}

/// How many rows were kept, and why the others were left out. `read` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Rows of all files.
    pub read: u64,
    /// Left out by a filter.
    pub filtered: u64,
    /// Left out because the label is missing.
    pub unlabelled: u64,
    /// Left out because the fractions of the split sum to less than 1, or because the split column
    /// is empty.
    pub unassigned: u64,
    /// Training negatives left out by `sample_negatives`.
    pub sampled_out: u64,
    /// Rows in memory.
    pub kept: u64,
}

/// The labelled rows of one objective.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The objective.
    pub objective: String,
    /// The rows. Every row has a label.
    pub rows: Rows,
    /// The part of each row.
    pub parts: Vec<Part>,
    /// The group of each row as a hash. A row without a group value is its own group.
    pub groups: Vec<u64>,
    /// How many rows were kept and left out.
    pub counts: Counts,
    /// Rows in which broken UTF-8 was replaced, counted before filtering.
    pub lossy_rows: u64,
    /// The share of training negatives that was kept, if they were down-sampled. The odds that a
    /// model learns from the training part are then `1 / share` times too high.
    pub negatives_kept: Option<f64>,
    /// SHA-256 of the content of the kept rows, in hexadecimal. It does not depend on paths or on
    /// the file format.
    pub fingerprint: String,
    pub(crate) targets: Targets,
    /// The time of each row, if the plan asked for times and the row has one.
    pub(crate) times: Vec<Option<Moment>>,
}

/// What the labels are computed from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    Fixed(Vec<bool>),
    /// The label is 1 if the value is above the median of the training rows.
    AboveMedian(Vec<f64>),
}

/// The labels of all rows, and the threshold that produced them.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// One per row of [`Loaded::rows`].
    pub values: Vec<bool>,
    /// The training median, if the rule needs one. A row is positive if its value is strictly above
    /// it.
    pub threshold: Option<f64>,
}

impl Loaded {
    /// The row indices of one part, ascending.
    pub fn part(&self, part: Part) -> Vec<usize> {
        (0..self.parts.len())
            .filter(|&row| self.parts[row] == part)
            .collect()
    }

    /// The label of every row. `above = "training median"` is resolved on `training` alone, which
    /// is the training part or the training rows of one fold: the median is fitted, so it must not
    /// see held-out rows.
    ///
    /// # Errors
    /// [`DatasetError::NoTrainingRows`], or [`DatasetError::OneClass`] when all training rows have
    /// the same label.
    ///
    /// # Panics
    /// When an index is not below the number of rows.
    pub fn labels(&self, training: &[usize]) -> Result<Labels, DatasetError> {
        if training.is_empty() {
            return Err(DatasetError::NoTrainingRows {
                objective: self.objective.clone(),
            });
        }
        let threshold = match &self.targets {
            Targets::Fixed(_) => None,
            Targets::AboveMedian(values) => {
                Some(median(training.iter().map(|&row| values[row]).collect()))
            }
        };
        let values = self.labels_at(threshold);
        let label = values[training[0]];
        if training.iter().all(|&row| values[row] == label) {
            let objective = self.objective.clone();
            return Err(DatasetError::OneClass {
                objective,
                rows: training.len(),
                label: u8::from(label),
            });
        }
        Ok(Labels { values, threshold })
    }

    /// The label of every row for a known threshold, such as the one that a model was trained with.
    /// The threshold is ignored if the rule does not need one. If the rule needs one and it is
    /// `None`, every row is negative.
    pub fn labels_at(&self, threshold: Option<f64>) -> Vec<bool> {
        match &self.targets {
            Targets::Fixed(values) => values.clone(),
            Targets::AboveMedian(values) => {
                let threshold = threshold.unwrap_or(f64::INFINITY);
                values.iter().map(|&value| value > threshold).collect()
            }
        }
    }

    /// Whether the labels depend on a threshold that is fitted on the training rows.
    pub fn needs_threshold(&self) -> bool {
        matches!(self.targets, Targets::AboveMedian(_))
    }

    /// Assigns all rows to `k` folds of nearly equal size. The rows of a group share a fold. Groups
    /// are taken in descending size, with ties in an order drawn by `seed`. Each goes to the
    /// fold that has the fewest rows so far.
    ///
    /// # Errors
    /// [`DatasetError::Folds`] when `k` is below 2 or above the number of groups.
    pub fn folds(&self, k: usize, seed: u64) -> Result<Vec<u32>, DatasetError> {
        folds::assign(&self.groups, k, seed)
    }

    /// As [`folds`](Self::folds), but for some of the rows: one fold per entry of `rows`, balanced
    /// among these rows.
    ///
    /// # Errors
    /// As [`folds`](Self::folds), with the groups of these rows.
    ///
    /// # Panics
    /// When an index is not below the number of rows.
    pub fn folds_of(&self, rows: &[usize], k: usize, seed: u64) -> Result<Vec<u32>, DatasetError> {
        let groups: Vec<u64> = rows.iter().map(|&row| self.groups[row]).collect();
        folds::assign(&groups, k, seed)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
