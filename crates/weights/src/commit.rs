//! Commits a change: plans it against the log's state, seals it to its place and offers it to the
//! store, and starts again when another entry took that place. After a write whose outcome is
//! unknown, the log is searched for the entry before anything is written again.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{
    clock::timestamp,
    entry::{Cause, Change, Entry, MAX_PAYLOAD_BYTES, Sealed},
    error::{Error, PlanError, StoreError},
    live::LiveWeights,
    log_state::LogState,
    plan::{Command, Context},
    store::Appended,
};

/// Pause between attempts after a write with an unknown outcome, and after a lost race.
const PAUSE: Duration = Duration::from_millis(20);

impl LiveWeights {
    /// Plans a change of the log and commits it, or answers a repeat of `cause` with its first
    /// entry. The commit runs in its own task, so that a caller who goes away leaves nothing half
    /// done.
    ///
    /// # Errors
    /// The change is refused; the store does not accept it within a bounded time.
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
        entry.ok_or_else(|| internal("a change planned no entry".to_owned()))
    }

    /// Steps over the entry of a stream that cannot be read, or answers a repeat of `cause` with its
    /// first entry.
    ///
    /// # Errors
    /// The entry can be read; the store is out of reach.
    pub async fn skip(&self, cause: Cause, revision: u64) -> Result<Arc<Entry>, Error> {
        let _turn = self.writing.lock().await;
        if let Some(first) = self.repeated(&cause).await? {
            return Ok(Arc::new(first));
        }
        let now = timestamp(&*self.config.clock);
        let entry = self.store.skip(revision, cause, now).await?;
        self.catch_up().await?;
        Ok(Arc::new(entry))
    }

    /// Stores and applies what `plan` makes of the log's state, or answers a repeat of `cause` with
    /// its first entry; none when there is nothing to change.
    ///
    /// `plan` is called again when the log has grown meanwhile: it alone decides whether that is a
    /// conflict.
    ///
    /// # Errors
    /// The errors of `plan`; [`PlanError::KeyReused`]; a store that is out of reach, within a
    /// bounded time. After [`StoreError::Ambiguous`] the entry may still become durable; it is
    /// applied then.
    pub(crate) async fn commit(
        &self,
        cause: Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let mut doubt = None;
        match timeout(self.patience, self.attempts(&cause, plan, &mut doubt)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let unavailable = || StoreError::Unavailable {
                    store: self.config.store.to_string(),
                    reason: format!("it accepted no entry within {:?}", self.patience),
                };
                Err(doubt.unwrap_or_else(unavailable).into())
            }
        }
    }

    /// Tries until the entry is committed or refused. `doubt` is set while an earlier attempt may
    /// have written the entry without an acknowledgement.
    async fn attempts(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
        doubt: &mut Option<StoreError>,
    ) -> Result<Option<Arc<Entry>>, Error> {
        // Writers of this combiner take turns: racing each other, all but one would have to plan
        // again. Writers elsewhere are met by the store's compare-and-set.
        let _turn = self.writing.lock().await;
        loop {
            // The entry in doubt may be in the log by now. Planning before the log is read to its
            // end could write the same change twice.
            if doubt.is_some() && self.catch_up().await.is_err() {
                sleep(PAUSE).await;
                continue;
            }
            // Looked up in every round, not only at the start: the attempt in doubt, or a repeat of
            // the call at another combiner, may have written the key meanwhile.
            if let Some(first) = self.repeated(cause).await? {
                return Ok(Some(Arc::new(first)));
            }
            let Some(sealed) = self.seal(cause, &plan)? else {
                return Ok(None);
            };
            // Set before the write: the time limit may drop this future while the store writes, and
            // the caller must then learn that the outcome is unknown.
            let known = doubt.take();
            *doubt = Some(self.ambiguous(cause));
            match self.store.append(&sealed).await {
                Ok(Appended::Committed) => {
                    let entry = Arc::new(sealed.entry);
                    self.apply(&entry)?;
                    return Ok(Some(entry));
                }
                Ok(Appended::Conflict) => {
                    // This attempt wrote nothing, so only an earlier doubt remains.
                    *doubt = known;
                    match self.catch_up().await {
                        // The log has grown past the place of the earlier attempt: the next round
                        // finds that entry by its key, or it can never arrive.
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
                // This attempt wrote nothing, but an earlier one may have.
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

    /// The entry that a change with this key and digest has already written.
    ///
    /// # Errors
    /// [`PlanError::KeyReused`] for another change under the key; a store that cannot be read.
    pub async fn repeated(&self, cause: &Cause) -> Result<Option<Entry>, Error> {
        let now = self.config.clock.since_1970().as_secs().cast_signed();
        // Looked up in everything read from the log, not only in what is applied: an entry that
        // this configuration cannot apply still has its key.
        let used = self
            .known()
            .log
            .revision_of_key(&cause.idempotency_key, now);
        let Some(revision) = used else {
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

    /// Plans the change and gives it its place at the end of the log.
    fn seal(
        &self,
        cause: &Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
    ) -> Result<Option<Sealed>, Error> {
        // One lock for the plan and the place: both must see the same end of the log, or the store
        // could accept a change that was planned against an older state.
        let known = self.known();
        let Some(change) = plan(&known.log)? else {
            return Ok(None);
        };
        self.check_applicable(&known, &change)?;
        let (last, hash) = (known.log.last, &known.log.last_hash);
        let now = timestamp(&*self.config.clock);
        let sealed = Sealed::new(last + 1, hash, change, cause.clone(), now).map_err(|error| {
            let what = error.to_string();
            StoreError::Internal { what }
        })?;
        match sealed.payload.len() {
            0..=MAX_PAYLOAD_BYTES => Ok(Some(sealed)),
            bytes => Err(PlanError::EntryTooLarge {
                bytes,
                most: MAX_PAYLOAD_BYTES,
            }
            .into()),
        }
    }
}
