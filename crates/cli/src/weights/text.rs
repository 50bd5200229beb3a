//! Formats profiles and entries of the weights log for people, with symbols and names.

use counterweight_proto::counterweight::v1::{
    LocalKill, ObjectiveWeight, ProfileWeights, Ramp, UnconfirmedObjective, WeightsAction,
    WeightsEntry,
};
use counterweight_ranking::{number_text, symbol};

use super::audience_text::{audience_lines, audience_summary};
use crate::{
    clock::{local_time, local_time_or_empty},
    output::{escape, table},
};

/// A table of the weights of profiles, one row per objective.
pub(super) fn profiles_table(profiles: &[ProfileWeights]) -> String {
    let rows = profiles.iter().flat_map(|profile| {
        let weights = profile.weights.iter().enumerate();
        weights.map(|(position, weight)| {
            let mut bindings = profile.bindings.iter();
            let binding = bindings.find(|own| own.objective == weight.objective);
            vec![
                profile.profile.clone(),
                symbol(position),
                weight.objective.clone(),
                binding
                    .map(|binding| binding.model_version.clone())
                    .unwrap_or_default(),
                number_text(weight.weight),
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

/// Each weight with its objective; a changed weight also with its old value.
pub(super) fn weight_changes(before: &[ObjectiveWeight], after: &[ObjectiveWeight]) -> String {
    let changes: Vec<String> = after
        .iter()
        .enumerate()
        .map(|(position, new)| {
            let old = before.iter().find(|old| old.objective == new.objective);
            let label = format!("{} {}", symbol(position), new.objective);
            match old {
                Some(old) if old.weight != new.weight => {
                    format!(
                        "{label} {} → {}",
                        number_text(old.weight),
                        number_text(new.weight)
                    )
                }
                _ => format!("{label} {}", number_text(new.weight)),
            }
        })
        .collect();
    escape(&changes.join(", ")).into_owned()
}

/// Weights with symbols and names, on one line.
pub(super) fn weights_line(weights: &[ObjectiveWeight]) -> String {
    let weights: Vec<String> = weights
        .iter()
        .enumerate()
        .map(|(position, weight)| {
            format!(
                "{} {} {}",
                symbol(position),
                weight.objective,
                number_text(weight.weight)
            )
        })
        .collect();
    escape(&weights.join(", ")).into_owned()
}

fn ramp_line(ramp: &Ramp) -> String {
    let duration = ramp.duration.unwrap_or_default();
    let start = local_time_or_empty(ramp.start.as_ref());
    format!(
        "ramp to {}: step {} of {}, over {duration} from {start}",
        weights_line(&ramp.to),
        ramp.step,
        ramp.steps
    )
}

fn unconfirmed_line(unconfirmed: &UnconfirmedObjective) -> String {
    let tuned_for = unconfirmed.tuned_for.clone().unwrap_or_default();
    format!(
        "the weight of {} was tuned for version {:?}{}, but {:?}{} is served; confirm it with `weights set --confirm-models`",
        tuned_for.objective,
        tuned_for.model_version,
        with_calibrator(&tuned_for.calibrator),
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

/// The action of an entry, in a few words.
pub(super) fn action_text(entry: &WeightsEntry) -> String {
    let text = match entry.action() {
        WeightsAction::Unspecified => "?".to_owned(),
        WeightsAction::Set => "set".to_owned(),
        WeightsAction::Rollback => format!("rollback to {}", entry.restored_revision),
        WeightsAction::RampStarted => "ramp started".to_owned(),
        WeightsAction::RampStep => format!("ramp {}/{}", entry.ramp_step, entry.ramp_steps),
        WeightsAction::RampStopped => "ramp stopped".to_owned(),
        WeightsAction::Kill => "kill".to_owned(),
        WeightsAction::Skip => skip_text(entry),
        WeightsAction::Unreadable => "cannot be read".to_owned(),
    };
    if entry.forced {
        format!("{text}, forced")
    } else {
        text
    }
}

fn skip_text(entry: &WeightsEntry) -> String {
    let skipped = entry.skipped.iter();
    let revisions: Vec<String> = skipped.map(|one| one.revision.to_string()).collect();
    format!("skipped {}", revisions.join(", "))
}

/// A local kill, in force or ended.
pub(super) fn local_kill_text(kill: &LocalKill) -> String {
    let (profiles, author) = (kill.profiles.join(", "), escape(&kill.author));
    let (start, reason) = (
        local_time_or_empty(kill.start.as_ref()),
        escape(&kill.reason),
    );
    let mut text = format!("a local kill of {profiles} by {author} at {start} ({reason})");
    match &kill.end {
        Some(end) => text.push_str(&format!(
            " ended at {}, when the weights store was reached again; the weights of the log are in force",
            local_time(end)
        )),
        None => text.push_str(
            " keeps the safe weights in force on this combiner alone, until it reaches the weights store again",
        ),
    }
    if !kill.not_kept.is_empty() {
        let why = escape(&kill.not_kept);
        text.push_str(&format!("; a restart would forget it: {why}"));
    }
    text
}

/// The weights of each profile after an entry.
pub(super) fn profiles_line(entry: &WeightsEntry) -> String {
    let profiles = entry.profiles.iter();
    let profiles: Vec<String> = profiles
        .map(|profile| {
            format!(
                "{}: {}{}",
                profile.profile,
                weights_line(&profile.weights),
                audience_summary(profile)
            )
        })
        .collect();
    escape(&profiles.join("; ")).into_owned()
}

pub(super) fn entry_time(entry: &WeightsEntry) -> String {
    local_time_or_empty(entry.time.as_ref())
}

/// An entry on one line, as `weights watch` prints it.
pub(super) fn entry_line(entry: &WeightsEntry) -> String {
    format!(
        "{}  revision {}  {}  {}  by {}: {}",
        entry_time(entry),
        entry.revision,
        action_text(entry),
        profiles_line(entry),
        escape(&entry.author),
        escape(&entry.reason)
    )
}

/// A new entry, for the person who wrote it.
pub(super) fn written_entry(entry: &WeightsEntry) -> String {
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
    text.push_str(&format!("\nhash {}", escape(&entry.hash)));
    text
}

/// Notes on a profile, one line each: unconfirmed models, ramp, segments, experiments, exploration.
pub(super) fn profile_notes(profile: &ProfileWeights) -> Vec<String> {
    let unconfirmed = profile.unconfirmed.iter().map(unconfirmed_line);
    let ramp = profile.ramp.as_ref().map(ramp_line);
    let notes = unconfirmed.chain(ramp).chain(audience_lines(profile));
    notes
        .map(|note| escape(&format!("{}: {note}", profile.profile)).into_owned())
        .collect()
}
