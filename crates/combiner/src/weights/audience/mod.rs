//! Who gets which weights of a profile: the first segment that fits, the first experiment that has an arm for the unit, and the λ that an
//! exploring profile draws.

mod assign;
mod combinations;
mod draw;
mod explain;
mod rules;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use counterweight_ranking::ope::Density;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    assign::{BUCKETS, rearrange, shares},
    combinations::Combination,
    explain::{Explained, Verdict},
    rules::Rules,
};
use super::profile::ObjectiveWeight;

/// Requests that get weights of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Segment {
    pub(crate) name: String,
    /// All must hold; at least one.
    pub(crate) conditions: Vec<Condition>,
    /// The weights that differ from the profile's.
    pub(crate) weights: Vec<ObjectiveWeight>,
}

/// A condition on one attribute; it does not hold where the attribute is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    pub(crate) attribute: String,
    pub(crate) test: Test,
}

/// What must hold of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Test {
    /// It equals one of these.
    AnyOf(Vec<Value>),
    /// It lies in [at_least, below).
    Range {
        at_least: Option<f64>,
        below: Option<f64>,
    },
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    /// Whether it stands for none: an empty text, and NaN.
    pub(crate) fn is_missing(&self) -> bool {
        match self {
            Self::Number(number) => number.is_nan(),
            Self::Text(text) => text.is_empty(),
        }
    }
}

/// Units divided into arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) salt: String,
    /// Only requests of this segment; none takes all.
    pub(crate) segment: Option<String>,
    pub(crate) arms: Vec<Arm>,
    /// From bucket 0 on, 10,000 in all: the position of the arm, or none, and how many buckets.
    pub(crate) buckets: Vec<(Option<usize>, u32)>,
}

/// One arm of an experiment; how many buckets it has is in the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arm {
    pub(crate) name: String,
    /// The weights that differ; empty for a control.
    pub(crate) weights: Vec<ObjectiveWeight>,
}

/// One λ per request: the second objective's weight becomes −λ times the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exploration {
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) log_uniform: bool,
    /// Only requests in this arm, as `experiment/arm`; none explores on all.
    pub(crate) arm: Option<String>,
    pub(crate) seed: u64,
}

/// What is known of a request before it is ranked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) attributes: &'a [Attribute],
    /// Empty when it was not said.
    pub(crate) unit_id: &'a str,
    pub(crate) request_id: &'a str,
}

/// A named attribute of a request; missing ones are left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// What applies to one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    /// In the order of the profile's objectives.
    pub(crate) weights: Vec<f64>,
    pub(crate) segment: Option<Arc<str>>,
    /// As `experiment/arm`.
    pub(crate) arm: Option<Arc<str>>,
    pub(crate) draw: Option<Draw>,
}

/// The λ of one request and what it was drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Draw {
    pub(crate) lambda: f64,
    pub(crate) density: Density,
    /// Below 2^63.
    pub(crate) seed: u64,
}

/// Cases that `tests/reference/audience.py` makes.
#[cfg(test)]
fn reference(of: &str) -> Vec<serde_json::Value> {
    let text = include_str!("../../../tests/reference/audience.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    all[of].as_array().unwrap().clone()
}
