//! Encodes the answers of WeightsService.

use counterweight_proto::counterweight::v1 as pb;

use super::audience;
use crate::{
    config::Config,
    engine::Engine,
    error::RequestError,
    served,
    weights::{Action, Entry, Page, ProfileState, Ramp, Replica, Verified},
    wire::common::{binding, encode_weights, unconfirmed},
};

/// The weights of one profile, or of all for an empty name.
pub(super) async fn weights(
    engine: &Engine,
    name: &str,
) -> Result<pb::GetWeightsResponse, RequestError> {
    let only = match name {
        "" => None,
        name => Some(engine.config.profile(name)?),
    };
    let served = served::served(&engine.objectives).await;
    let (applied_revision, in_force) = engine.weights.all();
    let profiles = in_force
        .iter()
        .enumerate()
        .filter(|(at, _)| only.is_none_or(|only| only == *at))
        .map(|(at, in_force)| {
            let configured = &engine.config.profiles[at];
            let differing = served::unconfirmed(configured, in_force, &served).into_iter();
            pb::ProfileWeights {
                unconfirmed: differing.map(unconfirmed).collect(),
                ..profile(&in_force.state(), in_force.revision)
            }
        })
        .collect();
    let lost_since = engine.weights.lost_since();
    Ok(pb::GetWeightsResponse {
        profiles,
        applied_revision,
        replica: engine.config.replica.clone(),
        stale: lost_since.is_some(),
        stale_since: lost_since.map(Into::into),
        replicas: engine
            .weights
            .replicas()
            .await?
            .into_iter()
            .map(replica)
            .collect(),
    })
}

fn replica(replica: Replica) -> pb::Replica {
    pb::Replica {
        name: replica.name,
        applied_revision: replica.applied,
        applied_hash: replica.hash,
        reported_ago: replica.reported_ago.try_into().ok(),
        revisions_behind: replica.revisions_behind,
        problem: replica.problem,
    }
}

pub(super) fn entry(entry: &Entry) -> pb::WeightsEntry {
    let action = entry.change.action;
    let (ramp_step, ramp_steps) = match action {
        Action::RampStep { step, steps } => (step, steps),
        _ => (0, 0),
    };
    pb::WeightsEntry {
        revision: entry.revision,
        profiles: entry
            .change
            .profiles
            .iter()
            .map(|set| profile(set, entry.revision))
            .collect(),
        author: entry.cause.author.clone(),
        reason: entry.cause.reason.clone(),
        time: Some(entry.time),
        hash: entry.hash.clone(),
        previous_hash: entry.previous.clone(),
        idempotency_key: entry.cause.idempotency_key.clone(),
        action: self::action(action).into(),
        restored_revision: match action {
            Action::Rollback { of } => of,
            _ => 0,
        },
        ramp_step,
        ramp_steps,
        forced: entry.change.forced,
    }
}

/// An entry, with its profiles as they were before it.
pub(super) fn revision(entry: &Entry, before: &[(u64, ProfileState)]) -> pb::GetRevisionResponse {
    let before = before.iter();
    pb::GetRevisionResponse {
        entry: Some(self::entry(entry)),
        before: before
            .map(|(revision, state)| profile(state, *revision))
            .collect(),
    }
}

fn action(action: Action) -> pb::WeightsAction {
    match action {
        Action::Set => pb::WeightsAction::Set,
        Action::Rollback { .. } => pb::WeightsAction::Rollback,
        Action::RampStarted => pb::WeightsAction::RampStarted,
        Action::RampStep { .. } => pb::WeightsAction::RampStep,
        Action::RampStopped => pb::WeightsAction::RampStopped,
        Action::Kill => pb::WeightsAction::Kill,
    }
}

pub(super) fn page(page: &Page) -> pb::ListRevisionsResponse {
    pb::ListRevisionsResponse {
        entries: page.entries.iter().map(entry).collect(),
        next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
    }
}

pub(super) fn verified(verified: Verified, expected_hash: &str) -> pb::VerifyWeightsResponse {
    let problem = verified.problem(expected_hash).unwrap_or_default();
    pb::VerifyWeightsResponse {
        entries: verified.entries,
        last_hash: verified.last_hash,
        broken_revision: verified.broken.map_or(0, |(revision, _)| revision),
        problem,
        expected_hash_revision: verified.found.unwrap_or(0),
    }
}

/// The profiles that declare no safe set.
pub(super) fn without_safe_set(config: &Config) -> Vec<String> {
    let without = config
        .profiles
        .iter()
        .filter(|profile| profile.safe.is_none());
    without.map(|profile| profile.name.clone()).collect()
}

fn profile(set: &ProfileState, revision: u64) -> pb::ProfileWeights {
    pb::ProfileWeights {
        profile: set.profile.clone(),
        weights: encode_weights(&set.weights),
        revision,
        bindings: set.bindings.iter().map(binding).collect(),
        ramp: set.ramp.as_ref().map(ramp),
        unconfirmed: Vec::new(),
        segments: set.segments.iter().map(audience::segment).collect(),
        experiments: set.experiments.iter().map(audience::experiment).collect(),
        exploration: set.exploration.as_ref().map(audience::exploration),
    }
}

fn ramp(ramp: &Ramp) -> pb::Ramp {
    let duration = std::time::Duration::from_millis(ramp.duration_ms);
    let start = std::time::Duration::from_millis(ramp.started_ms);
    pb::Ramp {
        from: encode_weights(&ramp.from),
        to: encode_weights(&ramp.to),
        step: ramp.step,
        steps: ramp.steps,
        start: Some((std::time::UNIX_EPOCH + start).into()),
        duration: duration.try_into().ok(),
    }
}
