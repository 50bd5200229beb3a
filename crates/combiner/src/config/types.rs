//! The checked parts of a configuration.

use std::time::Duration;

use counterweight_model::Calibrator;
use counterweight_ranking::{Bound, Weights};
use counterweight_weights::OnModelChange;

/// How many recent requests are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentRequests {
    /// Candidates of each profile; 0 keeps nothing. A candidate of more than 256 bytes counts as
    /// several. Default 1,000,000.
    pub candidates: usize,
    /// How long a request is kept. Default 60 minutes.
    pub window: Duration,
}

/// One objective.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Name.
    pub name: String,
    /// Where its probabilities come from.
    pub source: Source,
    /// The calibrator of the source's probabilities; [`Calibrator::None`] leaves them unchanged.
    pub calibrator: Calibrator,
    /// Its usual probability, above 0: ramps scale its weight by it to measure angles. Default 1.
    pub base_rate: f64,
}

/// Where an objective's probabilities come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A model behind the Open Inference Protocol.
    Model(ModelSource),
    /// A probability column of the request.
    Column {
        /// The tensor's name.
        name: String,
    },
}

/// A model behind the Open Inference Protocol.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// `http://host:port` or `unix:/path`, at least one. Requests are balanced over them, and over
    /// all addresses of a host name.
    pub endpoints: Vec<String>,
    /// The model's name on the server.
    pub name: String,
    /// A pinned version; none means the served default.
    pub version: Option<String>,
    /// The output tensor with the probabilities. Default `probability`.
    pub output: String,
    /// The column of an output of shape [n, d], from 0. Default 0.
    pub column: usize,
    /// The longest a call may take, even when the caller allows more. Default 1 s.
    pub timeout: Duration,
    /// Numeric features packed into one tensor; none sends one tensor per feature.
    pub packed: Option<Packed>,
    /// Repeat context features to the number of candidates, for servers that do not broadcast.
    pub expand_context: bool,
}

/// Numeric features packed into one tensor of shape [n, d].
#[derive(Debug, Clone)]
pub struct Packed {
    /// The tensor's name.
    pub input: String,
    /// The features, in the order of the columns. A vector feature fills as many columns as it is
    /// wide.
    pub features: Vec<String>,
}

/// A named surface of the product with its weights.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name.
    pub name: String,
    /// Its objectives as positions in [`Config::objectives`](super::Config::objectives), ascending.
    pub objectives: Vec<usize>,
    /// Their default weights, in the same order: used until the weights log sets others.
    pub weights: Weights,
    /// The weights that the kill switch puts in force, in the same order; without them it is
    /// refused.
    pub safe: Option<Weights>,
    /// The bounds and the largest step of each weight, in the same order.
    pub bounds: Vec<Bound>,
    /// What happens when a model is replaced. Default [`OnModelChange::Warn`].
    pub on_model_change: OnModelChange,
    /// What happens when a model fails. Default [`Policy::Fail`].
    pub on_model_failure: Policy,
    /// What happens when a model has too much to do to answer. Default [`Policy::Fail`]: the caller
    /// retries later. Ranking without an objective because of load alone would change what users
    /// see at the busiest hour.
    pub on_model_overload: Policy,
    /// How many candidates are returned when the request does not say; 0 returns all.
    pub limit: usize,
}

/// What a profile does when an objective's model fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The request fails.
    #[default]
    Fail,
    /// The remaining objectives rank, and the answer says so.
    Without,
}
