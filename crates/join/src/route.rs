//! Sends every event to the hour of requests that counts it. Which hour that is follows from the
//! event and the rules alone, so each event is counted once, whichever hours a run joins.

use std::{collections::BTreeSet, ops::RangeInclusive, path::Path};

use counterweight_journal::{Forgotten, HOUR_MS, LoggedEvent};
use uuid::Uuid;

use crate::{
    error::{JoinError, output},
    forget::in_events,
    frame::{Cells, open_columns},
    label::EARLY_MS,
    rules::Rules,
    spill::{Bucket, Fate, FoundBy, Spill, Spilled},
};

/// The columns of an event log, as `data/SCHEMA.md` has them.
const COLUMNS: [&str; 12] = [
    "event_id",
    "ranking_id",
    "request_id",
    "user_id",
    "candidate_id",
    "type",
    "value",
    "time",
    "position",
    "received",
    "objective",
    "sampling_probability",
];

/// The columns that every part of an event log has.
const REQUIRED: [&[&str]; 4] = [&["event_id"], &["candidate_id"], &["type"], &["time"]];

/// Sorts events by the hour that counts them.
pub(crate) struct Router<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) forgotten: &'a Forgotten,
    /// The hours that have parts of either log.
    pub(crate) hours: &'a BTreeSet<i64>,
    /// The hours of arrival that matter.
    pub(crate) arrival: RangeInclusive<i64>,
    /// The hours that are joined now; other runs count the events of the others.
    pub(crate) batch: &'a [i64],
    pub(crate) spill: Spill,
}

impl Router<'_> {
    /// Reads a part of the event log.
    pub(crate) fn route_part(&mut self, part: &Path) -> Result<(), JoinError> {
        for frame in open_columns(part, &COLUMNS, &REQUIRED)? {
            let (frame, _) = in_events(frame?, self.forgotten).map_err(output(part))?;
            let cells = Cells::new(&frame, part);
            let texts = |name| cells.texts(name);
            let (id, ranking, request) = (
                texts("event_id")?,
                texts("ranking_id")?,
                texts("request_id")?,
            );
            let (unit, candidate, kind) =
                (texts("user_id")?, texts("candidate_id")?, texts("type")?);
            let (value, time) = (cells.doubles("value")?, cells.times("time")?);
            let (position, received) = (cells.integers("position")?, cells.times("received")?);
            let objective = texts("objective")?;
            let sampling = cells.doubles("sampling_probability")?;
            for row in 0..frame.height() {
                let time_ms = time.as_ref().and_then(|time| time.get(row)).unwrap_or(0);
                let received_ms = received.as_ref().and_then(|received| received.get(row));
                // A log that says nothing about arrival arrived when its events happened.
                let arrived_ms = match received_ms {
                    Some(received_ms) if !self.rules.backfill => received_ms,
                    _ => time_ms,
                };
                // In a backfill a part may have events of any hour.
                if self.rules.backfill && !self.arrival.contains(&arrived_ms.div_euclid(HOUR_MS)) {
                    continue;
                }
                let spilled = Spilled {
                    event: LoggedEvent {
                        event_id: id.get(row).to_owned(),
                        ranking_id: ranking.get(row).to_owned(),
                        request_id: request.get(row).to_owned(),
                        unit: unit.get(row).to_owned(),
                        candidate_id: candidate.get(row).to_owned(),
                        event_type: kind.get(row).to_owned(),
                        value: value.as_ref().and_then(|value| value.get(row)),
                        time_ms,
                        position: position.as_ref().and_then(|position| position.get(row)),
                        objective: objective.get(row).to_owned(),
                        sampling_probability: sampling.as_ref().and_then(|share| share.get(row)),
                    },
                    received_ms: arrived_ms,
                    ..Spilled::default()
                };
                self.route(spilled)?;
            }
        }
        Ok(())
    }

    fn route(&mut self, spilled: Spilled) -> Result<(), JoinError> {
        if !spilled.event.objective.is_empty() {
            return self.spill.add(Bucket::Posts, &spilled);
        }
        match ranking_hour(&spilled.event.ranking_id) {
            Some(hour) => self.add_to_hour(spilled, hour),
            None => self.spill.add(Bucket::Unresolved, &spilled),
        }
    }

    /// Counts the event at the hour of its ranking, or at the hour of its arrival if the ranking's was
    /// complete by then, or had not begun.
    pub(crate) fn add_to_hour(&mut self, mut spilled: Spilled, hour: i64) -> Result<(), JoinError> {
        let received = spilled.received_ms;
        let future = received + EARLY_MS < hour.saturating_mul(HOUR_MS);
        if future || !self.hours.contains(&hour) {
            return self.add_orphan(spilled);
        }
        if received > complete_ms(hour, self.rules) {
            spilled.fate = Fate::ArrivedLate.into();
            return self.count_at(received.div_euclid(HOUR_MS), &spilled);
        }
        self.count_at(hour, &spilled)
    }

    /// Counts an event without a ranking at the hour of its arrival.
    pub(crate) fn add_orphan(&mut self, mut spilled: Spilled) -> Result<(), JoinError> {
        spilled.fate = Fate::Orphan.into();
        spilled.found_by = FoundBy::Ranking.into();
        self.count_at(spilled.received_ms.div_euclid(HOUR_MS), &spilled)
    }

    fn count_at(&mut self, hour: i64, spilled: &Spilled) -> Result<(), JoinError> {
        match self.batch.contains(&hour) {
            true => self.spill.add(Bucket::Hour(hour), spilled),
            false => Ok(()),
        }
    }
}

/// When the last event of an hour's rankings has arrived.
pub(crate) fn complete_ms(hour: i64, rules: &Rules) -> i64 {
    (hour + 1)
        .saturating_mul(HOUR_MS)
        .saturating_add(rules.open_ms())
}

/// The hour in a ranking id that the combiner made: a UUID of version 7 begins with its time.
fn ranking_hour(ranking_id: &str) -> Option<i64> {
    let id = Uuid::parse_str(ranking_id).ok()?;
    let (seconds, _) = id
        .get_timestamp()
        .filter(|_| id.get_version_num() == 7)?
        .to_unix();
    i64::try_from(seconds / 3600).ok()
}

/// The hours in which the events of a part happened.
pub(crate) fn hours_of(part: &Path) -> Result<BTreeSet<i64>, JoinError> {
    let mut hours = BTreeSet::new();
    for frame in open_columns(part, &["time"], &REQUIRED[3..])? {
        let frame = frame?;
        let times = Cells::new(&frame, part).times("time")?;
        let times = times.iter().flat_map(|times| times.iter());
        hours.extend(times.map(|time| time.unwrap_or(0).div_euclid(HOUR_MS)));
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_of_a_ranking_is_in_its_id() {
        // 2026-01-02T03:04:05Z.
        let time = uuid::Timestamp::from_unix(uuid::NoContext, 1_767_323_045, 0);
        let id = Uuid::new_v7(time).to_string();
        assert_eq!(ranking_hour(&id), Some(1_767_323_045 / 3600));
        for other in ["", "r1", "8a6e0804-2bd0-4672-b79d-d97027f9071a"] {
            assert_eq!(ranking_hour(other), None, "{other}");
        }
    }
}
