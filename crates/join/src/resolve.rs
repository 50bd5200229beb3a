//! Finds the rankings of events that do not name one that the combiner made: by another ranking id,
//! by request, or by unit and candidate.

use std::collections::HashMap;

use counterweight_impressions::columns;
use counterweight_journal::{Forgotten, HOUR_MS, PartFile};

use crate::{
    error::{JoinError, output},
    forget::in_rankings,
    frame::{Cells, open_columns},
    label::EARLY_MS,
    route::{Router, complete_ms},
    rules::Rules,
    spill::{Bucket, FoundBy, Spilled},
    united::REQUIRED,
};

/// How many events are looked up in one pass over the rankings.
const AT_ONCE: usize = 500_000;

/// Looks up the unresolved events of a spill, and sends them to the hours of their rankings.
pub(crate) fn resolve(parts: &[PartFile], router: &mut Router<'_>) -> Result<(), JoinError> {
    let mut unresolved = router.spill.read(Bucket::Unresolved)?.peekable();
    while unresolved.peek().is_some() {
        let some: Result<Vec<Spilled>, _> = unresolved.by_ref().take(AT_ONCE).collect();
        let mut lookup = Lookup::new(some?, router.rules);
        for part in parts {
            lookup.read(part, router.forgotten)?;
        }
        for (event, best) in lookup.events.into_iter().zip(lookup.best) {
            match best {
                None => router.add_orphan(event)?,
                Some(best) => {
                    let mut event = event;
                    event.event.ranking_id = best.ranking;
                    event.found_by = best.found_by.into();
                    router.add_to_hour(event, best.hour)?;
                }
            }
        }
    }
    Ok(())
}

/// The best ranking for an event so far.
struct Best {
    time_ms: i64,
    ranking: String,
    hour: i64,
    found_by: FoundBy,
}

struct Lookup<'a> {
    rules: &'a Rules,
    events: Vec<Spilled>,
    best: Vec<Option<Best>>,
    by_ranking: HashMap<String, Vec<usize>>,
    by_request: HashMap<String, Vec<usize>>,
    by_unit: HashMap<(String, String), Vec<usize>>,
}

/// One row of a part.
struct Shown<'a> {
    ranking: &'a str,
    time_ms: i64,
    hour: i64,
}

impl<'a> Lookup<'a> {
    fn new(events: Vec<Spilled>, rules: &'a Rules) -> Self {
        let mut lookup = Self {
            rules,
            best: events.iter().map(|_| None).collect(),
            by_ranking: HashMap::new(),
            by_request: HashMap::new(),
            by_unit: HashMap::new(),
            events: Vec::new(),
        };
        for (at, spilled) in events.iter().enumerate() {
            let event = &spilled.event;
            let places = if !event.ranking_id.is_empty() {
                lookup
                    .by_ranking
                    .entry(event.ranking_id.clone())
                    .or_default()
            } else if !event.request_id.is_empty() {
                lookup
                    .by_request
                    .entry(event.request_id.clone())
                    .or_default()
            } else {
                let key = (event.unit.clone(), event.candidate_id.clone());
                lookup.by_unit.entry(key).or_default()
            };
            places.push(at);
        }
        lookup.events = events;
        lookup
    }

    fn read(&mut self, part: &PartFile, forgotten: &Forgotten) -> Result<(), JoinError> {
        let wanted = [
            columns::RANKING,
            columns::REQUEST,
            columns::USER,
            columns::CANDIDATE,
            columns::TIME,
            columns::POSITION,
        ];
        for frame in open_columns(&part.path, &wanted, &REQUIRED)? {
            let (frame, _) = in_rankings(frame?, forgotten).map_err(output(&part.path))?;
            let cells = Cells::new(&frame, &part.path);
            let (ranking, request) = (
                cells.texts(columns::RANKING)?,
                cells.texts(columns::REQUEST)?,
            );
            let (unit, candidate) = (
                cells.texts(columns::USER)?,
                cells.texts(columns::CANDIDATE)?,
            );
            let (time, position) = (
                cells.times(columns::TIME)?,
                cells.integers(columns::POSITION)?,
            );
            let mut before = None;
            for row in 0..frame.height() {
                let id = ranking.option(row).unwrap_or_else(|| request.get(row));
                let time_ms = time.as_ref().and_then(|time| time.get(row));
                let shown = Shown {
                    ranking: id,
                    time_ms: time_ms.unwrap_or(0),
                    hour: part.hour,
                };
                // The rows of a ranking are adjacent: its ids are looked up once.
                if before.replace(id) != Some(id) {
                    self.offer_ids(&shown, request.get(row));
                }
                let on_page = position.as_ref().and_then(|position| position.get(row));
                if on_page.is_some() && !self.by_unit.is_empty() && !unit.get(row).is_empty() {
                    self.offer_unit(&shown, unit.get(row), candidate.get(row));
                }
            }
        }
        Ok(())
    }

    fn offer_ids(&mut self, shown: &Shown<'_>, request: &str) {
        if let Some(places) = self.by_ranking.get(shown.ranking) {
            for &at in places {
                improve(&mut self.best[at], shown, FoundBy::Ranking);
            }
        }
        if let Some(places) = self.by_request.get(request) {
            for &at in places {
                // An event belongs to what was ranked before it.
                let spilled = &self.events[at];
                let before = shown.time_ms <= spilled.event.time_ms + EARLY_MS;
                if before && spilled.received_ms <= complete_ms(shown.hour, self.rules) {
                    improve(&mut self.best[at], shown, FoundBy::Request);
                }
            }
        }
    }

    fn offer_unit(&mut self, shown: &Shown<'_>, unit: &str, candidate: &str) {
        let key = (unit.to_owned(), candidate.to_owned());
        for &at in self.by_unit.get(&key).into_iter().flatten() {
            let spilled = &self.events[at];
            let since = spilled.event.time_ms - shown.time_ms;
            let in_window = (-EARLY_MS..=self.rules.longest_ms()).contains(&since);
            if in_window && spilled.received_ms <= complete_ms(shown.hour, self.rules) {
                improve(&mut self.best[at], shown, FoundBy::Unit);
            }
        }
    }
}

/// The latest ranking is the best one.
fn improve(best: &mut Option<Best>, shown: &Shown<'_>, found_by: FoundBy) {
    let later = best
        .as_ref()
        .is_none_or(|best| (best.time_ms, best.ranking.as_str()) < (shown.time_ms, shown.ranking));
    if later {
        *best = Some(Best {
            time_ms: shown.time_ms,
            ranking: shown.ranking.to_owned(),
            hour: shown.hour,
            found_by,
        });
    }
}

/// The hours of requests in which the rankings of events can be that arrived in these hours.
pub(crate) fn hours_to_search(
    first: i64,
    last: i64,
    rules: &Rules,
) -> std::ops::RangeInclusive<i64> {
    let open_hours = rules.open_ms().div_euclid(HOUR_MS) + 2;
    first - open_hours..=last + open_hours
}
