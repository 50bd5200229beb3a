//! The events of an hour in memory, by ranking.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    counts::Counts,
    error::JoinError,
    label::Happened,
    spill::{Bucket, Fate, FoundBy, Spill, Spilled},
};

/// How much of an hour's events is in memory at once, as they are spilled.
const PASS_BYTES: u64 = 128 << 20;

/// A share of the rankings: those whose id hashes to this place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) at: u64,
    pub(crate) of: u64,
}

impl Pass {
    /// As few passes as memory allows.
    pub(crate) fn all(spilled_bytes: u64) -> impl Iterator<Item = Self> {
        let of = spilled_bytes.div_ceil(PASS_BYTES).max(1);
        (0..of).map(move |at| Self { at, of })
    }

    pub(crate) fn has(&self, ranking: &str) -> bool {
        self.of == 1 || xxh3_64(ranking.as_bytes()) % self.of == self.at
    }
}

/// The events of a pass, by ranking.
pub(crate) struct Events(HashMap<String, Vec<(String, Happened)>>);

impl Events {
    /// Reads the events of an hour. Repetitions are left out: the first to arrive counts.
    pub(crate) fn read(
        spill: &mut Spill,
        hour: i64,
        pass: Pass,
        counts: &mut Counts,
    ) -> Result<Self, JoinError> {
        let mut all: Vec<Spilled> = Vec::new();
        for spilled in spill.read(Bucket::Hour(hour))? {
            let spilled = spilled?;
            if pass.has(&spilled.event.ranking_id) {
                all.push(spilled);
            }
        }
        all.sort_by(|a, b| order(a).cmp(&order(b)));
        let before = all.len();
        // An event without an id cannot be recognised again.
        all.dedup_by(|later, first| {
            let id = &later.event.event_id;
            !id.is_empty() && *id == first.event.event_id
        });
        counts.events.duplicates += (before - all.len()) as u64;
        let mut by_ranking: HashMap<String, Vec<(String, Happened)>> = HashMap::new();
        for spilled in all {
            match spilled.fate() {
                Fate::ArrivedLate => counts.events.arrived_late += 1,
                Fate::Orphan => counts.events.orphans += 1,
                Fate::Open => {
                    match spilled.found_by() {
                        FoundBy::Ranking => {}
                        FoundBy::Request => counts.found_by_request += 1,
                        FoundBy::Unit => counts.found_by_unit += 1,
                    }
                    let event = spilled.event;
                    let happened = Happened {
                        id: event.event_id,
                        event_type: event.event_type,
                        value: event.value,
                        time_ms: event.time_ms,
                        received_ms: spilled.received_ms,
                        position: event.position,
                    };
                    let of_ranking = by_ranking.entry(event.ranking_id).or_default();
                    of_ranking.push((event.candidate_id, happened));
                }
            }
        }
        Ok(Self(by_ranking))
    }

    /// The events of a ranking with their candidates, by time and then by id.
    pub(crate) fn take(&mut self, ranking: &str) -> Vec<(String, Happened)> {
        let mut events = self.0.remove(ranking).unwrap_or_default();
        events.sort_by(|(_, a), (_, b)| (a.time_ms, &a.id).cmp(&(b.time_ms, &b.id)));
        events
    }

    /// Events of rankings that were not taken.
    pub(crate) fn left(&self) -> u64 {
        self.0.values().map(|events| events.len() as u64).sum()
    }
}

/// Repetitions stand together, the first to arrive in front; a late one never before one in time.
fn order(spilled: &Spilled) -> (&str, i64, i32) {
    (&spilled.event.event_id, spilled.received_ms, spilled.fate)
}
