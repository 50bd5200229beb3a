//! Selects the recent requests to replay: those that all objectives ranked, by the same models and
//! calibrators as the newest request.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;

use crate::{
    config::Config,
    error::RequestError,
    recent_requests::{Recent, Record},
};

/// The requests that were replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Replayed {
    /// When the oldest and the newest were ranked, in milliseconds since 1970.
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    /// The share of the profile's requests that are kept, each with the same chance.
    pub(crate) share: f64,
    /// Requests left out because they were ranked by other models than the newest.
    pub(crate) other_models: usize,
    /// Requests left out because they were ranked without an objective.
    pub(crate) incomplete: usize,
}

/// The requests of one profile that can be replayed.
#[derive(Debug)]
pub(super) struct Replayable {
    /// Oldest first; at least one.
    pub(super) records: Vec<Arc<Record>>,
    share: f64,
    other_models: usize,
    incomplete: usize,
}

impl Replayable {
    /// The requests of the profile at that position that can be replayed.
    ///
    /// # Errors
    /// [`RequestError::NoRecentRequests`].
    pub(super) fn new(
        config: &Config,
        profile: usize,
        recent: &[Recent],
    ) -> Result<Self, RequestError> {
        let configured = &config.profiles[profile];
        let (share, kept) = recent[profile].read();
        let mut records: Vec<Arc<Record>> = kept.cloned().collect();
        let all = records.len();
        records.retain(|record| record.objectives.len() == configured.objectives.len());
        let incomplete = all - records.len();
        let Some(newest) = records.last().cloned() else {
            return Err(RequestError::NoRecentRequests {
                profile: configured.name.clone(),
                left_out: match incomplete {
                    0 => String::new(),
                    some => format!(" that all objectives ranked ({some} were ranked without one)"),
                },
            });
        };
        records.retain(|record| same_models(record, &newest));
        Ok(Self {
            share,
            other_models: all - incomplete - records.len(),
            incomplete,
            records,
        })
    }

    /// Size of the page: the requested one, or for 0 the k of most requests, the largest of equals.
    pub(super) fn places(&self, asked: usize) -> usize {
        if asked > 0 {
            return asked;
        }
        let mut counts = BTreeMap::new();
        for record in &self.records {
            *counts.entry(record.k).or_insert(0_usize) += 1;
        }
        let most = counts.into_iter().max_by_key(|&(k, count)| (count, k));
        most.map_or(1, |(k, _)| k)
    }

    /// One number per request: equal for requests of one unit, unique for a request without a unit.
    pub(super) fn units(&self) -> impl Iterator<Item = u64> {
        let mut known: HashMap<&str, u64, RandomState> = HashMap::default();
        let mut next = 0;
        self.records.iter().map(move |record| {
            let unit = match &*record.unit_id {
                "" => next,
                unit => *known.entry(unit).or_insert(next),
            };
            next += u64::from(unit == next);
            unit
        })
    }

    pub(super) fn replayed(&self) -> Replayed {
        let times = || self.records.iter().map(|record| record.time_ms);
        Replayed {
            from_ms: times().min().unwrap_or(0),
            to_ms: times().max().unwrap_or(0),
            share: self.share,
            other_models: self.other_models,
            incomplete: self.incomplete,
        }
    }
}

/// Per objective, the probabilities of all candidates.
pub(super) fn columns(record: &Record) -> Vec<&[f64]> {
    let columns = record.objectives.iter();
    columns.map(|column| &*column.probabilities).collect()
}

fn same_models(one: &Record, other: &Record) -> bool {
    let mut pairs = one.objectives.iter().zip(&other.objectives);
    pairs.all(|(one, other)| {
        one.model_version == other.model_version && one.calibrator == other.calibrator
    })
}
