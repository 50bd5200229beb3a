//! Events in a file: one per row, by the names of the columns.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow, bail};
use counterweight_dataset::{DatasetBuilder, DatasetError, Rows, whole_number};
use counterweight_model::{Column, DEFAULT_MAX_TEXT_BYTES, Feature, Input, Kind, Schema, Side};
use counterweight_proto::counterweight::v1::Event;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use sha2::{Digest as _, Sha256};

/// The columns that are read, as texts; an empty one is missing.
const COLUMNS: [&str; 11] = [
    "event_id",
    "ranking_id",
    "request_id",
    "user_id",
    "candidate_id",
    "type",
    "value",
    "time",
    "position",
    "objective",
    "sampling_probability",
];

/// The rows of a file, piece by piece. `needed` are columns that it must have.
pub(super) fn read(
    file: &Path,
    needed: &[&str],
) -> anyhow::Result<impl Iterator<Item = Result<Rows, DatasetError>>> {
    let path = file
        .canonicalize()
        .with_context(|| format!("cannot read {}", file.display()))?;
    let dataset = DatasetBuilder::of_file("events", &path)
        .ok_or_else(|| anyhow!("the path {} is not UTF-8; rename it", path.display()))?
        .build()?;
    let columns = dataset.columns()?;
    // A row of NDJSON may have keys that the first one lacks: the server says what is missing.
    let tabular = path.extension().is_some_and(|ending| {
        ending.eq_ignore_ascii_case("csv") || ending.eq_ignore_ascii_case("parquet")
    });
    let missing = |needed: &&&str| columns.iter().all(|column| column != **needed);
    if let Some(needed) = needed.iter().find(missing).filter(|_| tabular) {
        bail!(
            "{} has no column {needed}; its columns are {}",
            file.display(),
            columns.join(", ")
        );
    }
    let input = |name: &str| Input {
        name: name.to_owned(),
        kind: Kind::Text,
        side: Side::Candidate,
        optional: true,
        served: None,
    };
    let inputs = COLUMNS.iter().map(|name| input(name)).collect();
    let features = COLUMNS
        .iter()
        .map(|name| Feature::of_input(*name))
        .collect();
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES)?;
    Ok(dataset.inputs(&schema)?)
}

/// The events of some rows. `event_type` is the type of rows that have none.
pub(super) fn events(rows: &Rows, event_type: Option<&str>) -> anyhow::Result<Vec<Event>> {
    (0..rows.len())
        .map(|row| event(rows, row, event_type))
        .collect()
}

fn event(rows: &Rows, row: usize, event_type: Option<&str>) -> anyhow::Result<Event> {
    let text = |name: &str| {
        let at = COLUMNS.iter().position(|own| *own == name)?;
        match rows.columns[at].as_ref()? {
            Column::Text(texts) => {
                Some(texts[row].clone().into_owned()).filter(|text| !text.is_empty())
            }
            _ => None,
        }
    };
    let wrong = |name: &str, text: &str, expected: &str| {
        anyhow!(
            "row {}: {name}: {text:?} is not {expected}",
            rows.numbers[row] + 1
        )
    };
    let number = |name: &str| match text(name) {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| wrong(name, &text, "a number")),
    };
    let time = text("time").unwrap_or_default();
    let position = match text("position") {
        None => None,
        Some(text) => Some(
            whole_number(&text)
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| wrong("position", &text, "a whole number from 1"))?,
        ),
    };
    let mut event = Event {
        event_id: text("event_id").unwrap_or_default(),
        ranking_id: text("ranking_id").unwrap_or_default(),
        request_id: text("request_id").unwrap_or_default(),
        unit_id: text("user_id").unwrap_or_default(),
        candidate_id: text("candidate_id").unwrap_or_default(),
        r#type: text("type")
            .or(event_type.map(str::to_owned))
            .unwrap_or_default(),
        value: number("value")?,
        time: time_of(&time)
            .with_context(|| format!("row {}: time: {time:?}", rows.numbers[row] + 1))?
            .map(Into::into),
        position,
        objective: text("objective").unwrap_or_default(),
        sampling_probability: number("sampling_probability")?,
    };
    if event.event_id.is_empty() {
        event.event_id = content_id(&event);
    }
    Ok(event)
}

/// Milliseconds since 1970, or ISO 8601, which is UTC without an offset. None for a missing time.
fn time_of(text: &str) -> anyhow::Result<Option<SystemTime>> {
    if text.is_empty() {
        return Ok(None);
    }
    let millis = match (whole_number(text), text.parse::<Timestamp>()) {
        (Some(millis), _) => millis,
        (None, Ok(time)) => time.as_millisecond(),
        (None, Err(_)) => {
            let time: DateTime = text.parse().map_err(|_| {
                anyhow!(
                    "this is neither milliseconds since 1970 nor a time such as 2026-01-02T03:04:05Z"
                )
            })?;
            TimeZone::UTC.to_timestamp(time)?.as_millisecond()
        }
    };
    let since = u64::try_from(millis).map_err(|_| anyhow!("this is before 1970"))?;
    Ok(Some(UNIX_EPOCH + Duration::from_millis(since)))
}

/// An id that the same content always has: the start of its SHA-256.
fn content_id(event: &Event) -> String {
    let mut hash = Sha256::new();
    let value = event.value.map(f64::to_bits).unwrap_or_default();
    let time = event.time.unwrap_or_default();
    let mut numbers = format!(
        "{value} {} {} {:?}",
        time.seconds, time.nanos, event.position
    );
    if !event.objective.is_empty() {
        numbers.push_str(&format!(
            " {} {:?}",
            event.objective, event.sampling_probability
        ));
    }
    for field in [
        &event.ranking_id,
        &event.request_id,
        &event.unit_id,
        &event.candidate_id,
        &event.r#type,
        &numbers,
    ] {
        // The length keeps the end of one field apart from the start of the next.
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_or_iso_8601() {
        let millis = |text| {
            let time = time_of(text).unwrap()?;
            Some(time.duration_since(UNIX_EPOCH).unwrap().as_millis())
        };
        assert_eq!(millis("1767323045678"), Some(1_767_323_045_678));
        assert_eq!(millis("2026-01-02T03:04:05.678Z"), Some(1_767_323_045_678));
        assert_eq!(
            millis("2026-01-02T04:04:05.678+01:00"),
            Some(1_767_323_045_678)
        );
        assert_eq!(millis("2026-01-02 03:04:05.678"), Some(1_767_323_045_678));
        assert_eq!(millis(""), None);
        assert!(time_of("yesterday").is_err() && time_of("-1").is_err());
    }

    #[test]
    fn the_same_content_has_the_same_id_and_other_content_another() {
        let event = Event {
            request_id: "ab".to_owned(),
            candidate_id: "c".to_owned(),
            ..Event::default()
        };
        let other = Event {
            request_id: "a".to_owned(),
            unit_id: "b".to_owned(),
            ..event.clone()
        };
        assert_eq!(content_id(&event), content_id(&event.clone()));
        assert_ne!(content_id(&event), content_id(&other));
        assert_eq!(content_id(&event).len(), 32);
    }
}
