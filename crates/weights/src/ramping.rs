//! Appends the steps of ramps when they are due. Every combiner tries; compare-and-set lets one
//! win.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    clock::now_ms,
    entry::{Cause, Entry},
    error::Error,
    live::LiveWeights,
    plan::{Context, due, next_due_ms},
    profile::Ramp,
};

/// The longest sleep: a change of the system clock is noticed after it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl LiveWeights {
    /// Appends the steps of all ramps when they are due, for as long as the server runs.
    pub async fn run_ramps(&self) {
        let mut newest = self.subscribe();
        loop {
            // Marks what is there as seen, so that `changed` waits for the next entry.
            newest.borrow_and_update();
            let now = now_ms(&*self.config.clock);
            let wait = match self.step_ramps(now).await {
                Ok(true) => continue,
                Ok(false) => self.until_next(now),
                Err(error) => {
                    tracing::warn!(%error, "a step of a ramp cannot be taken now; the next attempt follows");
                    LOOK_AGAIN
                }
            };
            // It never errs: the sender is a field of `self`.
            let _ = timeout(wait, newest.changed()).await;
        }
    }

    /// Takes one step of every ramp that has one due at `now_ms`; says whether there was any.
    pub(super) async fn step_ramps(&self, now_ms: u64) -> Result<bool, Error> {
        // While an entry cannot be applied this combiner writes nothing that leaves it so; another
        // one takes the step.
        if self.blocked().is_some() {
            return Ok(false);
        }
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
        let positions = 0..self.config.profiles.len();
        positions
            .filter_map(|at| Some((at, self.logged(at).ramp.clone()?)))
            .collect()
    }

    /// How long to wait after no step could be taken at `now_ms`.
    fn until_next(&self, now_ms: u64) -> Duration {
        let ramps = self.ramps();
        let next = ramps.iter().map(|(_, ramp)| next_due_ms(ramp)).min();
        match next.and_then(|next| next.checked_sub(now_ms)) {
            // A step that is due and could not be taken is not tried again at once.
            None | Some(0) => LOOK_AGAIN,
            Some(wait) => Duration::from_millis(wait).min(LOOK_AGAIN),
        }
    }
}
