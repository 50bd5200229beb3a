//! The threads for work that takes long: as many as there are cores, so that it neither holds up
//! the runtime nor runs in more threads than the machine can serve.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, available_parallelism},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    Call, fair_queue::FairQueue, panics::panic_message, priority::lower_thread_priority,
    refusal::Refusal,
};

/// When a caller may come again that found the queue full. The pool cannot tell how long its work
/// takes, which differs much.
const RETRY: Duration = Duration::from_millis(100);

/// Why work was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// It did not begin, or it was stopped.
    #[error("{0}")]
    Refused(Refusal),
    /// It panicked.
    #[error("the work panicked: {0}")]
    Panicked(String),
}

/// The cores that this process may use, as far as the system says.
pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Threads for work that takes long; clones share them. They end when the last clone is dropped
/// and the work that they have begun is done.
#[derive(Debug, Clone)]
pub struct WorkPool(Arc<Handle>);

/// Closes the queue when the last clone of the pool is dropped. The threads hold the queue alone.
#[derive(Debug)]
struct Handle(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    longest: usize,
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

struct Jobs {
    queued: FairQueue<Job>,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl WorkPool {
    /// One thread per core, with a queue of at most `longest` jobs.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn new(longest: usize) -> io::Result<Self> {
        Self::with_threads(cores(), longest, || {})
    }

    /// The same for work that must not hold up anything else: on Linux its threads run when no
    /// other wants to.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn background(longest: usize) -> io::Result<Self> {
        Self::with_threads(cores(), longest, lower_thread_priority)
    }

    fn with_threads(threads: usize, longest: usize, prepare: fn()) -> io::Result<Self> {
        let pool = Self(Arc::new(Handle(Arc::new(Queue {
            longest,
            jobs: Mutex::new(Jobs {
                queued: FairQueue::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        }))));
        for number in 0..threads {
            let queue = Arc::clone(&pool.0.0);
            thread::Builder::new()
                .name(format!("work-{number}"))
                .spawn(move || {
                    prepare();
                    queue.work();
                })?;
        }
        Ok(pool)
    }

    /// Does work for a call and returns its value. Connections take turns. The call counts as in
    /// progress until the work is done, even if its caller goes away.
    ///
    /// The work is passed a function that says whether it should stop, because the deadline has
    /// passed or this future was dropped. Work that takes long calls it regularly; what the work
    /// returns after that is discarded.
    ///
    /// # Errors
    /// The queue is full, the deadline passed before the work began, the pool is closed, or the
    /// work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        call: &Call,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let (sender, value) = oneshot::channel();
        let (held, connection) = (call.clone(), call.connection);
        let job = move || {
            // Nobody waits for the value any more.
            if sender.is_closed() {
                return;
            }
            let stop = || held.is_overdue() || sender.is_closed();
            let value = match held.is_overdue() {
                true => Err(WorkError::Refused(Refusal::DeadlineExceeded)),
                // The work owns what it changes, and nobody sees that after a panic.
                false => catch_unwind(AssertUnwindSafe(|| work(&stop)))
                    .map_err(|panic| WorkError::Panicked(panic_message(&*panic).to_owned())),
            };
            // The place is free when the caller has its value.
            drop(held);
            let _ = sender.send(value);
        };
        self.0.0.push(connection, Box::new(job))?;
        // A job that was never begun is dropped when the pool is closed.
        let closed = |_| WorkError::Refused(Refusal::Draining);
        value.await.map_err(closed)?
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // No job runs while it is locked, so nothing can panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, connection: u64, job: Job) -> Result<(), WorkError> {
        let mut jobs = self.lock();
        if jobs.queued.len() >= self.longest {
            return Err(WorkError::Refused(Refusal::Overloaded {
                retry_after: RETRY,
            }));
        }
        jobs.queued.push(connection, job);
        drop(jobs);
        self.changed.notify_one();
        Ok(())
    }

    /// Runs jobs until the queue is closed.
    fn work(&self) {
        let mut jobs = self.lock();
        while !jobs.closed {
            match jobs.queued.pop(|_| false) {
                Some(job) => {
                    drop(jobs);
                    job();
                    jobs = self.lock();
                }
                None => {
                    jobs = self
                        .changed
                        .wait(jobs)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut jobs = self.0.lock();
        jobs.closed = true;
        let unbegun = std::mem::replace(&mut jobs.queued, FairQueue::new());
        drop(jobs);
        self.0.changed.notify_all();
        drop(unbegun);
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Jobs")
            .field("queued", &self.queued.len())
            .field("closed", &self.closed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    use tonic::metadata::MetadataMap;

    use super::*;
    use crate::TraceContext;

    fn call(connection: u64) -> Call {
        Call::new(&MetadataMap::new(), TraceContext::root()).on_connection(connection)
    }

    /// Keeps the only thread of a pool busy until the sender is dropped.
    async fn block(pool: &WorkPool) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let (release, blocked) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let pool = pool.clone();
        let task = tokio::spawn(async move {
            let work = move |_: &dyn Fn() -> bool| {
                begun.send(()).unwrap();
                let _ = blocked.recv();
            };
            pool.run(&call(0), work).await.unwrap();
        });
        has_begun.await.unwrap();
        (release, task)
    }

    #[tokio::test]
    async fn work_returns_its_value_or_the_message_of_its_panic() {
        let pool = WorkPool::new(10).unwrap();
        assert_eq!(pool.run(&call(1), |_| 6 * 7).await, Ok(42));
        let panicked = pool
            .run(&call(1), |_| -> u32 { panic!("on purpose") })
            .await;
        assert_eq!(panicked, Err(WorkError::Panicked("on purpose".to_owned())));
        assert_eq!(pool.run(&call(1), |_| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_connections_take_turns() {
        let pool = WorkPool::with_threads(1, 4, || {}).unwrap();
        let (release, blocking) = block(&pool).await;
        let (done, order) = mpsc::channel();
        let mut queued: Vec<_> = [7, 7, 7, 8]
            .map(|connection| {
                let (pool, done) = (pool.clone(), done.clone());
                Box::pin(async move {
                    let work = move |_: &dyn Fn() -> bool| done.send(connection).unwrap();
                    pool.run(&call(connection), work).await.unwrap();
                })
            })
            .into();
        for work in &mut queued {
            assert!(futures::poll!(work).is_pending());
        }
        let refused = pool.run(&call(9), |_| ()).await;
        assert_eq!(
            refused,
            Err(WorkError::Refused(Refusal::Overloaded {
                retry_after: RETRY
            }))
        );
        drop(release);
        blocking.await.unwrap();
        for work in queued {
            work.await;
        }
        drop(done);
        assert_eq!(order.iter().collect::<Vec<u64>>(), [7, 8, 7, 7]);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_begun() {
        let pool = WorkPool::with_threads(1, 4, || {}).unwrap();
        let (release, blocking) = block(&pool).await;
        let mut overdue = call(1);
        overdue.deadline = Some(Instant::now());
        let mut late = Box::pin(pool.run(&overdue, |_| panic!("must not run")));
        assert!(futures::poll!(&mut late).is_pending());
        let (begun, abandoned) = mpsc::channel::<()>();
        let gone = call(1);
        let mut cancelled = Box::pin(pool.run(&gone, move |_| begun.send(()).unwrap()));
        assert!(futures::poll!(&mut cancelled).is_pending());
        drop(cancelled);
        drop(release);
        blocking.await.unwrap();
        let refused: Result<(), WorkError> = late.await;
        assert_eq!(refused, Err(WorkError::Refused(Refusal::DeadlineExceeded)));
        // The only thread has taken the abandoned job before this one.
        assert_eq!(pool.run(&call(1), |_| 1).await, Ok(1));
        assert!(abandoned.try_recv().is_err());
    }

    #[tokio::test]
    async fn closing_refuses_what_waits_and_lets_work_in_progress_end() {
        let pool = WorkPool::with_threads(1, 4, || {}).unwrap();
        let (release, blocking) = block(&pool).await;
        let (sender, value) = oneshot::channel();
        let job = move || sender.send(()).unwrap();
        pool.0.0.push(1, Box::new(job)).unwrap();
        // The task of the work in progress holds a clone, so the pool is closed by hand.
        drop(Handle(Arc::clone(&pool.0.0)));
        assert!(value.await.is_err());
        drop(release);
        tokio::time::timeout(Duration::from_secs(60), blocking)
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn work_is_told_to_stop_when_its_caller_goes_away_or_its_time_is_over() {
        let pool = WorkPool::background(4).unwrap();
        let until_stopped = |began: mpsc::Sender<()>| {
            move |stop: &dyn Fn() -> bool| {
                began.send(()).unwrap();
                while !stop() {
                    thread::yield_now();
                }
            }
        };
        let (began, has_begun) = mpsc::channel();
        let gone = call(1);
        let counted = Arc::downgrade(&pool.0.0);
        let mut abandoned = Box::pin(pool.run(&gone, until_stopped(began.clone())));
        assert!(futures::poll!(&mut abandoned).is_pending());
        has_begun.recv().unwrap();
        drop(abandoned);
        let mut late = call(1);
        late.deadline = Some(Instant::now() + Duration::from_millis(50));
        assert_eq!(pool.run(&late, until_stopped(began)).await, Ok(()));
        assert!(late.is_overdue());
        // Both threads end, so neither still works.
        drop(pool);
        while counted.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
