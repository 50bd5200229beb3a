//! The kill switch of one combiner, for the time in which the store is out of reach: the safe sets
//! are in force here and nowhere else, in memory and in a file beside the log, so that a restart
//! keeps them. It ends when the store is in reach again: then the log says what is in force, and
//! the kill switch for all combiners works.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    clock::now_ms,
    entry::Cause,
    error::{Error, Mismatch, PlanError},
    in_force::InForce,
    live::LiveWeights,
    local_switch::LocalKill,
    plan::Context,
};

/// How often the store is tried while nothing is written.
const TRY_EVERY: Duration = Duration::from_secs(1);

impl LiveWeights {
    /// The last local kill since the start, or from before it; none when there was none.
    #[must_use]
    pub fn local_kill(&self) -> Option<LocalKill> {
        let thrown = self.local.thrown.load();
        Some(thrown.as_ref()?.kill.clone())
    }

    /// Puts the safe set of one profile, or of all that declare one, in force on this combiner
    /// alone, until the store is in reach again.
    ///
    /// # Errors
    /// The store is in reach; no safe set is declared.
    pub async fn kill_locally(&self, cause: Cause, profile: &str) -> Result<LocalKill, Error> {
        // Nobody may have written since the store was lost. The outcome is kept as its health.
        let _ = self.store.try_out().await;
        if self.lost_since().is_none() {
            return Err(PlanError::StoreInReach.into());
        }
        let change = self.planner(Context::default()).kill(profile)?;
        let mut profiles: Vec<String> = change.profile_names().map(str::to_owned).collect();
        if let Some(before) = self.local_kill().filter(|kill| kill.ended_ms.is_none()) {
            profiles.extend(before.profiles);
            profiles.sort();
            profiles.dedup();
        }
        let mut kill = LocalKill {
            profiles,
            author: cause.author,
            reason: cause.reason,
            started_ms: now_ms(&*self.config.clock),
            ended_ms: None,
            not_kept: String::new(),
        };
        // In force first: a disk that is full must not stop it.
        self.put_in_force(kill.clone())
            .map_err(PlanError::Mismatch)?;
        if let Err(error) = self.keep(&kill).await {
            kill.not_kept = format!("{}: {error}", self.local.path.display());
            self.put_in_force(kill.clone())
                .map_err(PlanError::Mismatch)?;
        }
        tracing::warn!(
            profiles = kill.profiles.join(", "),
            author = kill.author,
            reason = kill.reason,
            not_kept = kill.not_kept,
            "the safe weights are in force on this combiner alone, until the weights store is in reach again"
        );
        Ok(kill)
    }

    /// Takes up the local kill that was in force before a restart.
    pub(crate) fn restore_local_kill(&self) -> Result<(), Mismatch> {
        let kill = match read(&self.local.path) {
            Ok(Some(kill)) => kill,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::error!(
                    file = %self.local.path.display(),
                    %error,
                    "the file of a local kill cannot be read, and is ignored"
                );
                return Ok(());
            }
        };
        self.store.distrust();
        self.put_in_force(kill)
    }

    /// Notices that the store is lost or back although nobody writes, and ends a local kill when it
    /// is back, for as long as the server runs.
    pub async fn watch_store(&self) {
        let mut reason = self.health.reason();
        loop {
            // The outcome is kept as the health of the store.
            let _ = self.store.try_out().await;
            self.end_local_kill().await;
            // It never errs: the sender is a field of `self`.
            let _ = timeout(TRY_EVERY, reason.changed()).await;
        }
    }

    /// Ends the local kill if the store is in reach and all that it says is applied.
    async fn end_local_kill(&self) {
        let Some(kill) = self.local_kill().filter(|kill| kill.ended_ms.is_none()) else {
            return;
        };
        if self.lost_since().is_some() || self.catch_up().await.is_err() {
            return;
        }
        match fs::remove_file(&self.local.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(
                    file = %self.local.path.display(),
                    %error,
                    "the file of a local kill that has ended cannot be removed; remove it"
                );
            }
            _ => {}
        }
        tracing::warn!(
            profiles = kill.profiles.join(", "),
            revision = self.applied(),
            "the local kill has ended, since the weights store is in reach again; the weights of the log are in force"
        );
        let kill = LocalKill {
            ended_ms: Some(now_ms(&*self.config.clock)),
            ..kill
        };
        self.local.set(kill, Vec::new());
    }

    /// Profiles that are not configured any more, or have no safe set any more, are left out.
    fn put_in_force(&self, kill: LocalKill) -> Result<(), Mismatch> {
        let planner = self.planner(Context::default());
        let mut safe = vec![None; self.config.profiles.len()];
        for name in &kill.profiles {
            let Some(at) = self.config.position(name) else {
                continue;
            };
            let Ok(change) = planner.kill(name) else {
                continue;
            };
            for state in change.profiles {
                let revision = self.logged(at).revision;
                let killed = InForce::new(&self.config.profiles[at], Some(&(revision, state)));
                safe[at] = Some(Arc::new(InForce {
                    local_kill: true,
                    ..killed?
                }));
            }
        }
        self.local.set(kill, safe);
        Ok(())
    }

    async fn keep(&self, kill: &LocalKill) -> io::Result<()> {
        let bytes = serde_json::to_vec(kill)?;
        let path = self.local.path.clone();
        let write = move || counterweight_files::write_file(&path, &bytes);
        tokio::task::spawn_blocking(write).await?
    }
}

/// The local kill that is kept in a file; none where there is no file.
fn read(path: &Path) -> io::Result<Option<LocalKill>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
