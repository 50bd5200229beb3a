//! The events that wait to be sent: the feed's backend collects them for a few minutes, and sends
//! them in batches whose order is not theirs.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use counterweight_proto::counterweight::v1::{
    Event, EventStatus, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
};
use counterweight_simulator::{Happening, Population};
use tokio::time::sleep;
use tonic::{Code, Status, transport::Channel};

use crate::{
    counts::Counts,
    pace::Running,
    played::{EVENT_TYPES, Played},
};

/// How long events are collected, in simulated milliseconds.
const COLLECT_MS: i64 = 5 * 60_000;
/// The most events of a batch.
const BATCH: usize = 1_000;
/// How often a batch is sent before the players give it up, and the first pause between.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// One copy of an event: the visit, the place on the page from 0, and the type.
#[derive(Clone, Copy)]
struct Copied {
    visit: u64,
    place: usize,
    event_type: usize,
}

/// A visit whose events are not all sent.
struct Open {
    played: Played,
    /// Copies that wait.
    waiting: usize,
}

/// The events that wait to be sent.
pub(crate) struct Outbox {
    client: FeedbackServiceClient<Channel>,
    /// By the time at which they are sent.
    due: BTreeMap<i64, Vec<Copied>>,
    open: HashMap<u64, Open>,
    batches: u64,
}

impl Outbox {
    pub(crate) fn new(client: FeedbackServiceClient<Channel>) -> Self {
        Self {
            client,
            due: BTreeMap::new(),
            open: HashMap::new(),
            batches: 0,
        }
    }

    /// When the next events are sent.
    pub(crate) fn next_ms(&self) -> Option<i64> {
        self.due.keys().next().copied()
    }

    /// Takes the events of a visit that was ranked at a simulated time. A page without candidates
    /// has none, and its visit is over.
    pub(crate) fn put(
        &mut self,
        visit: u64,
        played: Played,
        ranked_ms: i64,
        counts: &mut Counts,
    ) -> Option<Played> {
        let mut waiting = 0;
        for (place, shown) in played.shown.iter().enumerate() {
            let [first, second] = shown.reaction.reacted;
            counts.shown += 1;
            for (objective, label) in shown.reaction.labels.into_iter().enumerate() {
                counts.positive[objective] += u64::from(label);
            }
            let happenings = [Some(shown.reaction.seen), first, second];
            for (event_type, happening) in happenings.into_iter().enumerate() {
                let Some(happening) = happening else { continue };
                counts.add(happening);
                let copies = [Some(happening.sent_ms), happening.sent_again_ms];
                for sent_ms in copies.into_iter().flatten() {
                    let collected = (ranked_ms + sent_ms).div_euclid(COLLECT_MS) + 1;
                    let copies = self.due.entry(collected * COLLECT_MS).or_default();
                    copies.push(Copied {
                        visit,
                        place,
                        event_type,
                    });
                    waiting += 1;
                }
            }
        }
        if waiting == 0 {
            return Some(played);
        }
        self.open.insert(visit, Open { played, waiting });
        None
    }

    /// Sends the events that are due next, and returns the visits that are over.
    pub(crate) async fn send_next(
        &mut self,
        population: &Population,
        pace: &Running,
        counts: &mut Counts,
    ) -> Vec<Played> {
        let Some((_, mut copies)) = self.due.pop_first() else {
            return Vec::new();
        };
        population.shuffle(self.batches, &mut copies);
        self.batches += 1;
        let mut over = Vec::new();
        for batch in copies.chunks(BATCH) {
            let events = batch.iter().filter_map(|copy| self.event(copy)).collect();
            let sent_ms = pace.clock_ms(pace.now_ms());
            let outcome = self.write(events, counts).await;
            if let Err(status) = &outcome {
                counts.unknown += batch.len() as u64;
                counts.failed("WriteEvents", status);
            }
            // A status for each, or none.
            let mut statuses = outcome.unwrap_or_default().into_iter();
            for copy in batch {
                if let Some(status) = statuses.next() {
                    self.answered(copy, &status, sent_ms, counts);
                }
                over.extend(self.count_down(copy.visit));
            }
        }
        over
    }

    fn event(&self, copy: &Copied) -> Option<Event> {
        let played = &self.open.get(&copy.visit)?.played;
        let shown = &played.shown[copy.place];
        let sent = shown.events[copy.event_type].as_ref()?;
        let (seconds, millis) = (
            sent.time_ms.div_euclid(1_000),
            sent.time_ms.rem_euclid(1_000),
        );
        // Only what is seen is at a position.
        let seen = copy.event_type == 0;
        Some(Event {
            event_id: sent.event_id.clone(),
            ranking_id: played.ranking_id.clone(),
            request_id: played.request_id.clone(),
            unit_id: played.user_id.clone(),
            candidate_id: shown.reaction.candidate_id.clone(),
            r#type: EVENT_TYPES[copy.event_type].to_owned(),
            time: Some(prost_types::Timestamp {
                seconds,
                nanos: i32::try_from(millis * 1_000_000).unwrap_or(0),
            }),
            position: match seen {
                true => u32::try_from(shown.reaction.position).ok(),
                false => None,
            },
            ..Event::default()
        })
    }

    /// Writes a batch, and again while the server cannot keep it.
    async fn write(
        &mut self,
        events: Vec<Event>,
        counts: &mut Counts,
    ) -> Result<Vec<EventStatus>, Status> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let request = WriteEventsRequest {
                events: events.clone(),
            };
            let status = match self.client.write_events(request).await {
                Ok(answer) => return Ok(answer.into_inner().statuses),
                Err(status) => status,
            };
            let passes = [Code::Unavailable, Code::ResourceExhausted].contains(&status.code());
            if attempt == ATTEMPTS || !passes {
                return Err(status);
            }
            counts.retries += 1;
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    fn answered(&mut self, copy: &Copied, status: &EventStatus, sent_ms: i64, counts: &mut Counts) {
        if !status.field.is_empty() {
            counts.refused += 1;
            counts.problem(format!("{}: {}", status.field, status.problem));
            return;
        }
        counts.accepted += 1;
        let open = self.open.get_mut(&copy.visit);
        let shown = open.and_then(|open| open.played.shown.get_mut(copy.place));
        let sent = shown.and_then(|shown| shown.events[copy.event_type].as_mut());
        if let Some(sent) = sent {
            sent.copies += 1;
            sent.first_sent_ms.get_or_insert(sent_ms);
        }
    }

    /// The visit, when this was its last copy.
    fn count_down(&mut self, visit: u64) -> Option<Played> {
        let open = self.open.get_mut(&visit)?;
        open.waiting -= 1;
        match open.waiting {
            0 => self.open.remove(&visit).map(|open| open.played),
            _ => None,
        }
    }
}

impl Counts {
    fn add(&mut self, happening: Happening) {
        self.events += 1;
        self.after_window += u64::from(happening.is_after_window());
        self.repeated += u64::from(happening.sent_again_ms.is_some());
    }
}
