//! The TOML description as written, before any check across keys.

use serde::{Deserialize, Serialize};

/// An element of the description, and the problem with it.
pub(crate) type Fault = (String, String);

/// The whole file. Unknown keys are errors everywhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) files: Vec<String>,
    pub(crate) max_text_bytes: Option<usize>,
    #[serde(default)]
    pub(crate) columns: RoleColumns,
    #[serde(default)]
    pub(crate) filter: Vec<Filter>,
    #[serde(default)]
    pub(crate) input: Vec<InputSpec>,
    #[serde(default)]
    pub(crate) feature: Vec<FeatureSpec>,
    #[serde(default)]
    pub(crate) objective: Vec<ObjectiveSpec>,
    pub(crate) requests: Option<RequestsSpec>,
    pub(crate) split: Option<SplitSpec>,
}

/// The columns that identify a row. They are not features unless an input reads them too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleColumns {
    pub(crate) request: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) candidate: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) position: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) propensity: Option<String>,
}

/// A test that a row must pass to be kept. If several conditions are given, all must be true. A
/// missing value passes none of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) column: String,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) not_between: Option<[f64; 2]>,
    pub(crate) equals: Option<Scalar>,
    #[serde(rename = "in")]
    pub(crate) one_of: Option<Vec<Scalar>>,
    pub(crate) not_missing: Option<bool>,
}

/// A value in a filter.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    Boolean(bool),
    Number(f64),
    Text(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputSpec {
    pub(crate) name: String,
    /// The column in the files, if its name differs.
    pub(crate) column: Option<String>,
    pub(crate) kind: KindName,
    #[serde(default = "candidate")]
    pub(crate) side: counterweight_model::Side,
    /// Elements per row; required for a vector and not allowed for other kinds.
    pub(crate) dim: Option<usize>,
    #[serde(default)]
    pub(crate) optional: bool,
    pub(crate) served: Option<f64>,
    /// Whether the input is itself a feature.
    #[serde(default = "yes")]
    pub(crate) feature: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindName {
    Numeric,
    Boolean,
    Categorical,
    Text,
    List,
    Vector,
}

/// A derived feature: exactly one of the expressions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureSpec {
    pub(crate) name: String,
    pub(crate) log1p: Option<String>,
    pub(crate) ratio: Option<[String; 2]>,
    pub(crate) product: Option<[String; 2]>,
    pub(crate) pair: Option<[String; 2]>,
    pub(crate) contains: Option<[String; 2]>,
    pub(crate) equal: Option<[String; 2]>,
    pub(crate) dot: Option<[String; 2]>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectiveSpec {
    pub(crate) name: String,
    pub(crate) label: LabelSpec,
    /// The value that the offline benchmark counts as realised; the default is the label.
    pub(crate) outcome: Option<OutcomeSpec>,
    #[serde(default)]
    pub(crate) filter: Vec<Filter>,
    pub(crate) features: Option<Vec<String>>,
    pub(crate) sample_negatives: Option<f64>,
}

impl ObjectiveSpec {
    /// How messages refer to the objective.
    pub(crate) fn element(&self) -> String {
        format!("objective `{}`", self.name)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelSpec {
    pub(crate) column: Option<String>,
    pub(crate) ratio: Option<[String; 2]>,
    pub(crate) above: Option<Above>,
}

/// A value in [0, 1]: a column, or a ratio of two columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutcomeSpec {
    pub(crate) column: Option<String>,
    pub(crate) ratio: Option<[String; 2]>,
}

/// How requests are formed from rows that are not adjacent or have no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestsSpec {
    /// Candidates per request, for rows without a request.
    pub(crate) candidates: Option<usize>,
    #[serde(default)]
    pub(crate) seed: u64,
    /// Whether the rows of a request may be anywhere in the log.
    #[serde(default)]
    pub(crate) scattered: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Above {
    Number(f64),
    Text(String),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitSpec {
    pub(crate) by: SplitBy,
    pub(crate) column: Option<String>,
    pub(crate) train: Option<f64>,
    #[serde(default)]
    pub(crate) calibrate: f64,
    #[serde(default)]
    pub(crate) tune: f64,
    #[serde(default)]
    pub(crate) test: f64,
    #[serde(default)]
    pub(crate) seed: u64,
}

/// What decides the part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// The hash of the group column's value, so that no group is in two parts.
    Group,
    /// The hash of the row's request and candidate, or of the row number if it has neither.
    Hash,
    /// The order of the time column. The earliest rows train, and rows with equal times share a
    /// part.
    Time,
    /// A column that contains the name of the part.
    Column,
}

fn candidate() -> counterweight_model::Side {
    counterweight_model::Side::Candidate
}

fn yes() -> bool {
    true
}
