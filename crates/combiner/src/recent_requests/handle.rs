//! The handle that keeps requests and runs work on them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{JoinHandle, Thread},
    time::Instant,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    inbox::{Inbox, Sampled, Waiting},
    record::{self, Ids, Recent},
    sample::SamplingKey,
    shared::{Job, Shared},
    worker,
};
use crate::{
    config::Config,
    error::{CombinerError, RequestError},
    metrics::Metrics,
    ranking::Ranking,
};

/// Requests whose ids are longer than this on average, in bytes, are not kept.
const LONGEST_MEAN_ID: usize = 1024;
/// A sample has room for at least so many requests. A larger request is not kept, since it would
/// push the requests of all others out.
const LEAST_REQUESTS: usize = 16;

/// Previews in progress, and readers of the log; one more is answered RESOURCE_EXHAUSTED at once.
const PREVIEWS: usize = 16;
const READERS: usize = 16;

/// A handle to the recent requests.
#[derive(Debug)]
pub(crate) struct RecentRequests {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    previews: Arc<Semaphore>,
    /// Apart from the previews: a reader keeps its place for as long as it reads.
    readers: Arc<Semaphore>,
    thread: Thread,
    /// None after `close`.
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// A caller's place in the queue for the recent requests, released when dropped.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "releases the place when dropped")] OwnedSemaphorePermit,
);

impl RecentRequests {
    /// Starts the worker; none when the configuration keeps no requests.
    pub(crate) fn start(config: &Config, metrics: &Metrics) -> Result<Option<Self>, CombinerError> {
        let bound = config.recent_requests.candidates;
        if bound == 0 {
            return Ok(None);
        }
        let profiles = config.profiles.iter();
        let (inboxes, queues) = profiles
            .map(|profile| Inbox::new(bound, metrics.recent_requests(&profile.name)))
            .unzip();
        let shared = Arc::new(Shared {
            started: Instant::now(),
            bound,
            inboxes,
            woken: AtomicBool::new(false),
        });
        let (jobs, received) = mpsc::channel();
        let worker = worker::start(
            Arc::clone(&shared),
            queues,
            received,
            config.recent_requests.window,
        )?;
        Ok(Some(Self {
            shared,
            jobs,
            previews: Arc::new(Semaphore::new(PREVIEWS)),
            readers: Arc::new(Semaphore::new(READERS)),
            thread: worker.thread().clone(),
            worker: Mutex::new(Some(worker)),
        }))
    }

    /// Draws a sampling key for a request of the profile at that position; none when the request is
    /// not kept at the current rate.
    pub(crate) fn draw_key(&self, profile: usize) -> Option<SamplingKey> {
        let key = SamplingKey::new(rand::random());
        let halvings = self.shared.inboxes[profile].halvings();
        key.survives(halvings).then_some(key)
    }

    /// Copies the parts of a ranking that its answer will take away. When the request is too large
    /// to be kept, returns none and counts it.
    pub(crate) fn sample(&self, key: SamplingKey, ranking: &Ranking) -> Option<Sampled> {
        let sampled = self.copy(key, ranking);
        if sampled.is_none() {
            self.shared.inboxes[ranking.profile].metrics.dropped.inc();
        }
        sampled
    }

    fn copy(&self, key: SamplingKey, ranking: &Ranking) -> Option<Sampled> {
        let at_ms = self.shared.at_ms();
        let ids = Ids::pack(&ranking.ids)?;
        let size = record::size(ranking, &ids);
        let too_large =
            ids.bytes() > ids.len() * LONGEST_MEAN_ID || size > self.shared.bound / LEAST_REQUESTS;
        (!too_large).then(|| Sampled {
            key,
            at_ms,
            time_ms: u64::try_from(ranking.time_ms).unwrap_or(0),
            size,
            ids,
        })
    }

    /// Keeps a sampled request, now that it is answered.
    pub(crate) fn keep(&self, sampled: Sampled, mut ranking: Ranking) {
        // The ids are packed already, and scores are not kept.
        (ranking.ids, ranking.scores) = (Vec::new(), Vec::new());
        let inbox = &self.shared.inboxes[ranking.profile];
        let wake = inbox.put(Waiting { sampled, ranking });
        if wake && !self.shared.woken.swap(true, Ordering::Relaxed) {
            self.thread.unpark();
        }
    }

    /// Reserves a place for a preview.
    ///
    /// # Errors
    /// [`RequestError::RecentRequestsBusy`].
    pub(crate) fn reserve_preview(&self) -> Result<Place, RequestError> {
        reserve(&self.previews, PREVIEWS)
    }

    /// Reserves a place for a reader of the log.
    ///
    /// # Errors
    /// [`RequestError::RecentRequestsBusy`].
    pub(crate) fn reserve_reader(&self) -> Result<Place, RequestError> {
        reserve(&self.readers, READERS)
    }

    /// Selects from the recent requests, by profile in the order of the configuration. It is not
    /// begun when the caller has gone away by then. One thread does this for all callers, so
    /// whatever takes long is done elsewhere with what is selected here.
    ///
    /// # Errors
    /// [`RequestError::Draining`] when the server stops before the work is done.
    pub(crate) async fn select<T: Send + 'static>(
        &self,
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
                what: "work on the recent requests panicked".to_owned(),
            }),
        }
    }

    fn send(&self, job: Job) -> Result<(), mpsc::SendError<Job>> {
        self.jobs.send(job)?;
        self.thread.unpark();
        Ok(())
    }

    /// Ends the worker after its current job.
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

fn reserve(places: &Arc<Semaphore>, limit: usize) -> Result<Place, RequestError> {
    let place = Arc::clone(places).try_acquire_owned();
    place
        .map(Place)
        .map_err(|_| RequestError::RecentRequestsBusy { limit })
}
