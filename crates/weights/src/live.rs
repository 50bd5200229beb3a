//! The weights that are in force: one snapshot per request, writers who take turns by
//! compare-and-set, and watchers that no writer waits for.
//!
//! All entries, local or remote, take effect through [`LiveWeights::apply`].

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use prometheus::Registry;
use tokio::{
    sync::{self, watch},
    time::sleep,
};

use crate::{
    config::Config,
    entry::{Change, Entry},
    error::{Mismatch, StoreError},
    in_force::{InForce, warn_of_differences},
    local_switch::LocalSwitch,
    log_state::LogState,
    metrics::Metrics,
    plan::{Context, Planner},
    store::{Store, StoreHealth},
};

/// Pause between attempts to follow a store that fails.
const FOLLOW_PAUSE: Duration = Duration::from_millis(200);
/// Entries that are read at once.
pub(crate) const READ_AHEAD: usize = 256;
/// The longest time for a write, after which it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// All weights at one revision of the log.
#[derive(Debug)]
struct Snapshot {
    applied: u64,
    /// The hash of that entry; empty at revision 0.
    hash: String,
    /// In the order of the configured profiles.
    profiles: Vec<Arc<InForce>>,
}

/// What the log says, which may be more than is applied.
///
/// A combiner with another configuration may write an entry that this configuration cannot apply.
/// Then neither that entry nor any later one is applied: all profiles stay at the last revision at
/// which all of them could be applied, and this combiner reports that revision. It goes on reading.
/// As soon as the log has a state for every profile that can be applied again, all of it is applied
/// at once. Until then this combiner writes only changes that lead there. Opening a log that cannot
/// be applied is an error.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) log: LogState,
    /// The profiles that were set after the revision that is applied.
    waiting: BTreeSet<usize>,
    /// Why they are not applied.
    blocked: Option<Mismatch>,
}

/// The weights of a running combiner.
#[derive(Debug)]
pub struct LiveWeights {
    pub(crate) config: Arc<Config>,
    current: ArcSwap<Snapshot>,
    pub(crate) store: Store,
    pub(crate) health: Arc<StoreHealth>,
    pub(crate) local: LocalSwitch,
    metrics: Metrics,
    known: Mutex<Known>,
    /// Writers of this combiner take turns; those of other combiners are met by compare-and-set.
    pub(crate) writing: sync::Mutex<()>,
    /// The longest that a write takes.
    pub(crate) patience: Duration,
    /// The newest entry that is applied, or none when there was none since the start; only a
    /// signal, the log is the truth.
    newest: watch::Sender<Option<Arc<Entry>>>,
}

impl LiveWeights {
    /// Opens the store and applies every entry on top of the configured defaults.
    ///
    /// Entries of profiles and objectives that are no longer configured stay in the log and are not
    /// applied.
    ///
    /// # Errors
    /// The store cannot be opened, or the log does not fit the configuration; a metric of
    /// `registry` has the name of one of the weights.
    pub async fn open(config: Arc<Config>, registry: &Registry) -> Result<Self, StoreError> {
        let metrics = Metrics::new(registry).map_err(|error| StoreError::Internal {
            what: format!("metrics: {error}"),
        })?;
        let health = Arc::new(StoreHealth::new(
            metrics.store_lost.clone(),
            Arc::clone(&config.clock),
        ));
        let opening = Store::open(&config, &metrics, Arc::clone(&health));
        let (store, log) = opening.await?;
        let live = Self::over(config, store, log, health, metrics).await?;
        live.restore_local_kill()?;
        Ok(live)
    }

    /// Applies every entry of an open store, of which `log` says the first, on top of the
    /// configured defaults.
    pub(crate) async fn over(
        config: Arc<Config>,
        store: Store,
        mut log: LogState,
        health: Arc<StoreHealth>,
        metrics: Metrics,
    ) -> Result<Self, StoreError> {
        loop {
            let entries = store.read(log.last + 1, READ_AHEAD).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                check(&config, &entry, &log)?;
                log.record(&entry);
            }
        }
        warn_of_differences(&config, &log);
        let profiles = config.profiles.iter().map(|profile| {
            let in_force = InForce::new(profile, log.profile(&profile.name))?;
            Ok(Arc::new(in_force))
        });
        let snapshot = Snapshot {
            applied: log.last,
            hash: match log.last {
                0 => String::new(),
                _ => log.last_hash.clone(),
            },
            profiles: profiles.collect::<Result<_, StoreError>>()?,
        };
        let live = Self {
            local: LocalSwitch::new(&config, metrics.local_kill.clone()),
            config,
            current: ArcSwap::from_pointee(snapshot),
            store,
            health,
            metrics,
            known: Mutex::new(Known {
                log,
                waiting: BTreeSet::new(),
                blocked: None,
            }),
            writing: sync::Mutex::new(()),
            patience: PATIENCE,
            newest: watch::Sender::new(None),
        };
        let snapshot = live.current.load();
        live.measure(&snapshot);
        live.store.applied(snapshot.applied, &snapshot.hash);
        drop(snapshot);
        Ok(live)
    }

    /// The configuration that it was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The weights of the profile at that position of the configuration: a consistent snapshot.
    #[must_use]
    pub fn in_force(&self, profile: usize) -> Arc<InForce> {
        let local = self.local.safe(profile);
        local.unwrap_or_else(|| self.logged(profile))
    }

    /// The weights of the profile at that position as the log has them, which a local kill may
    /// replace for now.
    #[must_use]
    pub fn logged(&self, profile: usize) -> Arc<InForce> {
        Arc::clone(&self.current.load().profiles[profile])
    }

    /// The last revision that is applied, with the weights of every profile that are in force.
    #[must_use]
    pub fn all(&self) -> (u64, Vec<Arc<InForce>>) {
        let snapshot = self.current.load();
        let profiles = snapshot.profiles.iter().enumerate();
        let in_force = |(at, logged)| self.local.safe(at).unwrap_or_else(|| Arc::clone(logged));
        (snapshot.applied, profiles.map(in_force).collect())
    }

    /// The last revision that is applied.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.current.load().applied
    }

    /// The last entry that is applied: its revision and its hash, which is empty before the first.
    pub(crate) fn end(&self) -> (u64, String) {
        let snapshot = self.current.load();
        (snapshot.applied, snapshot.hash.clone())
    }

    /// The last revision of the log that this combiner has read; above what is applied while an
    /// entry cannot be.
    pub(crate) fn last(&self) -> u64 {
        self.known().log.last
    }

    /// Why entries after the last applied one are not applied; none when all are.
    #[must_use]
    pub fn blocked(&self) -> Option<Mismatch> {
        self.known().blocked.clone()
    }

    /// Stops what keeps the store up to date, so that it can be opened again.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Since when the store is out of reach; none while it is in reach.
    #[must_use]
    pub fn lost_since(&self) -> Option<SystemTime> {
        self.health.down_since()
    }

    /// Receives why the store is out of reach, and none when it is in reach again.
    pub fn store_lost(&self) -> watch::Receiver<Option<String>> {
        self.health.reason()
    }

    /// Why the store is out of reach; none while it is in reach.
    #[must_use]
    pub fn lost_reason(&self) -> Option<String> {
        self.health.reason().borrow().clone()
    }

    /// A receiver of every entry that is applied; it may miss all but the newest.
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

    /// The same, and as few as have no more bytes than these; one has as many as it has.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn read_within(
        &self,
        from: u64,
        count: usize,
        most_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.store.read_within(from, count, most_bytes).await
    }

    /// Applies what becomes durable, for as long as the server runs: entries of other combiners,
    /// and those of this one whose writer did not wait for them.
    pub async fn follow(&self) {
        let mut tail = self.store.tail(self.last());
        loop {
            let outcome = match tail.next().await {
                Ok(entry) if entry.revision > self.last() + 1 => self.catch_up().await.map(drop),
                Ok(entry) => self.apply(&Arc::new(entry)),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                tracing::warn!(%error, "the weights store cannot be followed");
                sleep(FOLLOW_PAUSE).await;
            }
        }
    }

    /// Reads and applies the entries after the last known one; says whether there were any.
    pub(crate) async fn catch_up(&self) -> Result<bool, StoreError> {
        let mut any = false;
        loop {
            let entries = self.store.read(self.last() + 1, READ_AHEAD).await?;
            if entries.is_empty() {
                return Ok(any);
            }
            any = true;
            for entry in entries {
                self.apply(&Arc::new(entry))?;
            }
        }
    }

    /// Applies the entry after the last one, unless the configuration cannot take it (see
    /// [`Known`]). An entry that is known already changes nothing.
    pub(crate) fn apply(&self, entry: &Arc<Entry>) -> Result<(), StoreError> {
        // Locked to the end, so that snapshots, metrics and signals follow the order of the log.
        let mut known = self.known();
        if entry.revision <= known.log.last {
            return Ok(());
        }
        check(&self.config, entry, &known.log)?;
        known.log.record(entry);
        let names = entry.change.profile_names();
        let positions = names.filter_map(|name| self.config.position(name));
        known.waiting.extend(positions);
        match self.taken(&known, None) {
            Ok(profiles) => {
                known.waiting.clear();
                known.blocked = None;
                let next = Snapshot {
                    applied: entry.revision,
                    hash: entry.hash.clone(),
                    profiles,
                };
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
            }
            Err(mismatch) => {
                self.metrics.end.set_last_revision(entry.revision);
                tracing::error!(
                    revision = entry.revision,
                    applied = self.applied(),
                    why = %mismatch,
                    "an entry of the weights log cannot be applied; the last applied weights stay in use"
                );
                known.blocked = Some(mismatch);
            }
        }
        self.store.save_snapshot(&known.log);
        Ok(())
    }

    /// Checks that everything that is known can be applied once `change` was added.
    pub(crate) fn check_applicable(
        &self,
        known: &Known,
        change: &Change,
    ) -> Result<(), StoreError> {
        self.taken(known, Some(change))?;
        Ok(())
    }

    /// Every profile with what is known of it and, for those that `change` sets, with that.
    fn taken(&self, known: &Known, change: Option<&Change>) -> Result<Vec<Arc<InForce>>, Mismatch> {
        let mut profiles = self.current.load().profiles.clone();
        for &position in &known.waiting {
            let profile = &self.config.profiles[position];
            let mut changed = change.iter().flat_map(|change| change.profile_names());
            if changed.any(|name| name == profile.name) {
                // The plan has checked it.
                continue;
            }
            let in_force = InForce::new(profile, known.log.profile(&profile.name))?;
            profiles[position] = Arc::new(in_force);
        }
        Ok(profiles)
    }

    fn measure(&self, snapshot: &Snapshot) {
        let names = self.config.profiles.iter().map(|profile| &*profile.name);
        let revisions = snapshot.profiles.iter().map(|in_force| in_force.revision);
        self.metrics
            .set_applied(snapshot.applied, names.zip(revisions));
    }

    /// Plans changes of this log.
    pub(crate) fn planner(&self, context: Context) -> Planner {
        Planner {
            config: Arc::clone(&self.config),
            context,
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(config: &Config, entry: &Entry, log: &LogState) -> Result<(), StoreError> {
    let revision = log.last + 1;
    entry
        .follows(revision, &log.last_hash)
        .map_err(|problem| StoreError::Corrupt {
            store: config.store.to_string(),
            revision,
            problem,
        })
}
