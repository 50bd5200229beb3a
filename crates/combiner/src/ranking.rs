//! A ranking task and its result: the types that Rank, previews and the log share.

use bytes::Bytes;
use counterweight_journal::LoggedFeature;
use counterweight_model_client::Failure;
use counterweight_proto::inference::model_infer_request::InferInputTensor;

use crate::{
    objective::Answer,
    weights::{Attribute, Chosen, ModelBinding, ModelIdentity},
};

/// What to rank, and for which profile.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) ranking_id: String,
    pub(crate) request_id: String,
    /// The profile's position in the configuration.
    pub(crate) profile: usize,
    pub(crate) ids: Vec<String>,
    pub(crate) inputs: Vec<InferInputTensor>,
    pub(crate) raw: Vec<Bytes>,
    /// k; 0 asks for the profile's own limit.
    pub(crate) limit: usize,
    /// The unit of experiments; empty when the caller sent none.
    pub(crate) unit_id: String,
    /// Compute how far each weight may move.
    pub(crate) stability: bool,
    /// Read the attributes even when no segment asks for one.
    pub(crate) all_attributes: bool,
}

/// All candidates with everything that explains their order.
#[derive(Debug)]
pub(crate) struct Ranking {
    /// The id that this server made.
    pub(crate) ranking_id: String,
    pub(crate) request_id: String,
    /// Milliseconds since 1970.
    pub(crate) time_ms: i64,
    pub(crate) profile: usize,
    /// The revision that set the weights.
    pub(crate) revision: u64,
    /// The unit of experiments; empty when the caller sent none.
    pub(crate) unit_id: String,
    /// The attributes of the request; empty when nothing uses them.
    pub(crate) attributes: Vec<Attribute>,
    /// The weights that applied.
    pub(crate) chosen: Chosen,
    /// Whether the weights store is out of reach.
    pub(crate) weights_stale: bool,
    /// Whether a local kill put the safe weights in force.
    pub(crate) local_kill: bool,
    /// What was combined, in objective order.
    pub(crate) objectives: Vec<Combined>,
    /// The objectives that were left out.
    pub(crate) degraded: Vec<Degraded>,
    /// Objectives that were answered by another model or calibrator than their weights were tuned
    /// for.
    pub(crate) unconfirmed: Vec<Unconfirmed>,
    /// Every candidate of the request, in its order.
    pub(crate) ids: Vec<String>,
    /// One per candidate.
    pub(crate) scores: Vec<f64>,
    /// k; 0 is all.
    pub(crate) limit: usize,
    /// Positions of the best candidates, best first.
    pub(crate) order: Vec<usize>,
    /// The features that the request log has.
    pub(crate) logged_features: Vec<LoggedFeature>,
}

/// One objective as it entered the scores.
#[derive(Debug)]
pub(crate) struct Combined {
    /// Position in the configuration.
    pub(crate) objective: usize,
    pub(crate) weight: f64,
    pub(crate) answer: Answer,
}

impl AsRef<[f64]> for Combined {
    fn as_ref(&self) -> &[f64] {
        &self.answer.probabilities
    }
}

/// One objective that the ranking left out.
#[derive(Debug)]
pub(crate) struct Degraded {
    /// Position in the configuration.
    pub(crate) objective: usize,
    pub(crate) failure: Failure,
}

/// An objective whose model or calibrator is not the one that its weight was tuned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unconfirmed {
    pub(crate) bound: ModelBinding,
    pub(crate) served: ModelIdentity,
}
