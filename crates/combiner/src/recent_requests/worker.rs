//! The one thread that owns the recent requests of all profiles: it empties the inboxes and runs
//! the callers' work on the samples.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError},
    },
    thread::{Builder, JoinHandle, park_timeout},
    time::Duration,
};

use super::{
    inbox::Waiting,
    record::{Recent, Record},
    sample::Sample,
    shared::{Job, Shared, millis},
};
use crate::error::CombinerError;

/// The longest time that requests stay in an inbox, or in the sample beyond their window.
const TICK: Duration = Duration::from_secs(1);
/// The lowest priority of Linux: the thread runs when nothing else needs the processor.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// Starts the worker. It ends when it receives the stop message or when its handle is gone. A
/// sender of a job must unpark it.
pub(super) fn start(
    shared: Arc<Shared>,
    queues: Vec<Receiver<Waiting>>,
    jobs: Receiver<Job>,
    window: Duration,
) -> Result<JoinHandle<()>, CombinerError> {
    let empty = |_: &Receiver<Waiting>| Sample::new(shared.bound, millis(window));
    let recent = queues.iter().map(empty).collect();
    let worker = Worker {
        shared,
        queues,
        recent,
    };
    Builder::new()
        .name("recent".to_owned())
        .spawn(move || {
            lower_thread_priority();
            worker.run(&jobs);
        })
        .map_err(|error| CombinerError::Internal {
            what: format!("the thread of the recent requests cannot start: {error}"),
        })
}

/// On Linux the priority is per thread. Elsewhere it would apply to the whole process, so it is
/// left alone.
fn lower_thread_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, LOWEST) {
        tracing::warn!(%error, "cannot lower the thread priority of previews");
    }
}

/// The samples and their inboxes, by profile.
struct Worker {
    shared: Arc<Shared>,
    queues: Vec<Receiver<Waiting>>,
    recent: Vec<Recent>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = jobs.try_recv();
            // Empty the inboxes after the job was received, so that it sees every request that was
            // kept before the job was sent.
            self.absorb();
            match job {
                Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return,
                Ok(Job::Work(work)) => {
                    if catch_unwind(AssertUnwindSafe(|| work(&self.recent))).is_err() {
                        // The caller gets an error, since no answer comes. Work only reads the
                        // samples, so they stay valid.
                        tracing::error!("work on the recent requests panicked");
                    }
                }
                Err(TryRecvError::Empty) => park_timeout(TICK),
            }
        }
    }

    fn absorb(&mut self) {
        self.shared.woken.store(false, Ordering::Relaxed);
        let now_ms = self.shared.at_ms();
        let profiles = self.shared.inboxes.iter().zip(&self.queues);
        for ((inbox, queue), recent) in profiles.zip(&mut self.recent) {
            for waiting in inbox.take(queue) {
                add(recent, waiting);
            }
            recent.pass(now_ms);
            inbox.set_halvings(recent.halvings());
            inbox.measure(recent);
        }
    }
}

fn add(recent: &mut Recent, Waiting { sampled, ranking }: Waiting) {
    // The rate may have been halved since the key was drawn.
    if !sampled.key.survives(recent.halvings()) {
        return;
    }
    if let Some(record) = Record::new(ranking, &sampled.ids, sampled.time_ms) {
        recent.add(sampled.at_ms, sampled.key, sampled.size, Arc::new(record));
    }
}
