//! Decodes and encodes previews and solutions.

use std::time::{Duration, UNIX_EPOCH};

use counterweight_proto::counterweight::v1::{self as pb, solve_weights_request};
use counterweight_ranking::{
    preview::{Estimate, Exposure, Summary},
    solve::Goal,
};
use prost_types::Timestamp;

use super::decode;
use crate::{
    config::Config,
    error::RequestError,
    preview::{Answered, Asked, Moved, Previewed},
    weights::ProfileChange,
    wire::common::named_weights,
};

/// Decodes the change to preview, and the places of the page.
pub(super) fn decode_preview(
    request: pb::PreviewWeightsRequest,
) -> Result<(ProfileChange, usize), RequestError> {
    let change = request.change.ok_or_else(|| RequestError::Field {
        field: "change",
        problem: "is empty; send the change to preview".to_owned(),
    })?;
    Ok((decode::change(change)?, places(request.k)))
}

/// Decodes the goal.
pub(super) fn decode_solve(
    config: &Config,
    request: pb::SolveWeightsRequest,
) -> Result<Asked, RequestError> {
    use solve_weights_request::Goal as Asking;
    let refused = |field, value: f64, range: &str| RequestError::Field {
        field,
        problem: format!("is {value}; send a number {range}"),
    };
    let share = |field, value: f64| match (0.0..=1.0).contains(&value) {
        true => Ok(value),
        false => Err(refused(field, value, "from 0 to 1")),
    };
    let goal = match request.goal {
        None => {
            return Err(RequestError::Field {
                field: "goal",
                problem: "is empty; send one of bait_budget, min_engagement and exchange_rate"
                    .to_owned(),
            });
        }
        Some(Asking::BaitBudget(budget)) => Goal::Budget(share("bait_budget", budget)?),
        Some(Asking::MinEngagement(least)) => Goal::AtLeast(share("min_engagement", least)?),
        Some(Asking::ExchangeRate(rate)) if rate.is_finite() && rate >= 0.0 => Goal::Rate(rate),
        Some(Asking::ExchangeRate(rate)) => {
            return Err(refused("exchange_rate", rate, "of at least 0"));
        }
    };
    Ok(Asked {
        profile: config.profile(&request.profile)?,
        goal,
        objective: request.objective,
        k: places(request.k),
    })
}

fn places(k: u32) -> usize {
    usize::try_from(k).unwrap_or(usize::MAX)
}

/// Encodes the effect of a change.
pub(super) fn encode_preview(config: &Config, previewed: Previewed) -> pb::Preview {
    let Previewed {
        what_if,
        k,
        replayed,
        summary,
        moves,
    } = previewed;
    let names: Vec<&str> = config.objective_names(what_if.profile).collect();
    let named = |weights: &[f64]| named_weights(names.iter().copied(), weights);
    let exposures = names.iter().zip(&summary.exposures);
    pb::Preview {
        profile: config.profiles[what_if.profile].name.clone(),
        revision: what_if.before.revision,
        before: named(what_if.before.weights.as_slice()),
        after: named(what_if.after.weights.as_slice()),
        k: u32::try_from(k).unwrap_or(u32::MAX),
        exposures: exposures.map(|(name, one)| exposure(name, one)).collect(),
        changed_set: summary.changed_set,
        changed_order: summary.changed_order,
        sensitivities: sensitivities(&names, &summary),
        rank_correlation: summary.rank_correlation,
        moves: moves.into_iter().map(moved).collect(),
        refusal: what_if
            .refusal
            .map(|refusal| refusal.to_string())
            .unwrap_or_default(),
        replayed: Some(pb::Replayed {
            requests: count(summary.requests),
            candidates: count(summary.candidates),
            units: count(summary.units),
            from: Some(time(replayed.from_ms)),
            to: Some(time(replayed.to_ms)),
            share: replayed.share,
            left_out_other_models: count(replayed.other_models),
            left_out_incomplete: count(replayed.incomplete),
        }),
    }
}

/// Encodes the weight that was found, and its preview.
pub(super) fn encode_solved(config: &Config, answered: Answered) -> pb::SolveWeightsResponse {
    let solved = answered.solved;
    pb::SolveWeightsResponse {
        solved: Some(pb::ObjectiveWeight {
            objective: answered.objective,
            weight: solved.weight,
        }),
        range: Some(pb::WeightRange {
            low: solved.range.0,
            high: solved.range.1,
        }),
        engagement: solved.gain,
        bait: solved.cost,
        preview: Some(encode_preview(config, answered.previewed)),
    }
}

fn exposure(objective: &str, exposure: &Exposure) -> pb::ExposureChange {
    let estimate = |estimate: Estimate| {
        Some(pb::Estimate {
            value: estimate.value,
            low: estimate.low,
            high: estimate.high,
        })
    };
    pb::ExposureChange {
        objective: objective.to_owned(),
        before: estimate(exposure.before),
        after: estimate(exposure.after),
        change: estimate(exposure.change),
    }
}

fn sensitivities(names: &[&str], summary: &Summary) -> Vec<pb::Sensitivity> {
    let shares = summary
        .within_1_percent
        .iter()
        .zip(&summary.within_10_percent);
    let each = names.iter().zip(shares);
    each.map(|(&objective, (&one, &ten))| pb::Sensitivity {
        objective: objective.to_owned(),
        within_1_percent: one,
        within_10_percent: ten,
    })
    .collect()
}

fn moved(moved: Moved) -> pb::CandidateMove {
    pb::CandidateMove {
        request_id: moved.request_id,
        candidate_id: moved.candidate_id,
        from_place: moved.from,
        to_place: moved.to,
        probabilities: moved.probabilities,
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn time(ms: u64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_millis(ms)).into()
}
