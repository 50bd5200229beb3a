//! Labels the rows of an hour: one pass over its rankings.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use counterweight_impressions::columns;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn as _,
    NewChunkedArray as _, PolarsResult,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    counts::Counts,
    error::JoinError,
    events::{Events, Pass},
    forget::is_forgotten,
    frame::Cells,
    label::{EARLY_MS, Happened, Label, Row},
    posts::Posts,
    rules::{LabelRule, Rules, SEEN},
    units::{EVENTS, UnitEvents},
};

/// What labelling needs to know besides the rows.
pub(crate) struct Labelling<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) labels: &'a BTreeMap<String, LabelRule>,
    pub(crate) posts: &'a Posts,
    /// All events that happened until then have arrived.
    pub(crate) known_until_ms: i64,
    pub(crate) pass: Pass,
}

/// Labels rows, and counts.
pub(crate) struct Labeller<'a> {
    with: Labelling<'a>,
    events: Events,
    units: &'a mut UnitEvents,
    /// Rankings that were begun, and the number of their part.
    begun: HashMap<u128, usize>,
    part: usize,
    open: Option<Open>,
    counts: Counts,
}

/// The ranking whose rows come.
struct Open {
    ranking: String,
    unit: String,
    /// Whether its rows are written; an earlier part may have them.
    wanted: bool,
    events: HashMap<String, Vec<Happened>>,
}

/// The columns that are added, row by row.
#[derive(Default)]
pub(crate) struct Added {
    keep: Vec<bool>,
    position: Vec<Option<i32>>,
    events: Vec<Option<i32>>,
    labels: BTreeMap<String, Vec<Option<Label>>>,
}

impl<'a> Labeller<'a> {
    pub(crate) fn new(with: Labelling<'a>, events: Events, units: &'a mut UnitEvents) -> Self {
        Self {
            with,
            events,
            units,
            begun: HashMap::new(),
            part: 0,
            open: None,
            counts: Counts::default(),
        }
    }

    /// The added columns of some rows of a part.
    pub(crate) fn label(&mut self, frame: &DataFrame, part: &Path) -> Result<Added, JoinError> {
        let cells = Cells::new(frame, part);
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
        let mut added = Added::default();
        for name in self.with.labels.keys() {
            added
                .labels
                .insert(name.clone(), Vec::with_capacity(frame.height()));
        }
        for row in 0..frame.height() {
            let id = ranking.option(row).unwrap_or_else(|| request.get(row));
            if !self.with.pass.has(id) {
                added.keep.push(false);
                continue;
            }
            if self.open.as_ref().is_none_or(|open| open.ranking != id) {
                self.begin(id, unit.get(row), part)?;
            }
            let time_ms = time.as_ref().and_then(|time| time.get(row)).unwrap_or(0);
            let place = position.as_ref().and_then(|position| position.get(row));
            self.row(candidate.get(row), time_ms, place, &mut added);
        }
        Ok(added)
    }

    fn begin(&mut self, ranking: &str, unit: &str, part: &Path) -> Result<(), JoinError> {
        self.end();
        let earlier = self.begun.insert(xxh3_128(ranking.as_bytes()), self.part);
        if earlier == Some(self.part) {
            return Err(JoinError::Scattered {
                file: part.to_owned(),
                ranking: ranking.to_owned(),
            });
        }
        let wanted = earlier.is_none();
        let mut open = Open {
            ranking: ranking.to_owned(),
            unit: unit.to_owned(),
            wanted,
            events: HashMap::new(),
        };
        if !wanted {
            self.counts.repeated_rankings += 1;
            self.open = Some(open);
            return Ok(());
        }
        let mut events = self.events.take(ranking);
        self.counts.rankings += 1;
        self.counts.rankings_with_events += u64::from(!events.is_empty());
        let most = self.with.rules.unit_events_per_day;
        let left = usize::try_from(self.units.left(unit, most)).unwrap_or(usize::MAX);
        self.counts.events.cut += events.len().saturating_sub(left) as u64;
        events.truncate(left);
        for (candidate, event) in events {
            open.events.entry(candidate).or_default().push(event);
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends a part.
    pub(crate) fn end_part(&mut self) {
        self.end();
        self.part += 1;
    }

    /// Ends the open ranking. Events of candidates that it does not have are orphans.
    fn end(&mut self) {
        if let Some(open) = self.open.take() {
            let left: usize = open.events.values().map(Vec::len).sum();
            self.counts.events.orphans += left as u64;
        }
    }

    fn row(&mut self, candidate: &str, time_ms: i64, place: Option<i32>, added: &mut Added) {
        let Some(open) = self.open.as_mut().filter(|open| open.wanted) else {
            added.keep.push(false);
            return;
        };
        added.keep.push(true);
        let events = open.events.remove(candidate).unwrap_or_default();
        self.units.add(&open.unit, events.len() as u64);
        let row = Row {
            time_ms,
            events: &events,
        };
        let mut seen = events
            .iter()
            .filter(|event| event.event_type == SEEN)
            .peekable();
        let shown = place.is_some() || seen.peek().is_some();
        let position = seen.find_map(|seen| seen.position).or(place);
        added.position.push(position);
        added.events.push(i32::try_from(events.len()).ok());
        self.counts.rows += 1;
        self.counts.shown += u64::from(shown);
        self.count_fates(&row, shown);
        for (objective, rule) in self.with.labels {
            let label = match (shown, rule.period_ms) {
                (false, _) => None,
                _ if is_forgotten(candidate) => None,
                (true, Some(_)) => self.with.posts.label(objective, rule, candidate, time_ms),
                (true, None) => row.label(rule, self.with.known_until_ms),
            };
            if let Some(label) = label {
                let counts = self.counts.labels.entry(objective.clone()).or_default();
                counts.known += 1;
                counts.positives += u64::from(label.positive);
                if let Some(delay) = label.delay_ms {
                    counts.arrived(delay);
                }
            }
            if let Some(labels) = added.labels.get_mut(objective) {
                labels.push(label);
            }
        }
    }

    fn count_fates(&mut self, row: &Row<'_>, shown: bool) {
        for event in row.events {
            let counts = &mut self.counts.events;
            let fate = match shown {
                false => &mut counts.not_shown,
                true if event.time_ms < row.time_ms - EARLY_MS => &mut counts.before_request,
                true if in_window(row, event, &self.with) => &mut counts.joined,
                true => &mut counts.after_window,
            };
            *fate += 1;
        }
    }

    /// What was counted, once all rows have come.
    pub(crate) fn finish(mut self) -> Counts {
        self.end();
        self.counts.events.orphans += self.events.left();
        self.counts
    }
}

/// Whether an event is in the window of a rule that counts its type; if none does, in the longest one.
fn in_window(row: &Row<'_>, event: &Happened, with: &Labelling<'_>) -> bool {
    let counts = |rule: &&LabelRule| rule.events.contains(&event.event_type);
    let mut rules = with.labels.values().filter(counts).peekable();
    if rules.peek().is_none() {
        return event.time_ms <= row.time_ms + with.rules.longest_ms();
    }
    rules.any(|rule| {
        let start = row.start_ms(rule).unwrap_or(row.time_ms);
        event.time_ms <= start + rule.window_ms
    })
}

impl Added {
    /// The names of the columns that are added for objectives.
    pub(crate) fn names(labels: &BTreeMap<String, LabelRule>) -> Vec<String> {
        let mut names = vec![columns::SHOWN_POSITION.to_owned(), EVENTS.to_owned()];
        for (objective, rule) in labels {
            names.push(columns::label(objective));
            names.push(columns::label_time(objective));
            if rule.period_ms.is_some() {
                names.push(columns::label_weight(objective));
            }
        }
        names
    }

    /// Which rows are written.
    pub(crate) fn keep(&self) -> BooleanChunked {
        self.keep.iter().copied().collect()
    }

    /// The added columns of the rows that are written.
    pub(crate) fn frame(&self, rules: &BTreeMap<String, LabelRule>) -> PolarsResult<DataFrame> {
        let position = Int32Chunked::from_iter_options(
            columns::SHOWN_POSITION.into(),
            self.position.iter().copied(),
        );
        let events = Int32Chunked::from_iter_options(EVENTS.into(), self.events.iter().copied());
        let mut all: Vec<Column> = vec![position.into_column(), events.into_column()];
        let none = Vec::new();
        for (objective, rule) in rules {
            let labels = self.labels.get(objective).unwrap_or(&none);
            let each = || labels.iter();
            let positive = each().map(|label| label.map(|label| label.positive));
            let time = each().map(|label| label.map(|label| label.time_ms));
            let name = columns::label(objective).into();
            all.push(BooleanChunked::from_iter_options(name, positive).into_column());
            let name = columns::label_time(objective).into();
            all.push(Int64Chunked::from_iter_options(name, time).into_column());
            if rule.period_ms.is_some() {
                let weight =
                    each().map(|label| label.map(|label| 1.0 / label.sampling_probability));
                let name = columns::label_weight(objective).into();
                all.push(Float64Chunked::from_iter_options(name, weight).into_column());
            }
        }
        DataFrame::new(self.position.len(), all)
    }
}
