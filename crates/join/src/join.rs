//! The run: which hours are joined, in which order, and what stays of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    ops::Range,
    path::PathBuf,
};

use counterweight_journal::{
    Forgotten, HOUR_MS, Kind, PartFile, hour_folder, oldest_unconverted_hour, parts_of,
};

use crate::{
    counts::Counts,
    error::{JoinError, output},
    hour::HourJoin,
    lock::lock,
    manifest::Manifest,
    posts::Posts,
    resolve::{hours_to_search, resolve},
    route::{Router, complete_ms, hours_of},
    rules::Rules,
    spill::{Bucket, Spill},
    units::UnitEvents,
};

/// Hours whose events are sorted together: each event is read about twice with a window of a day.
const BATCH_HOURS: usize = 24;

/// What to join.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the request log.
    pub requests: PathBuf,
    /// The folders of event logs.
    pub events: Vec<PathBuf>,
    /// The folder of the labelled log.
    pub out: PathBuf,
    /// How events become labels.
    pub rules: Rules,
    /// Hours, counted from 1970 UTC, that are joined again although they are complete; `None` joins
    /// what is not complete, and in a backfill all of them.
    pub rebuild: Option<Range<i64>>,
    /// Now, in milliseconds since 1970 UTC.
    pub now_ms: i64,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Joined {
    /// The hours that were joined, by the name of their folder, and whether they are complete.
    pub hours: BTreeMap<String, bool>,
    /// What was counted in them.
    pub counts: Counts,
    /// The oldest hour with rankings that are in no part yet.
    pub unconverted_requests: Option<String>,
    /// The oldest hour with events that are in no part yet.
    pub unconverted_events: Option<String>,
    /// When the oldest hour that is not complete can be: milliseconds since 1970 UTC.
    pub next_complete_ms: Option<i64>,
    /// Hours that could not be joined, and why. They stay as they were.
    pub failed: BTreeMap<String, String>,
}

/// Joins a request log with events. Each hour of requests appears with one swap of the manifest, so a
/// run that is stopped can be started again. An hour that is not complete is joined as a whole by
/// each run.
///
/// # Errors
/// See [`JoinError`]. The hours that were joined before the error stay.
pub fn join(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Joined, JoinError> {
    fs::create_dir_all(&options.out).map_err(output(&options.out))?;
    let _lock = lock(&options.out)?;
    let mut manifest = open(options)?;
    manifest.remove_others(&options.out)?;
    let inputs = Inputs::list(options)?;
    let hours = inputs.hours(options, &manifest);
    let mut joined = Joined {
        hours: BTreeMap::new(),
        counts: Counts::default(),
        unconverted_requests: inputs.unconverted_requests.map(hour_folder),
        unconverted_events: inputs.unconverted_events.map(hour_folder),
        next_complete_ms: None,
        failed: BTreeMap::new(),
    };
    // A log without hours is a log, too.
    manifest.write(&options.out)?;
    let mut units = UnitEvents::default();
    for batch in hours.chunks(BATCH_HOURS) {
        let mut spill = inputs.sort_events(batch, options)?;
        let posts = Posts::read(&mut spill)?;
        for &hour in batch {
            progress(&hour_folder(hour));
            units.begin_hour(hour, &manifest, &options.out)?;
            let parts = inputs.requests.get(&hour).map_or(&[][..], Vec::as_slice);
            let task = HourJoin {
                out: &options.out,
                rules: &options.rules,
                posts: &posts,
                forgotten: &inputs.forgotten,
                known_until_ms: inputs.known_until_ms(options),
                hour,
                parts,
            };
            let (mut found, features) = match task.run(&mut spill, &mut units) {
                Ok(found) => found,
                // A part that cannot be read does not hold up the other hours.
                Err(
                    error @ (JoinError::Part(_)
                    | JoinError::Type { .. }
                    | JoinError::Missing { .. }
                    | JoinError::Scattered { .. }),
                ) => {
                    joined.failed.insert(hour_folder(hour), error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            found.complete = inputs.is_complete(hour, options);
            if !found.complete && joined.next_complete_ms.is_none() {
                let complete = complete_ms(hour, &options.rules);
                joined.next_complete_ms = Some(complete).filter(|&at| at > options.now_ms);
            }
            joined.counts.add(&found.counts);
            joined.hours.insert(hour_folder(hour), found.complete);
            manifest.features.extend(features);
            manifest.hours.insert(hour_folder(hour), found);
            manifest.write(&options.out)?;
        }
    }
    Ok(joined)
}

/// The manifest of the output, which must have been made by the same rules.
fn open(options: &Options) -> Result<Manifest, JoinError> {
    let Some(manifest) = Manifest::read(&options.out)? else {
        return Ok(Manifest::new(options.rules.clone()));
    };
    if manifest.rules == options.rules {
        return Ok(manifest);
    }
    let text = |rules: &Rules| serde_json::to_string(rules).unwrap_or_default();
    Err(JoinError::OtherRules {
        out: options.out.clone(),
        difference: format!(
            "it has {}, and this run {}",
            text(&manifest.rules),
            text(&options.rules)
        ),
    })
}

/// The parts of the logs, by hour.
struct Inputs {
    requests: BTreeMap<i64, Vec<PartFile>>,
    /// By the hour of arrival; a part is at each hour that it has.
    events: BTreeMap<i64, Vec<PartFile>>,
    unconverted_requests: Option<i64>,
    unconverted_events: Option<i64>,
    forgotten: Forgotten,
}

impl Inputs {
    fn list(options: &Options) -> Result<Self, JoinError> {
        // Before the parts are listed: what becomes a part meanwhile is among them then.
        let unconverted_requests = oldest_unconverted_hour(&options.requests, Kind::Requests)?;
        let mut unconverted_events = None;
        for folder in &options.events {
            let oldest = oldest_unconverted_hour(folder, Kind::Events)?;
            unconverted_events = unconverted_events.into_iter().chain(oldest).min();
        }
        let mut forgotten = Forgotten::read(&options.requests)?;
        let mut events = Vec::new();
        for folder in &options.events {
            forgotten.extend(&Forgotten::read(folder)?);
            events.extend(parts_of(folder, Kind::Events)?);
        }
        Ok(Self {
            requests: by_hour(parts_of(&options.requests, Kind::Requests)?),
            events: match options.rules.backfill {
                true => by_hours_of_events(&events)?,
                false => by_hour(events),
            },
            unconverted_requests,
            unconverted_events,
            forgotten,
        })
    }

    /// The hours to join, oldest first.
    fn hours(&self, options: &Options, manifest: &Manifest) -> Vec<i64> {
        let wanted = |hour: &i64| match &options.rebuild {
            Some(range) => range.contains(hour),
            // More events of any hour may have been sent since the last run.
            None => options.rules.backfill || !manifest.is_complete(*hour),
        };
        self.all_hours().into_iter().filter(wanted).collect()
    }

    /// The hours that have parts of either log.
    fn all_hours(&self) -> BTreeSet<i64> {
        let hours = self.requests.keys().chain(self.events.keys());
        hours.copied().collect()
    }

    /// Reads the events that can belong to some hours, sorted by the hour that counts them.
    fn sort_events(&self, hours: &[i64], options: &Options) -> Result<Spill, JoinError> {
        let rules = &options.rules;
        let all = self.all_hours();
        let spill = Spill::new(&options.out)?;
        let (Some(&first), Some(&last)) = (hours.first(), hours.last()) else {
            return Ok(spill);
        };
        // Labels of posts may be older than the rankings of their post.
        let before = rules
            .post_period_ms()
            .map_or(1, |period| period / HOUR_MS + 2);
        let arrival = first - before..=complete_ms(last, rules).div_euclid(HOUR_MS);
        let mut router = Router {
            rules,
            forgotten: &self.forgotten,
            hours: &all,
            batch: hours,
            arrival: arrival.clone(),
            spill,
        };
        let mut read = HashSet::new();
        for part in self.events.range(arrival).flat_map(|(_, parts)| parts) {
            if read.insert(&part.path) {
                router.route_part(&part.path)?;
            }
        }
        if router.spill.bytes(Bucket::Unresolved)? > 0 {
            let search = self.requests.range(hours_to_search(first, last, rules));
            let parts: Vec<PartFile> = search.flat_map(|(_, parts)| parts).cloned().collect();
            resolve(&parts, &mut router)?;
        }
        Ok(router.spill)
    }

    /// The time up to which all events that happened have arrived in parts.
    fn known_until_ms(&self, options: &Options) -> i64 {
        // In a backfill, an event that is in no part yet may have happened at any time.
        let arrived = self
            .unconverted_events
            .map(|hour| match options.rules.backfill {
                true => 0,
                false => hour * HOUR_MS,
            });
        let arrived = arrived.map_or(options.now_ms, |arrived| arrived.min(options.now_ms));
        arrived - options.rules.grace_ms
    }

    /// Whether nothing can change the hour any more.
    fn is_complete(&self, hour: i64, options: &Options) -> bool {
        let unconverted = self
            .unconverted_requests
            .is_some_and(|oldest| oldest <= hour);
        let end = complete_ms(hour, &options.rules) - options.rules.grace_ms;
        !unconverted && end <= self.known_until_ms(options)
    }
}

fn by_hour(parts: Vec<PartFile>) -> BTreeMap<i64, Vec<PartFile>> {
    let mut hours: BTreeMap<i64, Vec<PartFile>> = BTreeMap::new();
    for part in parts {
        hours.entry(part.hour).or_default().push(part);
    }
    hours
}

/// Parts of events, at each hour in which one of their events happened.
fn by_hours_of_events(parts: &[PartFile]) -> Result<BTreeMap<i64, Vec<PartFile>>, JoinError> {
    let mut hours: BTreeMap<i64, Vec<PartFile>> = BTreeMap::new();
    for part in parts {
        for hour in hours_of(&part.path)? {
            hours.entry(hour).or_default().push(part.clone());
        }
    }
    Ok(hours)
}
