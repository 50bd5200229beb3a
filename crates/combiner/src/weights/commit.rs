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
    store::Appended,
};
use crate::error::CombinerError;

/// The longest that a write takes, whatever the store does.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between attempts after a write whose outcome is not known, and after a lost race.
const PAUSE: Duration = Duration::from_millis(20);

impl LiveWeights {
    /// Stores and applies what `plan` makes of the log's state, or answers a repeat of `cause` with its first entry; none
    /// when there is nothing to change.
    ///
    /// `plan` is called again when the log has moved on meanwhile: it alone decides whether that is a conflict.
    ///
    /// # Errors
    /// What `plan` refuses; [`CombinerError::KeyReused`]; a store that is lost, within a bounded time.
    pub(crate) async fn commit(
        &self,
        cause: Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, CombinerError>,
    ) -> Result<Option<Arc<Entry>>, CombinerError> {
        let mut doubt = None;
        match timeout(PATIENCE, self.attempts(&cause, plan, &mut doubt)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(doubt.unwrap_or_else(|| CombinerError::StoreUnavailable {
                store: self.config.store.to_string(),
                reason: format!("it took no entry within {} s", PATIENCE.as_secs()),
            })),
        }
    }

    /// `doubt` is set while an entry may have been written without anyone knowing.
    async fn attempts(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, CombinerError>,
        doubt: &mut Option<CombinerError>,
    ) -> Result<Option<Arc<Entry>>, CombinerError> {
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
                        // An earlier attempt is found now, or can not arrive any more: the log has gone past its place.
                        Ok(true) => *doubt = None,
                        Ok(false) => sleep(PAUSE).await,
                        Err(error) if doubt.is_none() => return Err(error),
                        Err(_) => sleep(PAUSE).await,
                    }
                }
                Err(error @ CombinerError::StoreAmbiguous { .. }) => {
                    *doubt = Some(error);
                    sleep(PAUSE).await;
                }
                Err(error) => return Err(known.unwrap_or(error)),
            }
        }
    }

    fn ambiguous(&self, cause: &Cause) -> CombinerError {
        CombinerError::StoreAmbiguous {
            store: self.config.store.to_string(),
            reason: "it did not answer in time".to_owned(),
            key: cause.idempotency_key.clone(),
        }
    }

    async fn repeated(&self, cause: &Cause) -> Result<Option<Entry>, CombinerError> {
        let Some(revision) = self.state().used(&cause.idempotency_key) else {
            return Ok(None);
        };
        match self.store.read(revision, 1).await?.pop() {
            Some(first) if first.cause.request_digest == cause.request_digest => Ok(Some(first)),
            _ => Err(CombinerError::KeyReused {
                key: cause.idempotency_key.clone(),
                revision,
            }),
        }
    }

    fn seal(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, CombinerError>,
    ) -> Result<Option<Sealed>, CombinerError> {
        let state = self.state();
        let Some(change) = plan(&state)? else {
            return Ok(None);
        };
        let now = SystemTime::now().into();
        Sealed::new(state.last + 1, &state.last_hash, change, cause.clone(), now)
            .map(Some)
            .map_err(|error| CombinerError::Internal {
                what: error.to_string(),
            })
    }
}
