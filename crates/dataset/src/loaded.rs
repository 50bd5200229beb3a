//! The labelled rows of one objective: their parts, groups, folds and labels.

use serde::Serialize;

use crate::{DatasetError, Rows, folds, moment::Moment};

/// The part of the data that a row belongs to. No row is in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Encoders, coefficients and thresholds are fitted on these rows only.
    Train,
    /// Calibrators are fitted here.
    Calibrate,
    /// Weights are chosen here.
    Tune,
    /// Figures are reported on these rows.
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

/// Where the rows of the files went. `read` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Rows of all files.
    pub read: u64,
    /// Left out by a filter.
    pub filtered: u64,
    /// Left out since the label is missing.
    pub unlabelled: u64,
    /// Left out since the fractions of the split sum to less than 1, or the split column is empty.
    pub unassigned: u64,
    /// Training negatives left out by `sample_negatives`.
    pub sampled_out: u64,
    /// Rows in memory.
    pub kept: u64,
}

/// All that is known of one objective's rows.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The objective.
    pub objective: String,
    /// The rows; every one has a label.
    pub rows: Rows,
    /// The part of each row.
    pub parts: Vec<Part>,
    /// The group of each row as a hash; without a group column each row is its own group.
    pub groups: Vec<u64>,
    /// Where the rows went.
    pub counts: Counts,
    /// Rows read in which broken UTF-8 was replaced.
    pub lossy_rows: u64,
    /// The share of training negatives that was kept, if they were down-sampled: the odds that a
    /// model learns on the training part are `1 / share` times too high.
    pub negatives_kept: Option<f64>,
    /// SHA-256 of the content of the kept rows, in hexadecimal; it depends neither on paths nor on
    /// the file format.
    pub fingerprint: String,
    pub(crate) targets: Targets,
    /// The moment of each row, where it was asked for and the row has one.
    pub(crate) times: Vec<Option<Moment>>,
}

/// What the labels are made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    Fixed(Vec<bool>),
    /// 1 where the value is above the median of the training rows.
    AboveMedian(Vec<f64>),
}

/// Labels of all rows, and how they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// One per row of [`Loaded::rows`].
    pub values: Vec<bool>,
    /// The training median that was resolved, if the rule asks for one. A row is positive strictly
    /// above it.
    pub threshold: Option<f64>,
}

impl Loaded {
    /// The rows of one part, ascending.
    pub fn part(&self, part: Part) -> Vec<usize> {
        (0..self.parts.len())
            .filter(|&row| self.parts[row] == part)
            .collect()
    }

    /// The label of every row, with `above = "training median"` resolved on `training` alone: the
    /// training part, or the training rows of one fold, since a median is a fit.
    ///
    /// # Errors
    /// [`DatasetError::NoTrainingRows`], or [`DatasetError::OneClass`] when all training rows have
    /// one label.
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

    /// The label of every row for a threshold that is known already, such as the one a model was
    /// trained with. It is ignored where the rule needs none; where the rule needs one, none gives
    /// no positive row.
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

    /// Deals all rows into `k` folds of nearly equal size, the rows of one group into one fold:
    /// groups in descending size (ties in an order drawn by `seed`), each to the fold that has the
    /// fewest rows so far.
    ///
    /// # Errors
    /// [`DatasetError::Folds`] when `k` is below 2 or above the number of groups.
    pub fn folds(&self, k: usize, seed: u64) -> Result<Vec<u32>, DatasetError> {
        folds::deal(&self.groups, k, seed)
    }

    /// The same for some of the rows: one fold per entry of `rows`, balanced among these.
    ///
    /// # Errors
    /// As [`folds`](Self::folds), of the groups of these rows.
    ///
    /// # Panics
    /// When an index is not below the number of rows.
    pub fn folds_of(&self, rows: &[usize], k: usize, seed: u64) -> Result<Vec<u32>, DatasetError> {
        let groups: Vec<u64> = rows.iter().map(|&row| self.groups[row]).collect();
        folds::deal(&groups, k, seed)
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
