//! The ring: the recent requests of each profile, a bounded and fair sample of them, kept for previews, for the solver and for the log.
//!
//! Rank only asks an atomic whether a request is kept, and if so pushes it into an inbox. One thread of lowest priority owns the sample of every
//! profile and does all work on them, one job after another, so that none of it slows Rank.

mod door;
mod record;
mod sample;
mod worker;

#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{JoinHandle, Thread},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use self::{
    door::{Door, Waiting},
    record::Ids,
    sample::Sample,
};
pub(crate) use self::{
    record::{Column, Record},
    sample::Key,
};
use crate::{
    config::Config,
    error::{CombinerError, RequestError},
    metrics::Metrics,
    rank::Ranking,
    weights::now_ms,
};

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
    thread: Thread,
    /// None once the ring is closed.
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

/// A place among those who ask about the recent requests.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit,
);

/// Work on the recent requests, by profile.
type Work = Box<dyn FnOnce(&[Recent]) + Send>;

enum Job {
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
        let doors = config.profiles.iter();
        let doors = doors.map(|profile| Door::new(bound, metrics.ring(&profile.name)));
        let (doors, inboxes) = doors.unzip();
        let shared = Arc::new(Shared {
            started: Instant::now(),
            bound,
            doors,
            told: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::channel();
        let worker = worker::start(Arc::clone(&shared), inboxes, queue, config.ring.window)?;
        Ok(Some(Self {
            shared,
            jobs,
            places: Arc::new(Semaphore::new(PLACES)),
            thread: worker.thread().clone(),
            worker: Mutex::new(Some(worker)),
        }))
    }

    /// Draws whether a request of the profile at that position is kept.
    pub(crate) fn draw(&self, profile: usize) -> Option<Key> {
        let key = Key::new(rand::random());
        let halvings = self.shared.doors[profile].halvings();
        key.survives(halvings).then_some(key)
    }

    /// Packs what the answer to a request that is kept takes away.
    pub(crate) fn sample(&self, ranking: &Ranking) -> Option<Sampled> {
        let key = ranking.key?;
        let door = &self.shared.doors[ranking.profile];
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
        let full = door.put(Waiting { sampled, ranking });
        if full && !self.shared.told.swap(true, Ordering::Relaxed) {
            self.thread.unpark();
        }
    }

    /// A place among those who ask, kept until it is dropped.
    ///
    /// # Errors
    /// [`RequestError::RingBusy`].
    pub(crate) fn place(&self) -> Result<Place, RequestError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place
            .map(Place)
            .map_err(|_| RequestError::RingBusy { limit: PLACES })
    }

    /// Does work on the recent requests, by profile in the order of the configuration, after the work of those who asked before. It is not begun
    /// when the caller has gone away by then.
    ///
    /// # Errors
    /// [`RequestError::Draining`] when the server stops before the work is done.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        _: &Place,
        work: impl FnOnce(&[Recent]) -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        let (sender, answer) = oneshot::channel();
        let job = Job::Work(Box::new(move |recent: &[Recent]| {
            if !sender.is_closed() {
                let _ = sender.send(work(recent));
            }
        }));
        self.send(job).map_err(|_| RequestError::Draining)?;
        match answer.await {
            Ok(done) => Ok(done),
            Err(_) if self.worker().is_none() => Err(RequestError::Draining),
            Err(_) => Err(RequestError::Internal {
                what: "work on the recent requests died".to_owned(),
            }),
        }
    }

    fn send(&self, job: Job) -> Result<(), mpsc::SendError<Job>> {
        self.jobs.send(job)?;
        self.thread.unpark();
        Ok(())
    }

    /// Ends the worker, after the job that it is at.
    pub(crate) async fn close(&self) {
        let _ = self.send(Job::Stop);
        let worker = self.worker().take();
        if let Some(worker) = worker {
            let _ = tokio::task::spawn_blocking(move || worker.join()).await;
        }
    }

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
