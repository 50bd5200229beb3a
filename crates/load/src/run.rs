//! Executes a run: checks the options, prepares the requests, warms up and measures.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    LoadError, Mode, Options, Report, Workload, closed, open,
    phase::Phase,
    request::{Prepared, prepare},
    tally::Recorder,
};

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// True during the warm-up, whose requests are not counted in the report.
    pub warming_up: bool,
    /// Time since the start of this phase.
    pub elapsed: Duration,
    /// Length of this phase, in which requests are sent.
    pub total: Duration,
    /// Requests of this phase answered OK.
    pub answered: u64,
    /// Requests of this phase that failed.
    pub failed: u64,
}

/// Loads a server as described by the options. `progress` is called about ten times per second.
///
/// Runs on the tokio runtime of the caller. On a multi-threaded runtime, latencies include wake-ups
/// across threads. A separate current-thread runtime generates load with less overhead.
///
/// # Errors
/// When an option is out of range, or the server cannot be reached, does not describe its inputs or
/// does not answer the first request properly. Failures during the run are counted in the report.
pub async fn run(
    options: &Options,
    mut progress: impl FnMut(Progress),
) -> Result<Report, LoadError> {
    check(options)?;
    let prepared = Arc::new(prepare(options).await?);
    if options.warm_up_seconds > 0.0 {
        phase(options, &prepared, true, &mut progress).await?;
    }
    let (recorder, elapsed) = phase(options, &prepared, false, &mut progress).await?;
    let bytes = prepared.request_bytes();
    Ok(Report::new(
        options,
        prepared.method,
        bytes,
        elapsed,
        &recorder.total(),
    ))
}

async fn phase(
    options: &Options,
    prepared: &Arc<Prepared>,
    warming_up: bool,
    progress: &mut impl FnMut(Progress),
) -> Result<(Arc<Recorder>, Duration), LoadError> {
    let seconds = if warming_up {
        options.warm_up_seconds
    } else {
        options.seconds
    };
    let length = Duration::from_secs_f64(seconds);
    let shards = match options.mode {
        Mode::Closed { concurrency } => concurrency.min(64),
        Mode::Open { .. } => 8,
    };
    let phase = Phase {
        prepared: Arc::clone(prepared),
        recorder: Arc::new(Recorder::new(shards)),
        timeout: options.timeout,
        length,
    };
    let recorder = Arc::clone(&phase.recorder);
    let start = Instant::now();
    let work = async {
        match options.mode {
            Mode::Closed { concurrency } => closed::run(phase, concurrency).await,
            Mode::Open { rate } => return open::run(phase, rate).await,
        }
        Ok(())
    };
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(work);
    loop {
        let finished = tokio::select! {
            result = &mut work => { result?; true }
            _ = tick.tick() => false,
        };
        let (answered, failed) = recorder.counts();
        let elapsed = start.elapsed();
        progress(Progress {
            warming_up,
            elapsed,
            total: length,
            answered,
            failed,
        });
        if finished {
            return Ok((recorder, elapsed));
        }
    }
}

fn check(options: &Options) -> Result<(), LoadError> {
    let refuse = |option, value: String, expected| {
        Err(LoadError::Option {
            option,
            value,
            expected,
        })
    };
    let longest = 86_400.0;
    let seconds = options.seconds;
    if !(seconds > 0.0 && seconds <= longest) {
        let expected = "give a number above 0 and at most 86400, which is a day";
        return refuse("seconds", seconds.to_string(), expected);
    }
    let warm_up = options.warm_up_seconds;
    if !(0.0..=longest).contains(&warm_up) {
        let expected = "give 0 or a number up to 86400, which is a day";
        return refuse("warm_up_seconds", warm_up.to_string(), expected);
    }
    if options.channels == 0 {
        return refuse("channels", "0".into(), "give 1 or more connections");
    }
    if options.timeout.is_zero() {
        return refuse("timeout", "0".into(), "give a time above 0");
    }
    match options.mode {
        Mode::Closed { concurrency: 0 } => {
            let expected = "give 1 or more requests in flight";
            return refuse("concurrency", "0".into(), expected);
        }
        Mode::Open { rate } if !(rate > 0.0 && rate <= 1e7) => {
            let expected = "give arrivals per second above 0 and at most ten million";
            return refuse("rate", rate.to_string(), expected);
        }
        Mode::Closed { .. } | Mode::Open { .. } => {}
    }
    match &options.workload {
        Workload::Rank(rank) if rank.candidates == 0 => {
            refuse("candidates", "0".into(), "give 1 or more candidates")
        }
        Workload::Infer(infer) if infer.rows == 0 => {
            refuse("rows", "0".into(), "give 1 or more rows")
        }
        Workload::Rank(_) | Workload::Infer(_) => Ok(()),
    }
}
