//! How profiles and entries of the log are shown: to people with symbols and names, to programs as JSON.

use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, ProfileWeights, Ramp, Unconfirmed, WeightsAction, WeightsEntry,
};
use counterweight_ranking::symbol;
use serde_json::{Map, Value, json};

use super::audience;
use crate::output::table;

pub(super) fn profiles_table(profiles: &[ProfileWeights]) -> String {
    let rows = profiles.iter().flat_map(|profile| {
        let weights = profile.weights.iter().enumerate();
        weights.map(|(position, weight)| {
            let bound = profile
                .binding
                .iter()
                .find(|bound| bound.objective == weight.objective);
            vec![
                profile.profile.clone(),
                symbol(position),
                weight.objective.clone(),
                bound
                    .map(|bound| bound.model_version.clone())
                    .unwrap_or_default(),
                weight.weight.to_string(),
                profile.revision.to_string(),
            ]
        })
    });
    table(
        &[
            "profile",
            "",
            "objective",
            "tuned for",
            "weight",
            "revision",
        ],
        4,
        rows,
    )
}

pub(super) fn changes(before: &[ObjectiveWeight], after: &[ObjectiveWeight]) -> String {
    after
        .iter()
        .enumerate()
        .map(|(position, new)| {
            let old = before.iter().find(|old| old.objective == new.objective);
            let label = format!("{} {}", symbol(position), new.objective);
            match old {
                Some(old) if old.weight != new.weight => {
                    format!("{label} {} → {}", old.weight, new.weight)
                }
                _ => format!("{label} {}", new.weight),
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn weights_line(weights: &[ObjectiveWeight]) -> String {
    weights
        .iter()
        .enumerate()
        .map(|(position, weight)| {
            format!(
                "{} {} {}",
                symbol(position),
                weight.objective,
                weight.weight
            )
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn ramp_line(ramp: &Ramp) -> String {
    let duration = ramp.duration.unwrap_or_default();
    let start = ramp
        .start
        .map_or_else(String::new, |start| start.to_string());
    format!(
        "ramp to {}: step {} of {}, over {duration} from {start}",
        weights_line(&ramp.to),
        ramp.step,
        ramp.steps
    )
}

fn unconfirmed_line(unconfirmed: &Unconfirmed) -> String {
    let bound = unconfirmed.bound.clone().unwrap_or_default();
    format!(
        "the weight of {} was tuned for version {:?}{}, and {:?}{} is served; confirm it with `weights set --confirm-models`",
        bound.objective,
        bound.model_version,
        with_calibrator(&bound.calibrator),
        unconfirmed.served_model_version,
        with_calibrator(&unconfirmed.served_calibrator),
    )
}

fn with_calibrator(calibrator: &str) -> String {
    match calibrator {
        "" => String::new(),
        calibrator => format!(" with {calibrator}"),
    }
}

/// What an entry did, in a few words.
pub(super) fn action_text(entry: &WeightsEntry) -> String {
    let text = match entry.action() {
        WeightsAction::Unspecified => "?".to_owned(),
        WeightsAction::Set => "set".to_owned(),
        WeightsAction::Rollback => format!("rollback to {}", entry.restored_revision),
        WeightsAction::RampStarted => "ramp started".to_owned(),
        WeightsAction::RampStep => format!("ramp {}/{}", entry.ramp_step, entry.ramp_steps),
        WeightsAction::RampStopped => "ramp stopped".to_owned(),
        WeightsAction::Kill => "kill".to_owned(),
    };
    if entry.forced {
        format!("{text}, forced")
    } else {
        text
    }
}

/// What an entry says of each profile.
pub(super) fn profiles_line(entry: &WeightsEntry) -> String {
    let profiles = entry.profiles.iter();
    profiles
        .map(|profile| {
            format!(
                "{}: {}{}",
                profile.profile,
                weights_line(&profile.weights),
                audience::summary(profile)
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
}

pub(super) fn time(entry: &WeightsEntry) -> String {
    entry
        .time
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

pub(super) fn entry_line(entry: &WeightsEntry) -> String {
    format!(
        "{}  revision {}  {}  {}  by {}: {}",
        time(entry),
        entry.revision,
        action_text(entry),
        profiles_line(entry),
        entry.author,
        entry.reason
    )
}

/// A written entry for the person who wrote it.
pub(super) fn written(entry: &WeightsEntry) -> String {
    let mut text = format!(
        "revision {} is applied: {}, {}",
        entry.revision,
        action_text(entry),
        profiles_line(entry)
    );
    for ramp in entry
        .profiles
        .iter()
        .filter_map(|profile| profile.ramp.as_ref())
    {
        text.push_str(&format!("\n{}", ramp_line(ramp)));
    }
    text.push_str(&format!("\nhash {}", entry.hash));
    text
}

pub(super) fn profile_json(profile: &ProfileWeights) -> Value {
    let binding: Vec<Value> = profile
        .binding
        .iter()
        .map(|bound| {
            json!({
                "objective": bound.objective,
                "model_version": bound.model_version,
                "calibrator": bound.calibrator,
            })
        })
        .collect();
    let unconfirmed: Vec<Value> = profile.unconfirmed.iter().map(unconfirmed_json).collect();
    json!({
        "profile": profile.profile,
        "revision": profile.revision,
        "weights": weights_json(&profile.weights),
        "binding": binding,
        "ramp": profile.ramp.as_ref().map(ramp_json),
        "unconfirmed": unconfirmed,
        "segments": profile.segments.iter().map(audience::segment_json).collect::<Vec<_>>(),
        "experiments": profile.experiments.iter().map(audience::experiment_json).collect::<Vec<_>>(),
        "exploration": profile.exploration.as_ref().map(audience::exploration_json),
    })
}

/// What a person should know of a profile beside its weights, a line each.
pub(super) fn notes(profile: &ProfileWeights) -> Vec<String> {
    let unconfirmed = profile.unconfirmed.iter().map(unconfirmed_line);
    let ramp = profile.ramp.as_ref().map(ramp_line);
    let notes = unconfirmed.chain(ramp).chain(audience::lines(profile));
    notes
        .map(|note| format!("{}: {note}", profile.profile))
        .collect()
}

fn unconfirmed_json(unconfirmed: &Unconfirmed) -> Value {
    let bound = unconfirmed.bound.clone().unwrap_or_default();
    json!({
        "objective": bound.objective,
        "model_version": bound.model_version,
        "calibrator": bound.calibrator,
        "served_model_version": unconfirmed.served_model_version,
        "served_calibrator": unconfirmed.served_calibrator,
    })
}

pub(super) fn weights_json(weights: &[ObjectiveWeight]) -> Map<String, Value> {
    weights
        .iter()
        .map(|weight| (weight.objective.clone(), json!(weight.weight)))
        .collect()
}

fn ramp_json(ramp: &Ramp) -> Value {
    let duration = ramp.duration.unwrap_or_default();
    json!({
        "from": weights_json(&ramp.from),
        "to": weights_json(&ramp.to),
        "step": ramp.step,
        "steps": ramp.steps,
        "start": ramp.start.as_ref().map(ToString::to_string),
        "duration_seconds": duration.seconds as f64 + f64::from(duration.nanos) / 1e9,
    })
}

pub(super) fn entry_json(entry: &WeightsEntry) -> Value {
    let action = match entry.action() {
        WeightsAction::Unspecified => "unspecified",
        WeightsAction::Set => "set",
        WeightsAction::Rollback => "rollback",
        WeightsAction::RampStarted => "ramp_started",
        WeightsAction::RampStep => "ramp_step",
        WeightsAction::RampStopped => "ramp_stopped",
        WeightsAction::Kill => "kill",
    };
    let mut value = json!({
        "revision": entry.revision,
        "time": entry.time.as_ref().map(ToString::to_string),
        "action": action,
        "forced": entry.forced,
        "author": entry.author,
        "reason": entry.reason,
        "idempotency_key": entry.idempotency_key,
        "hash": entry.hash,
        "previous_hash": entry.previous_hash,
        "profiles": entry.profiles.iter().map(profile_json).collect::<Vec<_>>(),
    });
    match entry.action() {
        WeightsAction::Rollback => value["restored_revision"] = json!(entry.restored_revision),
        WeightsAction::RampStep => {
            value["ramp_step"] = json!(entry.ramp_step);
            value["ramp_steps"] = json!(entry.ramp_steps);
        }
        _ => {}
    }
    value
}
