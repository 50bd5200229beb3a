//! The closed loop: each worker sends its next request when its last one has been answered.

use tokio::{task::JoinSet, time::Instant};

use crate::{phase::Phase, tally::Outcome};

/// Keeps `concurrency` requests in flight until the phase ends, then waits for the last answers.
pub(crate) async fn run(phase: Phase, concurrency: usize) {
    let until = Instant::now() + phase.length;
    let mut workers = JoinSet::new();
    for worker in 0..concurrency {
        workers.spawn(work(phase.clone(), worker, until));
    }
    workers.join_all().await;
}

async fn work(phase: Phase, worker: usize, until: Instant) {
    let callers = &phase.prepared.callers;
    let mut caller = callers[worker % callers.len()].clone();
    // Workers start at different requests.
    for message in phase.prepared.messages.iter().cycle().skip(worker) {
        let sent = Instant::now();
        if sent >= until {
            return;
        }
        let answer = caller.call(message.clone(), sent + phase.timeout).await;
        let outcome = Outcome {
            latency: sent.elapsed(),
            lag: None,
            answer: answer
                .map(|bytes| bytes.len())
                .map_err(|status| status.code()),
        };
        phase.recorder.record(worker, &outcome);
    }
}
