//! Which weights of a profile a request gets: those of the first segment that fits, of the first
//! experiment that has an arm for the unit, and the λ that an exploring profile draws.

mod assign;
mod combinations;
mod draw;
mod explain;
mod rules;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use counterweight_ranking::Density;
use serde::{Deserialize, Serialize};

pub use self::{
    assign::shares,
    explain::{Explained, Verdict},
};
pub(crate) use self::{
    assign::{BUCKETS, rearrange},
    combinations::Combination,
    rules::Rules,
};
use crate::weight::ObjectiveWeight;

/// Requests that get their own weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Name.
    pub name: String,
    /// All must hold; at least one.
    pub conditions: Vec<Condition>,
    /// The weights that differ from the profile's.
    pub weights: Vec<ObjectiveWeight>,
}

/// A condition on one attribute; it does not hold where the attribute is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The attribute's name.
    pub attribute: String,
    /// What it must satisfy.
    pub test: Test,
}

/// A test on the value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Test {
    /// It equals one of these.
    AnyOf(Vec<Value>),
    /// It lies in [at_least, below).
    Range {
        /// None has no lower end.
        at_least: Option<f64>,
        /// None has no upper end.
        below: Option<f64>,
    },
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Value {
    /// Whether it counts as missing: an empty text, or NaN.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Number(number) => number.is_nan(),
            Self::Text(text) => text.is_empty(),
        }
    }
}

/// Units divided into arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name.
    pub name: String,
    /// What units are hashed with.
    pub salt: String,
    /// Only requests of this segment; none takes all.
    pub segment: Option<String>,
    /// Its arms.
    pub arms: Vec<Arm>,
    /// From bucket 0 on, 10,000 in all: the position of the arm, or none, and how many buckets.
    pub buckets: Vec<(Option<usize>, u32)>,
}

/// One arm of an experiment; how many buckets it has is in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Name.
    pub name: String,
    /// The weights that differ; empty for a control.
    pub weights: Vec<ObjectiveWeight>,
}

/// One λ per request: the second objective's weight becomes −λ times the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploration {
    /// The least λ.
    pub low: f64,
    /// The largest λ.
    pub high: f64,
    /// Whether the logarithm of λ is drawn evenly, rather than λ itself.
    pub log_uniform: bool,
    /// Only requests in this arm, as `experiment/arm`; none explores on all.
    pub arm: Option<String>,
    /// What request ids are hashed with.
    pub seed: u64,
}

/// The facts of a request that are known before it is ranked.
#[derive(Debug, Clone, Copy)]
pub struct RequestContext<'a> {
    /// Missing ones are left out.
    pub attributes: &'a [Attribute],
    /// Empty when the request names no unit.
    pub unit_id: &'a str,
    /// The request id, from which λ is drawn.
    pub request_id: &'a str,
}

/// A named attribute of a request; missing ones are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Value,
}

/// What applies to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// In the order of the profile's objectives.
    pub weights: Vec<f64>,
    /// The segment whose weights apply.
    pub segment: Option<Arc<str>>,
    /// The arm whose weights apply, as `experiment/arm`.
    pub arm: Option<Arc<str>>,
    /// The λ that is drawn.
    pub draw: Option<Draw>,
}

/// The λ of one request and what it was drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// λ.
    pub lambda: f64,
    /// What it was drawn from.
    pub density: Density,
    /// The draw's own seed, below 2^63.
    pub seed: u64,
}

/// Cases that `tests/reference/audience.py` makes.
#[cfg(test)]
fn reference(of: &str) -> Vec<serde_json::Value> {
    let text = include_str!("../../tests/reference/audience.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    all[of].as_array().unwrap().clone()
}
