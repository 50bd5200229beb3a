//! One run: checks the options, prepares the requests, warms up, measures.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior};

use crate::{
    LoadError, Mode, Options, Report, Workload, closed, open,
    phase::Phase,
    request::{Prepared, prepare},
    tally::Recorder,
};

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// True while requests are sent but not counted into the report.
    pub warming_up: bool,
    /// Time since this phase began.
    pub elapsed: Duration,
    /// How long this phase sends requests.
    pub total: Duration,
    /// Requests of this phase answered OK.
    pub answered: u64,
    /// Requests of this phase that failed.
    pub failed: u64,
}

/// Loads a server as the options say; `progress` is called about ten times a second.
///
/// Runs on the tokio runtime of the caller. The latency of a multi-threaded runtime includes its
/// wake-ups across threads; a separate current-thread runtime generates load with less overhead.
///
/// # Errors
/// When an option has no meaning, the server cannot be reached, does not describe its inputs or
/// refuses the first request. Failures during the run are counted in the report.
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
        let expected = "give a number above 0, a day at most";
        return refuse("seconds", seconds.to_string(), expected);
    }
    let warm_up = options.warm_up_seconds;
    if !(0.0..=longest).contains(&warm_up) {
        let expected = "give 0 or more, a day at most";
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
            return refuse("concurrency", "0".into(), "give 1 or more in flight");
        }
        Mode::Open { rate } if !(rate > 0.0 && rate <= 1e7) => {
            let expected = "give arrivals per second above 0, ten million at most";
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
