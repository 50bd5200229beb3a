//! Keeps the ramps going: appends the step that is due. Every combiner does; compare-and-set lets one win.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{
    entry::{Cause, Entry},
    live::LiveWeights,
    plan::{Context, due, next_due_ms},
    profile::Ramp,
};
use crate::error::Error;

/// The longest sleep: a clock that was set is noticed after it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl LiveWeights {
    /// Appends the steps of all ramps when they are due, for as long as the server runs.
    pub async fn run_ramps(&self) {
        let mut newest = self.subscribe();
        loop {
            newest.borrow_and_update();
            let outcome = self.step_ramps(now_ms()).await;
            let wait = match outcome {
                Ok(true) => continue,
                Ok(false) => self.until_next(now_ms()),
                Err(error) => {
                    tracing::warn!(%error, "a step of a ramp cannot be taken; it is tried again");
                    LOOK_AGAIN
                }
            };
            let _ = timeout(wait, newest.changed()).await;
            // A sender that is gone would answer at once, for ever; the server is going down then.
            if newest.has_changed().is_err() {
                sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// Takes one step of every ramp that has one due at `now_ms`; says whether there was any.
    pub(super) async fn step_ramps(&self, now_ms: u64) -> Result<bool, Error> {
        let mut any = false;
        for (position, ramp) in self.ramps() {
            if due(&ramp, now_ms) > ramp.step {
                any |= self.step_ramp(position, &ramp, now_ms).await?.is_some();
            }
        }
        Ok(any)
    }

    async fn step_ramp(
        &self,
        position: usize,
        ramp: &Ramp,
        now_ms: u64,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let planner = self.planner(Context::default());
        let cause = Cause {
            author: ramp.author.clone(),
            reason: ramp.reason.clone(),
            idempotency_key: Uuid::now_v7().to_string(),
            request_digest: String::new(),
        };
        self.commit(cause, |log| planner.ramp_step(log, position, now_ms))
            .await
    }

    /// The ramps under way, with the positions of their profiles.
    fn ramps(&self) -> Vec<(usize, Ramp)> {
        let (_, profiles) = self.all();
        let ramps = profiles.iter().enumerate();
        ramps
            .filter_map(|(at, in_force)| Some((at, in_force.ramp.clone()?)))
            .collect()
    }

    fn until_next(&self, now_ms: u64) -> Duration {
        let next = self.ramps().iter().map(|(_, ramp)| next_due_ms(ramp)).min();
        next.map_or(LOOK_AGAIN, |next| {
            Duration::from_millis(next.saturating_sub(now_ms)).min(LOOK_AGAIN)
        })
    }
}

/// Milliseconds since 1970 by this machine's clock.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
