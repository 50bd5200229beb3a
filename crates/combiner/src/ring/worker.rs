//! The one thread that owns the recent requests of all profiles: it takes them out of the inboxes and does what is asked about them.

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

use super::{Job, Recent, Sample, Shared, door::Waiting, millis, record::Record};
use crate::error::CombinerError;

/// What is in the inboxes waits no longer than this, and what is too old stays no longer.
const TICK: Duration = Duration::from_secs(1);
/// The lowest priority of Linux: the thread runs where nothing else wants to.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// Starts the worker; it ends when told so or when nobody can ask any more. Whoever sends it a job unparks it.
pub(super) fn start(
    shared: Arc<Shared>,
    inboxes: Vec<Receiver<Waiting>>,
    jobs: Receiver<Job>,
    window: Duration,
) -> Result<JoinHandle<()>, CombinerError> {
    let empty = |_: &Receiver<Waiting>| Sample::new(shared.bound, millis(window));
    let recent = inboxes.iter().map(empty).collect();
    let worker = Worker {
        shared,
        inboxes,
        recent,
    };
    Builder::new()
        .name("ring".to_owned())
        .spawn(move || {
            yield_to_all();
            worker.run(&jobs);
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

/// By profile.
struct Worker {
    shared: Arc<Shared>,
    inboxes: Vec<Receiver<Waiting>>,
    recent: Vec<Recent>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = jobs.try_recv();
            // After a job has come, so that it sees all that was kept before it was sent.
            self.absorb();
            match job {
                Ok(Job::Stop) | Err(TryRecvError::Disconnected) => return,
                Ok(Job::Work(work)) => {
                    if catch_unwind(AssertUnwindSafe(|| work(&self.recent))).is_err() {
                        // Who asked is told by the answer that never comes; what is kept is as it was.
                        tracing::error!("work on the recent requests panicked");
                    }
                }
                Err(TryRecvError::Empty) => park_timeout(TICK),
            }
        }
    }

    fn absorb(&mut self) {
        self.shared.told.store(false, Ordering::Relaxed);
        let now_ms = self.shared.at_ms();
        let profiles = self.shared.doors.iter().zip(&self.inboxes);
        for ((door, inbox), recent) in profiles.zip(&mut self.recent) {
            for waiting in door.take(inbox) {
                add(recent, waiting);
            }
            recent.pass(now_ms);
            door.set_halvings(recent.halvings());
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
