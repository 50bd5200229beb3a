//! The one thread that owns the recent requests of all profiles: it takes them out of the inboxes and does what is asked about them.

use std::{
    mem::take,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use super::{Door, Job, Recent, Sample, Shared, Waiting, millis, record::Record};
use crate::error::CombinerError;

/// What is in the inboxes waits no longer than this, and what is too old stays no longer.
const TICK: Duration = Duration::from_secs(1);
/// The lowest priority of Linux: the thread runs where nothing else wants to.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// Starts the worker; it ends when told so or when nobody can ask any more.
pub(super) fn start(
    shared: Arc<Shared>,
    queue: Receiver<Job>,
    window: Duration,
) -> Result<JoinHandle<()>, CombinerError> {
    let recent = shared
        .doors
        .iter()
        .map(|_| Sample::new(shared.bound, millis(window)))
        .collect();
    Builder::new()
        .name("ring".to_owned())
        .spawn(move || {
            yield_to_all();
            Worker { shared, recent }.run(&queue);
        })
        .map_err(|error| CombinerError::Internal {
            what: format!("the ring's thread: {error}"),
        })
}

/// On Linux the priority is this thread's; elsewhere it would be that of the whole process.
fn yield_to_all() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::warn!(%error, "previews run at the priority of everything else");
    }
}

struct Worker {
    shared: Arc<Shared>,
    /// By profile.
    recent: Vec<Recent>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Job>) {
        self.absorb();
        loop {
            let job = match queue.recv_timeout(TICK) {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Job::Work(work)) => Some(work),
                Ok(Job::Absorb) | Err(RecvTimeoutError::Timeout) => None,
            };
            self.absorb();
            if let Some(work) = job
                && catch_unwind(AssertUnwindSafe(|| work(&self.recent))).is_err()
            {
                // Who asked is told by the answer that never comes; what is kept is as it was.
                tracing::error!("work on the recent requests panicked");
            }
        }
    }

    fn absorb(&mut self) {
        self.shared.told.store(false, Ordering::Relaxed);
        let now_ms = self.shared.at_ms();
        for (door, recent) in self.shared.doors.iter().zip(&mut self.recent) {
            let waiting = {
                let mut inbox = door.inbox.lock().unwrap_or_else(PoisonError::into_inner);
                inbox.size = 0;
                take(&mut inbox.waiting)
            };
            for waiting in waiting {
                add(recent, waiting);
            }
            recent.pass(now_ms);
            door.halvings.store(recent.halvings(), Ordering::Relaxed);
            door.measure(recent);
        }
    }
}

fn add(recent: &mut Recent, Waiting { sampled, ranking }: Waiting) {
    if !sampled.key.survives(recent.halvings()) {
        return;
    }
    if let Some(record) = Record::new(ranking, &sampled.ids, sampled.time_ms) {
        recent.add(sampled.at_ms, sampled.key, sampled.size, Arc::new(record));
    }
}

impl Door {
    fn measure(&self, recent: &Recent) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.requests.set(gauge(recent.len()));
        self.metrics.candidates.set(gauge(recent.size()));
        self.metrics.share.set(recent.share());
    }
}
