//! The decisions of the limiter, as a function of events and their times: no clock, no tasks.
//!
//! Every request ends its wait in one of three ways: it is granted a place, it leaves, or its value
//! is dropped, which refuses it.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    fair_queue::FairQueue,
    limiter::concurrency::{Concurrency, Outcome, Start},
};

/// A request without a deadline is treated as if its caller waited this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request waits only if it is expected to have a place within this share of its time, and its
/// answer within the second. The rest covers the error of the prediction.
const PLACE: f64 = 0.5;
const ANSWER: f64 = 0.6;
/// A request whose answer is expected only after this share of its time comes too late to help.
const LATE: f64 = 0.8;

/// What happens to a request that arrives.
#[derive(Debug)]
pub(super) enum Decision<W> {
    /// It has a place.
    Admitted(Start),
    /// It waits.
    Waiting {
        /// Names it when it leaves.
        ticket: u64,
        /// After this it could no longer be answered in time.
        give_up: Instant,
        /// A request of a busier connection that lost its place in the waiting room.
        displaced: Option<W>,
    },
    /// It cannot be answered in time. The server expects to be able to after this time.
    Refused(Duration),
}

/// A request in the waiting room.
#[derive(Debug)]
struct Waiting<W> {
    ticket: u64,
    /// The server is slower than predicted if it still waits then.
    late: Instant,
    give_up: Instant,
    value: W,
}

/// `W` is what a waiting request is notified with.
#[derive(Debug)]
pub(super) struct Core<W> {
    /// In progress and waiting together.
    most: usize,
    concurrency: Concurrency,
    in_progress: usize,
    room: FairQueue<Waiting<W>>,
    /// Requests by connection whose headers are there and whose message is still to come.
    announced: HashMap<u64, usize>,
    /// The sum of the announced requests.
    announced_len: usize,
    next_ticket: u64,
}

impl<W> Core<W> {
    /// At least `least` requests may be in progress, and at most `most` in progress or waiting.
    pub(super) fn new(least: usize, most: usize, now: Instant) -> Self {
        Self {
            most: most.max(1),
            concurrency: Concurrency::new(least, most, now),
            in_progress: 0,
            room: FairQueue::new(),
            announced: HashMap::new(),
            announced_len: 0,
            next_ticket: 0,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.concurrency.limit()
    }

    pub(super) fn in_progress(&self) -> usize {
        self.in_progress
    }

    pub(super) fn waiting(&self) -> usize {
        self.room.len()
    }

    /// Announces a request whose headers have arrived, unless it could not be answered in time even
    /// if its message were there now: then the time after which it should come again.
    ///
    /// Headers of many requests may arrive before the message of the first. Each counts those before
    /// it, or all of their messages would be received and most of them for nothing. Connections take
    /// turns here too, so that one which announces many requests and sends none does not hold up the
    /// others.
    pub(super) fn announce(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        connection: u64,
    ) -> Result<(), Duration> {
        // Where all have a place at once, none is ahead of another: this spares the walk over the
        // connections, which is made under a lock.
        let known = self.in_progress + self.room.len() + self.announced_len;
        if known >= self.limit() {
            let ahead = self.room.ahead_of(connection, &self.announced);
            self.check_wait(now, deadline, connection, ahead)?;
        }
        *self.announced.entry(connection).or_default() += 1;
        self.announced_len += 1;
        Ok(())
    }

    /// A request that was announced has arrived, or will not.
    pub(super) fn withdraw(&mut self, connection: u64) {
        if let Some(count) = self.announced.get_mut(&connection) {
            *count -= 1;
            self.announced_len -= 1;
            if *count == 0 {
                self.announced.remove(&connection);
            }
        }
    }

    /// Whether a request could be admitted or wait behind so many others, or after which time it
    /// should come again.
    fn check_wait(
        &self,
        now: Instant,
        deadline: Option<Instant>,
        connection: u64,
        ahead: usize,
    ) -> Result<(), Duration> {
        let wait = self.time_until_place(ahead + 1);
        if wait.is_zero() && self.has_room() {
            return Ok(());
        }
        let left = time_left(now, deadline);
        let in_time = wait <= left.mul_f64(PLACE)
            && wait + self.concurrency.service_time() <= left.mul_f64(ANSWER);
        match in_time && (self.has_room() || self.busier_than(connection).is_some()) {
            true => Ok(()),
            false => Err(wait),
        }
    }

    /// Decides about a request that arrives now and would wait with `value`.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        connection: u64,
        value: W,
    ) -> Decision<W> {
        let free = self.has_free_place();
        self.concurrency.arrived(free);
        if free {
            self.in_progress += 1;
            return Decision::Admitted(self.concurrency.start(now));
        }
        let ahead = self.room.ahead_of(connection, &HashMap::new());
        if let Err(retry_after) = self.check_wait(now, deadline, connection, ahead) {
            return Decision::Refused(retry_after);
        }
        let displaced = match self.has_room() {
            true => None,
            false => self
                .busier_than(connection)
                .and_then(|busiest| self.room.pop_newest(busiest))
                .map(|waiting| waiting.value),
        };
        let left = time_left(now, deadline);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let service_time = self.concurrency.service_time();
        let give_up = now + left.saturating_sub(service_time);
        let waiting = Waiting {
            ticket,
            late: now + left.mul_f64(LATE).saturating_sub(service_time),
            give_up,
            value,
        };
        self.room.push(connection, waiting);
        Decision::Waiting {
            ticket,
            give_up,
            displaced,
        }
    }

    /// Gives a free place to a request that waits.
    pub(super) fn grant(&mut self, now: Instant) -> Option<(W, Start)> {
        while self.in_progress < self.limit() {
            // Requests leave in the order of their arrival while the server is as fast as was
            // predicted for them. When it is not, the oldest are late whatever is done, and only
            // the newest can still be answered in time.
            let waiting = self.room.pop(|oldest| oldest.late < now)?;
            if waiting.give_up >= now {
                self.in_progress += 1;
                return Some((waiting.value, self.concurrency.start(now)));
            }
        }
        None
    }

    /// Takes a request out of the waiting room, if it is still there.
    pub(super) fn leave(&mut self, connection: u64, ticket: u64) {
        self.room
            .remove(connection, |waiting| waiting.ticket == ticket);
    }

    /// A request with a place has ended for its caller; the work on it may go on.
    pub(super) fn ended(&mut self, now: Instant, start: Start, outcome: Outcome) {
        self.concurrency.ended(now, start, outcome);
    }

    /// The work on a request is over. Its time counts unless the caller went away.
    pub(super) fn free(&mut self, now: Instant, start: Start, counts: bool) {
        self.in_progress -= 1;
        if counts {
            self.concurrency.freed(now, start);
        }
    }

    #[cfg(test)]
    pub(super) fn start(&self, now: Instant) -> Start {
        self.concurrency.start(now)
    }

    fn has_free_place(&self) -> bool {
        self.room.is_empty() && self.in_progress < self.limit()
    }

    fn has_room(&self) -> bool {
        self.in_progress + self.room.len() < self.most
    }

    /// The connection with the most waiting requests, if it would still have more than this one.
    fn busier_than(&self, connection: u64) -> Option<u64> {
        let busiest = self.room.busiest()?;
        (self.room.len_of(busiest) > self.room.len_of(connection) + 1).then_some(busiest)
    }

    /// The time until the request at this position of the waiting room has a place.
    fn time_until_place(&self, position: usize) -> Duration {
        let places = (self.in_progress + position).saturating_sub(self.limit());
        self.concurrency.time_to_free(places)
    }
}

fn time_left(now: Instant, deadline: Option<Instant>) -> Duration {
    deadline.map_or(PATIENCE, |deadline| deadline.saturating_duration_since(now))
}
