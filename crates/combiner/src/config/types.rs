//! The checked parts of a configuration.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use counterweight_journal::{Durability, PartStore, Retention, UnitRule};
use counterweight_model::Calibrator;
use counterweight_model_client::ModelSource;
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

/// How rankings are logged.
#[derive(Debug, Clone)]
pub struct RequestLog {
    /// The folder of the log.
    pub path: PathBuf,
    /// The candidates whose features are logged. Default [`Features::Page`].
    pub features: Features,
    /// The share of rankings that have the features of all candidates, in [0, 1]. Default 0.
    pub all_share: f64,
    /// Features that are not logged.
    pub left_out: BTreeSet<String>,
    /// How units are logged. Default: by keyed hash.
    pub unit: UnitRule,
    /// When a ranking is durable. Default: a second after its answer.
    pub durability: Durability,
    /// Bytes that may wait for the disk. Default 64 MiB.
    pub queue_bytes: usize,
    /// Bytes of the rankings of a part, before they are compressed. Default 64 MiB.
    pub part_bytes: u64,
    /// The age at which rankings become a part. Default 15 minutes.
    pub part_age: Duration,
    /// Which parts are kept. Default 90 days and 100 GiB.
    pub retention: Retention,
    /// Where parts are uploaded to. Default: nowhere.
    pub store: Option<PartStore>,
}

/// The candidates whose features are logged. Attributes of the request are always logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Features {
    /// None.
    None,
    /// Those that were returned.
    #[default]
    Page,
    /// All.
    All,
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
