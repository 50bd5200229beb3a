//! Background tasks that never vanish silently: one that ends or panics is started again after a
//! pause, or ends the server with a reason.

use std::{
    fmt::Display,
    future::{Future, pending},
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures::FutureExt as _;
use prometheus::{IntCounterVec, Registry};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{Register, ServingError, panics::panic_message};

/// Pauses before a task is started again; a task that ran for the longest begins anew.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The background tasks of a server. They are stopped when this is dropped.
#[derive(Debug)]
pub struct Tasks {
    supervisors: JoinSet<ServingError>,
    restarts: IntCounterVec,
}

impl Tasks {
    /// No tasks yet.
    ///
    /// # Errors
    /// The metric of restarts cannot be registered.
    pub(crate) fn new(registry: &Registry) -> Result<Self, ServingError> {
        let restarts = Register(registry).counters(
            "counterweight_task_restarts_total",
            "Background tasks that ended or panicked and were started again.",
            &["task"],
        )?;
        Ok(Self {
            supervisors: JoinSet::new(),
            restarts,
        })
    }

    /// Runs a task that should never end. Whenever it ends or panics, that is logged and counted,
    /// and `start` makes it anew after a pause of 0.1 s that doubles up to 30 s.
    pub fn restart<F>(&mut self, task: &'static str, start: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let restarts = self.restarts.with_label_values(&[task]);
        self.supervisors.spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let began = Instant::now();
                let reason = match run(start()).await {
                    Ok(()) => "it returned".to_owned(),
                    Err(panic) => panic,
                };
                if began.elapsed() >= LONGEST_PAUSE {
                    pause = FIRST_PAUSE;
                }
                tracing::error!(
                    task,
                    reason,
                    ?pause,
                    "a background task ended; restarting it"
                );
                restarts.inc();
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
    }

    /// Runs a task that the server cannot do without: when it ends or panics, the server stops.
    pub fn require<E: Display + Send + 'static>(
        &mut self,
        task: &'static str,
        future: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.supervisors.spawn(async move {
            let reason = match run(future).await {
                Ok(Ok(())) => "it returned".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic,
            };
            ServingError::TaskEnded { task, reason }
        });
    }

    /// Resolves when a required task has ended.
    pub(crate) async fn ended(&mut self) -> ServingError {
        match self.supervisors.join_next().await {
            Some(Ok(error)) => error,
            // Supervisors catch the panics of their tasks and do not panic themselves.
            Some(Err(error)) => ServingError::TaskEnded {
                task: "supervisor",
                reason: error.to_string(),
            },
            None => pending().await,
        }
    }
}

/// Runs a future to its end, or returns the message of its panic.
async fn run<T>(future: impl Future<Output = T>) -> Result<T, String> {
    // Tasks share only state that is valid between any two steps; a restart reads it afresh.
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .map_err(|panic| format!("it panicked: {}", panic_message(&*panic)))
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_returns_is_restarted_with_growing_pauses() {
        let registry = Registry::new();
        let mut tasks = Tasks::new(&registry).unwrap();
        let (sender, mut starts) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        tasks.restart("test", move || {
            let (sender, count) = (sender.clone(), Arc::clone(&count));
            async move {
                sender.send(Instant::now()).unwrap();
                match count.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("on purpose"),
                    1 => {}
                    _ => pending().await,
                }
            }
        });
        let first = starts.recv().await.unwrap();
        let second = starts.recv().await.unwrap();
        let third = starts.recv().await.unwrap();
        assert!(second - first >= FIRST_PAUSE && third - second >= FIRST_PAUSE * 2);
        assert_eq!(tasks.restarts.with_label_values(&["test"]).get(), 2);
    }

    #[tokio::test]
    async fn a_required_task_that_ends_is_reported_with_its_reason() {
        let mut tasks = Tasks::new(&Registry::new()).unwrap();
        tasks.restart("other", pending);
        tasks.require("listener", async { Err("broken pipe") });
        let error = tasks.ended().await.to_string();
        assert_eq!(error, "the background task \"listener\" ended: broken pipe");
        tasks.require("listener", async {
            panic!("on purpose") as Result<(), Infallible>
        });
        assert!(tasks.ended().await.to_string().contains("on purpose"));
    }
}
