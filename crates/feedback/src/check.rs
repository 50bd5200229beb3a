//! Checks one event, and turns it into what the log keeps.

use std::{collections::BTreeSet, time::Duration};

use counterweight_config::did_you_mean;
use counterweight_journal::{LoggedEvent, Units};
use counterweight_proto::counterweight::v1::{Event, EventStatus};
use counterweight_serving::clip;

/// The longest id of an event, and the longest other id, in bytes.
const EVENT_ID: usize = 256;
const ID: usize = 1024;
/// The longest type, in bytes.
const TYPE: usize = 64;
/// The largest value that is repeated in a message, in bytes.
const SHOWN: usize = 64;
/// Clocks of callers may be ahead by so much.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Why an event is not kept.
pub(crate) type Problem = EventStatus;

/// Checks an event that arrived at `now_ms`. `types` are the known ones; empty allows all.
pub(crate) fn check(
    event: Event,
    types: &BTreeSet<String>,
    units: &Units,
    now_ms: i64,
) -> Result<LoggedEvent, Problem> {
    id("event_id", &event.event_id, EVENT_ID)?;
    if event.event_id.is_empty() {
        return problem(
            "event_id",
            "is empty; name the event, so that repetitions are recognised",
        );
    }
    id("ranking_id", &event.ranking_id, ID)?;
    id("request_id", &event.request_id, ID)?;
    id("unit_id", &event.unit_id, ID)?;
    id("candidate_id", &event.candidate_id, ID)?;
    if event.candidate_id.is_empty() {
        return problem("candidate_id", "is empty; name the candidate");
    }
    if [&event.ranking_id, &event.request_id, &event.unit_id]
        .iter()
        .all(|id| id.is_empty())
    {
        return problem(
            "ranking_id",
            "is empty, and so are request_id and unit_id; send the ranking_id that Rank returned",
        );
    }
    event_type(&event.r#type, types)?;
    if event.value.is_some_and(|value| !value.is_finite()) {
        return problem("value", "is not finite; send a finite number, or none");
    }
    let time_ms = time_ms(&event, now_ms)?;
    let position = match event.position.map(i32::try_from) {
        None => None,
        Some(Ok(position)) if position > 0 => Some(position),
        Some(_) => return problem("position", "is not from 1 to 2147483647"),
    };
    let Some(unit) = units.logged(&event.unit_id) else {
        return problem(
            "unit_id",
            "cannot be kept, since the key of the units cannot be read; send the event again later, or without it",
        );
    };
    Ok(LoggedEvent {
        event_id: event.event_id,
        ranking_id: event.ranking_id,
        request_id: event.request_id,
        unit,
        candidate_id: event.candidate_id,
        event_type: event.r#type,
        value: event.value,
        time_ms,
        position,
        objective: String::new(),
        sampling_probability: None,
    })
}

fn problem<T>(field: &'static str, problem: impl Into<String>) -> Result<T, Problem> {
    Err(EventStatus {
        field: field.to_owned(),
        problem: problem.into(),
    })
}

fn id(field: &'static str, id: &str, most: usize) -> Result<(), Problem> {
    match id.len() <= most {
        true => Ok(()),
        false => problem(
            field,
            format!("has {} bytes; send at most {most}", id.len()),
        ),
    }
}

fn event_type(event_type: &str, types: &BTreeSet<String>) -> Result<(), Problem> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if event_type.is_empty() || event_type.len() > TYPE || !event_type.bytes().all(allowed) {
        let shown = clip(event_type, SHOWN);
        return problem(
            "type",
            format!("{shown:?} is not a type; send 1 to {TYPE} lower-case letters, digits and `_`"),
        );
    }
    if types.is_empty() || types.contains(event_type) {
        return Ok(());
    }
    let meant = did_you_mean(event_type, types.iter().map(String::as_str));
    let known: Vec<&str> = types.iter().map(String::as_str).collect();
    problem(
        "type",
        format!(
            "{event_type:?} is not known{meant}; send one of {}",
            known.join(", ")
        ),
    )
}

fn time_ms(event: &Event, now_ms: i64) -> Result<i64, Problem> {
    let Some(time) = &event.time else {
        return problem("time", "is missing; send when it happened");
    };
    let millis = i64::from(time.nanos).div_euclid(1_000_000);
    let time_ms = time
        .seconds
        .checked_mul(1000)
        .and_then(|seconds| seconds.checked_add(millis));
    let ahead = i64::try_from(AHEAD.as_millis()).unwrap_or(i64::MAX);
    match time_ms {
        Some(time_ms) if time_ms <= 0 => problem("time", "is not after 1970-01-01"),
        Some(time_ms) if time_ms <= now_ms.saturating_add(ahead) => Ok(time_ms),
        _ => problem(
            "time",
            "is more than five minutes in the future; send when it happened, and check the clock",
        ),
    }
}
