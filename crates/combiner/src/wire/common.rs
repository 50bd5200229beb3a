//! Encodes the messages that both services use.

use counterweight_proto::counterweight::v1 as pb;
use counterweight_ranking as ranking;

use crate::{
    ranking::Unconfirmed,
    weights::{Draw, ModelBinding, ObjectiveWeight},
};

/// Encodes a draw.
pub(super) fn draw(draw: Draw) -> pb::Draw {
    let (low, high) = draw.density.range();
    pb::Draw {
        lambda: draw.lambda,
        low,
        high,
        density: density(draw.density).into(),
        seed: draw.seed,
    }
}

/// The kind of a density.
pub(super) fn density(density: ranking::Density) -> pb::Density {
    match density {
        ranking::Density::Uniform { .. } => pb::Density::Uniform,
        ranking::Density::LogUniform { .. } => pb::Density::LogUniform,
    }
}

/// Encodes an objective that is answered by another model than its weight was tuned for.
pub(super) fn unconfirmed(unconfirmed: Unconfirmed) -> pb::UnconfirmedObjective {
    pb::UnconfirmedObjective {
        tuned_for: Some(binding(&unconfirmed.bound)),
        served_model_version: unconfirmed.served.model_version,
        served_calibrator: unconfirmed.served.calibrator,
    }
}

/// Encodes the model that an objective's weight was tuned for.
pub(super) fn binding(bound: &ModelBinding) -> pb::ModelBinding {
    pb::ModelBinding {
        objective: bound.objective.clone(),
        model_version: bound.model_version.clone(),
        calibrator: bound.calibrator.clone(),
    }
}

/// Encodes weights by the names of their objectives.
pub(super) fn encode_weights(weights: &[ObjectiveWeight]) -> Vec<pb::ObjectiveWeight> {
    weights
        .iter()
        .map(|set| pb::ObjectiveWeight {
            objective: set.objective.clone(),
            weight: set.weight,
        })
        .collect()
}

/// Encodes weights that are in the order of these names.
pub(super) fn named_weights<'a>(
    objectives: impl Iterator<Item = &'a str>,
    weights: &[f64],
) -> Vec<pb::ObjectiveWeight> {
    objectives
        .zip(weights)
        .map(|(objective, &weight)| pb::ObjectiveWeight {
            objective: objective.to_owned(),
            weight,
        })
        .collect()
}

/// Decodes weights by the names of their objectives.
pub(super) fn decode_weights(weights: Vec<pb::ObjectiveWeight>) -> Vec<ObjectiveWeight> {
    weights
        .into_iter()
        .map(|wanted| ObjectiveWeight {
            objective: wanted.objective,
            // −0 becomes 0, so that equal weights have equal bytes.
            weight: wanted.weight + 0.0,
        })
        .collect()
}
