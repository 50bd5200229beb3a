//! The open loop: requests arrive on a fixed schedule, and each latency is counted from the
//! scheduled time. So all requests that arrive during a stall of the server or the generator
//! include the stall in their latency.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::mpsc, time::Instant};

use crate::{LoadError, phase::Phase, tally::Outcome};

/// At this number of requests in flight, sending pauses but the schedule does not. Delayed requests
/// are sent late, and their latencies include the delay.
const MAX_IN_FLIGHT: usize = 10_000;

/// Linux wakes a sleeping thread about 50 µs late. The pacer wakes this much earlier and yields
/// until the scheduled time.
const EARLY: Duration = Duration::from_micros(60);

/// The times at which requests are sent.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    start: Instant,
    rate: f64,
    count: u64,
}

impl Schedule {
    fn new(start: Instant, rate: f64, length: Duration) -> Self {
        Self {
            start,
            rate,
            count: ((rate * length.as_secs_f64()) as u64).max(1),
        }
    }

    /// The scheduled time of a request. It is computed from the start each time, so that delays do
    /// not shift it and rounding errors do not accumulate.
    fn due(&self, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(index as f64 / self.rate)
    }
}

/// Stops the pacer when the run is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends `rate` requests per second until the phase ends, then waits for the last answers, at most
/// for the timeout.
pub(crate) async fn run(phase: Phase, rate: f64) -> Result<(), LoadError> {
    let schedule = Schedule::new(Instant::now(), rate, phase.length);
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    // No message is ever sent: `recv` returns when the pacer and every request have dropped their
    // sender.
    let (alive, mut all_done) = mpsc::channel::<()>(1);
    let sender = Sender {
        runtime: Handle::current(),
        phase,
        in_flight: Arc::new(AtomicUsize::new(0)),
        alive,
    };
    let stopped = Arc::clone(&stop.0);
    thread::Builder::new()
        .name("load-pacer".to_owned())
        .spawn(move || pace(schedule, &sender, &stopped))?;
    all_done.recv().await;
    Ok(())
}

fn pace(schedule: Schedule, sender: &Sender, stopped: &AtomicBool) {
    for index in 0..schedule.count {
        let due = schedule.due(index);
        wait_until(due);
        while sender.in_flight.load(Ordering::Relaxed) >= MAX_IN_FLIGHT
            && !stopped.load(Ordering::Relaxed)
        {
            thread::sleep(Duration::from_micros(100));
        }
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        sender.send(index, due);
    }
}

fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if let Some(sleep) = left.checked_sub(EARLY) {
        thread::sleep(sleep);
    }
    while Instant::now() < due {
        thread::yield_now();
    }
}

struct Sender {
    runtime: Handle,
    phase: Phase,
    in_flight: Arc<AtomicUsize>,
    alive: mpsc::Sender<()>,
}

impl Sender {
    fn send(&self, index: u64, due: Instant) {
        let index = usize::try_from(index).unwrap_or_default();
        let prepared = &self.phase.prepared;
        let mut caller = prepared.callers[index % prepared.callers.len()].clone();
        let message = prepared.messages[index % prepared.messages.len()].clone();
        let recorder = Arc::clone(&self.phase.recorder);
        let deadline = due + self.phase.timeout;
        let in_flight = Arc::clone(&self.in_flight);
        let alive = self.alive.clone();
        in_flight.fetch_add(1, Ordering::Relaxed);
        self.runtime.spawn(async move {
            let lag = due.elapsed();
            let answer = caller.call(message, deadline).await;
            let outcome = Outcome {
                latency: due.elapsed(),
                lag: Some(lag),
                answer: answer
                    .map(|bytes| bytes.len())
                    .map_err(|status| status.code()),
            };
            recorder.record(index, &outcome);
            in_flight.fetch_sub(1, Ordering::Relaxed);
            drop(alive);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_fixed_by_its_start_and_rate() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 3.0, Duration::from_secs(10));
        assert_eq!(schedule.count, 30);
        assert_eq!(schedule.due(0), start);
        assert_eq!(schedule.due(9), start + Duration::from_secs(3));
        let slow = Schedule::new(start, 0.01, Duration::from_secs(1));
        assert_eq!(slow.count, 1);
    }

    #[test]
    fn waiting_never_ends_early() {
        for us in [0, 30, 200, 3000] {
            let due = Instant::now() + Duration::from_micros(us);
            wait_until(due);
            assert!(Instant::now() >= due);
        }
    }
}
