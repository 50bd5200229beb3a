//! The ring: the recent requests of each profile, a bounded and fair sample of them, kept for previews, for the solver and for the log.
//!
//! Rank only asks an atomic whether a request is kept, and if so pushes it into an inbox. One thread of lowest priority owns the sample of every
//! profile and does all work on them, one job after another, so that none of it slows Rank.

mod record;
mod sample;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(crate) use self::record::{Column, Record};
use self::{
    record::Ids,
    sample::{Key, Sample},
};
use crate::{
    config::Config,
    error::CombinerError,
    metrics::{Metrics, RingMetrics},
    rank::Ranking,
    weights::now_ms,
};

/// Requests in an inbox before the worker is woken.
const WAKE: usize = 256;
/// Callers whose work waits or is done; one more is answered RESOURCE_EXHAUSTED at once.
const PLACES: usize = 16;

/// The recent requests of one profile.
pub(crate) type Recent = Sample<Arc<Record>>;

/// A handle to the recent requests.
#[derive(Debug)]
pub(crate) struct Ring {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    places: Arc<Semaphore>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// What Rank and the worker share.
#[derive(Debug)]
struct Shared {
    started: Instant,
    /// What an inbox and a sample hold at most, in candidates.
    bound: usize,
    /// In the order of the configured profiles.
    doors: Vec<Door>,
    /// Whether the worker has been told of what is in the inboxes.
    told: AtomicBool,
}

/// Where the requests of one profile come in.
#[derive(Debug)]
struct Door {
    /// How many halvings of the rate a request has to survive.
    halvings: AtomicU32,
    inbox: Mutex<Inbox>,
    metrics: RingMetrics,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: Vec<Waiting>,
    size: usize,
}

/// A request that is to be kept.
#[derive(Debug)]
struct Waiting {
    sampled: Sampled,
    ranking: Ranking,
}

/// What is taken of a request before its answer is made.
#[derive(Debug)]
pub(crate) struct Sampled {
    key: Key,
    /// Milliseconds since the ring was made.
    at_ms: u64,
    /// Milliseconds since 1970.
    time_ms: u64,
    size: usize,
    ids: Ids,
}

/// Work on the recent requests, by profile.
type Work = Box<dyn FnOnce(&[Recent]) + Send>;

enum Job {
    /// There is something in the inboxes.
    Absorb,
    Work(Work),
    Stop,
}

impl Ring {
    /// Starts the worker; none when the configuration keeps nothing.
    pub(crate) fn start(config: &Config, metrics: &Metrics) -> Result<Option<Self>, CombinerError> {
        let bound = config.ring.candidates;
        if bound == 0 {
            return Ok(None);
        }
        let doors = config.profiles.iter().map(|profile| Door {
            halvings: AtomicU32::new(0),
            inbox: Mutex::default(),
            metrics: metrics.ring(&profile.name),
        });
        let shared = Arc::new(Shared {
            started: Instant::now(),
            bound,
            doors: doors.collect(),
            told: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::channel();
        let worker = worker::start(Arc::clone(&shared), queue, config.ring.window)?;
        Ok(Some(Self {
            shared,
            jobs,
            places: Arc::new(Semaphore::new(PLACES)),
            worker: Mutex::new(Some(worker)),
        }))
    }

    /// Draws whether a request is kept; if so, packs what its answer takes away.
    pub(crate) fn sample(&self, ranking: &Ranking) -> Option<Sampled> {
        let door = &self.shared.doors[ranking.profile];
        let key = Key::new(rand::random());
        if !key.survives(door.halvings.load(Ordering::Relaxed)) {
            return None;
        }
        let at_ms = self.shared.at_ms();
        let Some(ids) = Ids::pack(&ranking.ids) else {
            door.metrics.dropped.inc();
            return None;
        };
        Some(Sampled {
            key,
            at_ms,
            time_ms: now_ms(),
            size: record::size(ranking, &ids),
            ids,
        })
    }

    /// Keeps a sampled request, now that it is answered.
    pub(crate) fn keep(&self, sampled: Sampled, mut ranking: Ranking) {
        // Packed already, and not kept.
        (ranking.ids, ranking.scores) = (Vec::new(), Vec::new());
        let door = &self.shared.doors[ranking.profile];
        let size = sampled.size;
        let mut inbox = door.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.size.saturating_add(size) > self.shared.bound {
            drop(inbox);
            door.metrics.dropped.inc();
            return;
        }
        inbox.size += size;
        inbox.waiting.push(Waiting { sampled, ranking });
        let full = inbox.waiting.len() >= WAKE || inbox.size >= self.shared.bound / 8;
        drop(inbox);
        if full && !self.shared.told.swap(true, Ordering::Relaxed) {
            let _ = self.jobs.send(Job::Absorb);
        }
    }

    /// Does work on the recent requests, by profile in the order of the configuration, after the work of those who asked before. It is not begun
    /// when the caller has gone away by then. The place is the caller's until it is dropped.
    ///
    /// # Errors
    /// [`CombinerError::RingBusy`]; [`CombinerError::Draining`] when the server stops before the work is done.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&[Recent]) -> T + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), CombinerError> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| CombinerError::RingBusy { limit: PLACES })?;
        let (sender, answer) = oneshot::channel();
        let job = Job::Work(Box::new(move |recent: &[Recent]| {
            if !sender.is_closed() {
                let _ = sender.send(work(recent));
            }
        }));
        self.jobs.send(job).map_err(|_| CombinerError::Draining)?;
        match answer.await {
            Ok(done) => Ok((done, place)),
            Err(_) if self.worker().is_none() => Err(CombinerError::Draining),
            Err(_) => Err(CombinerError::Internal {
                what: "work on the recent requests died".to_owned(),
            }),
        }
    }

    /// Ends the worker, after the job that it is at.
    pub(crate) async fn close(&self) {
        let _ = self.jobs.send(Job::Stop);
        let worker = self.worker().take();
        if let Some(worker) = worker {
            let _ = tokio::task::spawn_blocking(move || worker.join()).await;
        }
    }

    /// None once the ring is closed.
    fn worker(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn at_ms(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
