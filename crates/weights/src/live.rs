//! The weights that are in force: one snapshot per request, writers who take turns by compare-and-set, and watchers that
//! no writer waits for.
//!
//! Whoever committed an entry, it comes to be in force on one way only: [`LiveWeights::apply`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::{
    sync::{self, watch},
    time::sleep,
};

use super::{
    entry::Entry,
    in_force::{InForce, warn_of_differences},
    log_state::LogState,
    store::{Reach, Store},
};
use crate::{
    config::Config,
    error::StoreError,
    metrics::Metrics,
    plan::{Context, Planner},
};

/// Between attempts to follow a store that fails.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);
/// Entries that are read at once.
pub(super) const READ_AHEAD: usize = 256;

/// All weights at one revision of the log.
#[derive(Debug, Clone)]
struct Snapshot {
    applied: u64,
    /// In the order of the configured profiles.
    profiles: Vec<Arc<InForce>>,
}

/// The weights of a running combiner.
#[derive(Debug)]
pub struct LiveWeights {
    pub(super) config: Arc<Config>,
    current: ArcSwap<Snapshot>,
    pub(super) store: Store,
    reach: Arc<Reach>,
    metrics: Metrics,
    state: Mutex<LogState>,
    /// This server's writers go one after another; other servers' are met by compare-and-set.
    pub(super) writing: sync::Mutex<()>,
    /// The newest entry that is applied, or none when there was none since the start; only a signal, the log is the truth.
    newest: watch::Sender<Option<Arc<Entry>>>,
}

impl LiveWeights {
    /// Opens the store and applies every entry on top of the configured defaults.
    ///
    /// Entries of profiles and objectives that are no longer configured stay in the log and are not applied.
    ///
    /// # Errors
    /// The store cannot be opened; a metric of `registry` has the name of one of the weights.
    pub async fn open(config: Arc<Config>, registry: &Registry) -> Result<Self, StoreError> {
        let metrics = Metrics::new(registry).map_err(|error| StoreError::Internal {
            what: format!("metrics: {error}"),
        })?;
        let reach = Arc::new(Reach::new(metrics.store_lost.clone()));
        let store = Store::open(&config, metrics.end.clone(), Arc::clone(&reach)).await?;
        Self::over(config, store, reach, metrics).await
    }

    /// Applies every entry of an open store on top of the configured defaults.
    pub(super) async fn over(
        config: Arc<Config>,
        store: Store,
        reach: Arc<Reach>,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        let mut state = LogState::new();
        loop {
            let entries = store.read(state.last + 1, READ_AHEAD).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                check(&config, &entry, &state)?;
                state.record(&entry);
            }
        }
        warn_of_differences(&config, &state);
        let profiles = config
            .profiles
            .iter()
            .map(|profile| {
                let said = state.profile(&profile.name);
                InForce::new(profile, said).map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        let snapshot = Snapshot {
            applied: state.last,
            profiles,
        };
        let live = Self {
            config,
            current: ArcSwap::from_pointee(snapshot),
            store,
            reach,
            metrics,
            state: Mutex::new(state),
            writing: sync::Mutex::new(()),
            newest: watch::Sender::new(None),
        };
        live.measure(&live.current.load());
        let (applied, hash) = live.end();
        live.store.applied(applied, &hash);
        Ok(live)
    }

    /// The weights of the profile at that position of the configuration: a consistent snapshot.
    pub fn in_force(&self, profile: usize) -> Arc<InForce> {
        Arc::clone(&self.current.load().profiles[profile])
    }

    /// The configuration that it was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The last revision that is applied, with the weights of every profile at it.
    pub fn all(&self) -> (u64, Vec<Arc<InForce>>) {
        let snapshot = self.current.load();
        (snapshot.applied, snapshot.profiles.clone())
    }

    /// The last revision that is applied.
    pub fn applied(&self) -> u64 {
        self.current.load().applied
    }

    /// The last entry that is applied: its revision and its hash, which is empty before the first.
    pub(super) fn end(&self) -> (u64, String) {
        let state = self.state();
        match state.last {
            0 => (0, String::new()),
            last => (last, state.last_hash.clone()),
        }
    }

    /// Ends what keeps the store up to date, so that it can be opened again.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Since when the store is lost; none while it is in reach.
    pub fn lost_since(&self) -> Option<SystemTime> {
        self.reach.lost_since()
    }

    /// A receiver that is told of every entry that is applied; it may miss all but the newest.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Entry>>> {
        self.newest.subscribe()
    }

    /// The stored entries from a revision on, in order, at most `count`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.read(from, count).await
    }

    /// Applies what others commit, for as long as the server runs.
    pub async fn follow(&self) {
        let mut tail = self.store.tail(self.applied());
        loop {
            let outcome = match tail.next().await {
                Ok(entry) if entry.revision > self.applied() + 1 => self.catch_up().await.map(drop),
                Ok(entry) => self.apply(&Arc::new(entry)),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "the weights store cannot be followed");
                sleep(FOLLOW_PAUSE).await;
            }
        }
    }

    /// Reads and applies whatever the log has more than is applied; says whether that was anything.
    pub(super) async fn catch_up(&self) -> Result<bool, StoreError> {
        let mut any = false;
        loop {
            let entries = self.store.read(self.applied() + 1, READ_AHEAD).await?;
            if entries.is_empty() {
                return Ok(any);
            }
            any = true;
            for entry in entries {
                self.apply(&Arc::new(entry))?;
            }
        }
    }

    /// Puts the entry after the last one in force; one that is applied already changes nothing.
    pub(super) fn apply(&self, entry: &Arc<Entry>) -> Result<(), StoreError> {
        // Held to the end: snapshots, metrics and signals come in the order of the log.
        let mut state = self.state();
        if entry.revision <= state.last {
            return Ok(());
        }
        check(&self.config, entry, &state)?;
        state.record(entry);
        let mut next = Snapshot::clone(&self.current.load());
        next.applied = entry.revision;
        for set in &entry.change.profiles {
            let Some(profile) = self.config.position(&set.profile) else {
                continue;
            };
            let configured = &self.config.profiles[profile];
            match InForce::new(configured, state.profile(&set.profile)) {
                Ok(in_force) => next.profiles[profile] = Arc::new(in_force),
                // Another server with another configuration wrote it.
                Err(error) => {
                    tracing::error!(%error, "the profile keeps the weights that it had");
                }
            }
        }
        self.measure(&next);
        self.current.store(Arc::new(next));
        self.newest.send_replace(Some(Arc::clone(entry)));
        self.store.applied(entry.revision, &entry.hash);
        tracing::info!(
            revision = entry.revision,
            author = entry.cause.author,
            reason = entry.cause.reason,
            "weights changed"
        );
        Ok(())
    }

    fn measure(&self, snapshot: &Snapshot) {
        let names = self.config.profiles.iter().map(|profile| &*profile.name);
        let revisions = snapshot.profiles.iter().map(|in_force| in_force.revision);
        self.metrics
            .set_applied(snapshot.applied, names.zip(revisions));
    }

    /// Plans changes of this log.
    pub(super) fn planner(&self, context: Context) -> Planner {
        Planner {
            config: Arc::clone(&self.config),
            context,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(config: &Config, entry: &Entry, state: &LogState) -> Result<(), StoreError> {
    let revision = state.last + 1;
    entry
        .follows(revision, &state.last_hash)
        .map_err(|problem| StoreError::Corrupt {
            store: config.store.to_string(),
            revision,
            problem,
        })
}
