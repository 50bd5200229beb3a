//! Writing: a change is planned against the log's state, sealed to its place and offered to the store, and again when the log
//! has moved on meanwhile. An entry whose fate is not known is looked for before anything is tried again.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{sleep, timeout};

use super::{
    entry::{Cause, Change, Entry, Sealed},
    live::LiveWeights,
    log_state::LogState,
    plan::{Context, Planner, ProfileAt, ProfileChange, RampPlan, Restored},
    store::Appended,
};
use crate::error::{Error, PlanError, StoreError};

/// The longest that a write takes, whatever the store does.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between attempts after a write whose outcome is not known, and after a lost race.
const PAUSE: Duration = Duration::from_millis(20);

/// A change of the log.
#[derive(Debug, Clone)]
pub enum Command {
    /// Sets weights and audiences, or confirms weights for other models.
    Set(Vec<ProfileChange>),
    /// Restores some profiles as they were.
    Rollback {
        /// The revision that is restored.
        revision: u64,
        /// The profiles, each with what the log said of it then.
        profiles: Vec<Restored>,
    },
    /// Starts a ramp.
    StartRamp(RampPlan),
    /// Stops the ramp of a profile.
    StopRamp(ProfileAt),
    /// Puts the safe set of the profile of this name in force; an empty name means of all.
    Kill(String),
}

impl Planner {
    fn plan(&self, log: &LogState, command: &Command) -> Result<Change, PlanError> {
        match command {
            Command::Set(changes) => self.set(log, changes),
            Command::Rollback { revision, profiles } => self.rollback(log, *revision, profiles),
            Command::StartRamp(plan) => self.start_ramp(log, plan),
            Command::StopRamp(at) => self.stop_ramp(log, at),
            Command::Kill(profile) => self.kill(profile),
        }
    }
}

impl LiveWeights {
    /// Plans a change of the log and commits it, or answers a repeat of `cause` with its first entry.
    /// It goes on in a task of its own, so that a caller who goes away leaves nothing half done.
    ///
    /// # Errors
    /// The change is refused; a store that is lost, within a bounded time.
    pub async fn change(
        self: &Arc<Self>,
        cause: Cause,
        context: Context,
        command: Command,
    ) -> Result<Arc<Entry>, Error> {
        let live = Arc::clone(self);
        let internal = |what: String| Error::Store(StoreError::Internal { what });
        let planner = self.planner(context);
        let write = async move {
            live.commit(cause, |log| planner.plan(log, &command).map(Some))
                .await
        };
        let outcome = tokio::spawn(write).await;
        let entry = outcome.map_err(|error| internal(error.to_string()))??;
        entry.ok_or_else(|| internal("a change changed nothing".to_owned()))
    }

    /// Stores and applies what `plan` makes of the log's state, or answers a repeat of `cause` with its first entry; none
    /// when there is nothing to change.
    ///
    /// `plan` is called again when the log has moved on meanwhile: it alone decides whether that is a conflict.
    ///
    /// # Errors
    /// What `plan` refuses; [`PlanError::KeyReused`]; a store that is lost, within a bounded time.
    pub(crate) async fn commit(
        &self,
        cause: Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let mut doubt: Option<StoreError> = None;
        match timeout(PATIENCE, self.attempts(&cause, plan, &mut doubt)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let reason = || format!("it took no entry within {} s", PATIENCE.as_secs());
                Err(doubt
                    .unwrap_or_else(|| StoreError::Unavailable {
                        store: self.config.store.to_string(),
                        reason: reason(),
                    })
                    .into())
            }
        }
    }

    /// `doubt` is set while an entry may have been written without anyone knowing.
    async fn attempts(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
        doubt: &mut Option<StoreError>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let _turn = self.writing.lock().await;
        loop {
            if doubt.is_some() && self.catch_up().await.is_err() {
                sleep(PAUSE).await;
                continue;
            }
            if let Some(first) = self.repeated(cause).await? {
                return Ok(Some(Arc::new(first)));
            }
            let Some(sealed) = self.seal(cause, &plan)? else {
                return Ok(None);
            };
            let known = doubt.take();
            *doubt = Some(self.ambiguous(cause));
            match self.store.append(&sealed).await {
                Ok(Appended::Committed) => {
                    let entry = Arc::new(sealed.entry);
                    self.apply(&entry)?;
                    return Ok(Some(entry));
                }
                Ok(Appended::Conflict) => {
                    *doubt = known;
                    match self.catch_up().await {
                        // An earlier attempt is found now, or cannot arrive any more: the log has gone past its place.
                        Ok(true) => *doubt = None,
                        Ok(false) => sleep(PAUSE).await,
                        Err(error) if doubt.is_none() => return Err(error.into()),
                        Err(_) => sleep(PAUSE).await,
                    }
                }
                Err(error @ StoreError::Ambiguous { .. }) => {
                    *doubt = Some(error);
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(known.unwrap_or(error).into()),
            }
        }
    }

    fn ambiguous(&self, cause: &Cause) -> StoreError {
        StoreError::Ambiguous {
            store: self.config.store.to_string(),
            reason: "it did not answer in time".to_owned(),
            key: cause.idempotency_key.clone(),
        }
    }

    async fn repeated(&self, cause: &Cause) -> Result<Option<Entry>, Error> {
        let Some(revision) = self.state().used(&cause.idempotency_key) else {
            return Ok(None);
        };
        match self.store.read(revision, 1).await?.pop() {
            Some(first) if first.cause.request_digest == cause.request_digest => Ok(Some(first)),
            _ => Err(PlanError::KeyReused {
                key: cause.idempotency_key.clone(),
                revision,
            }
            .into()),
        }
    }

    fn seal(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
    ) -> Result<Option<Sealed>, Error> {
        let state = self.state();
        let Some(change) = plan(&state)? else {
            return Ok(None);
        };
        let now = SystemTime::now().into();
        Sealed::new(state.last + 1, &state.last_hash, change, cause.clone(), now)
            .map(Some)
            .map_err(|error| {
                let what = error.to_string();
                StoreError::Internal { what }.into()
            })
    }
}
