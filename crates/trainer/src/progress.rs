//! The progress that training, evaluation and prediction report.

use serde::Serialize;

/// A step of training or measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the files.
    Read,
    /// Fitting encoders and encoding.
    Encode,
    /// Choosing the penalty by cross-validation; counted in fits.
    Search,
    /// The fit on all training rows.
    Fit,
    /// Metrics on every part.
    Measure,
    /// Scoring rows; counted in rows.
    Predict,
    /// Refitting for a fold table; counted in folds.
    Fold,
}

impl Stage {
    /// A short name to display.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Encode => "encoding",
            Self::Search => "choosing the penalty",
            Self::Fit => "fitting",
            Self::Measure => "measuring",
            Self::Predict => "predicting",
            Self::Fold => "folds",
        }
    }
}

/// The progress of a stage. The first report has `done` 0; the last one may have less than `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// Units that are complete.
    pub done: u64,
    /// Number of units; `None` if unknown.
    pub total: Option<u64>,
}

/// The callback that receives [`Progress`].
pub(crate) type Report<'a> = &'a mut dyn FnMut(Progress);

pub(crate) fn begin(report: Report<'_>, stage: Stage) {
    step(report, stage, 0, None);
}

pub(crate) fn step(report: Report<'_>, stage: Stage, done: usize, total: Option<usize>) {
    report(Progress {
        stage,
        done: done as u64,
        total: total.map(|total| total as u64),
    });
}
