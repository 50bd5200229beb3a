//! The weights that are in force: one writer, one snapshot per request, and watchers that no writer waits for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use counterweight_config::did_you_mean;
use counterweight_ranking::{Weights, WeightsError};
use tokio::sync::watch;

use super::{
    entry::{Entry, ObjectiveWeight, ProfileWeights},
    in_force::{InForce, named},
    store::{Log, Store},
};
use crate::{config::Config, error::CombinerError};

/// A change of the weights of one or more profiles.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) profiles: Vec<ProfileChange>,
    pub(crate) author: String,
    pub(crate) reason: String,
    /// Empty means none.
    pub(crate) idempotency_key: String,
    /// Digest of the whole request, to tell a repeat from another change under the same key.
    pub(crate) request_digest: String,
}

/// The objectives of a profile that get a new weight.
#[derive(Debug, Clone)]
pub(crate) struct ProfileChange {
    pub(crate) profile: String,
    pub(crate) weights: Vec<ObjectiveWeight>,
    /// The revision of the profile that the caller saw.
    pub(crate) expected_revision: Option<u64>,
}

/// All weights at one revision of the log.
#[derive(Debug, Clone)]
struct Snapshot {
    applied: u64,
    /// In the order of the configured profiles.
    profiles: Vec<Arc<InForce>>,
}

/// The weights of a running combiner.
#[derive(Debug)]
pub(crate) struct LiveWeights {
    config: Arc<Config>,
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    log: Arc<Log>,
    /// The newest entry, or none when nothing was written since the start; only a signal, the log is the truth.
    newest: watch::Sender<Option<Arc<Entry>>>,
}

#[derive(Debug)]
struct Writer {
    store: Store,
    /// Where each idempotency key was used.
    keys: HashMap<String, u64>,
}

impl LiveWeights {
    /// Opens the store and applies every entry on top of the configured defaults.
    ///
    /// Entries of profiles and objectives that are no longer configured stay in the log and are not applied.
    pub(crate) fn open(config: Arc<Config>) -> Result<Self, CombinerError> {
        let mut keys = HashMap::new();
        let mut last_set: HashMap<String, (u64, ProfileWeights)> = HashMap::new();
        let mut applied = 0;
        let store = Store::open(&config.store, |entry| {
            applied = entry.revision;
            if !entry.idempotency_key.is_empty() {
                keys.insert(entry.idempotency_key.clone(), entry.revision);
            }
            for set in &entry.profiles {
                last_set.insert(set.profile.clone(), (entry.revision, set.clone()));
            }
        })?;
        let profiles = (0..config.profiles.len())
            .map(|profile| {
                match last_set.remove(&config.profiles[profile].name) {
                    Some((revision, set)) => InForce::of_log(&config, profile, revision, &set),
                    None => Ok(InForce::of_config(&config, profile)),
                }
                .map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        for (profile, (revision, _)) in last_set {
            tracing::warn!(
                profile,
                revision,
                "the weights log sets a profile that is not configured"
            );
        }
        Ok(Self {
            config,
            current: ArcSwap::from_pointee(Snapshot { applied, profiles }),
            log: store.log(),
            writer: Mutex::new(Writer { store, keys }),
            newest: watch::Sender::new(None),
        })
    }

    /// The weights of the profile at that position, and of no other instant than this.
    pub(crate) fn in_force(&self, profile: usize) -> Arc<InForce> {
        Arc::clone(&self.current.load().profiles[profile])
    }

    /// The last revision that is applied, with the weights of every profile at it.
    pub(crate) fn all(&self) -> (u64, Vec<Arc<InForce>>) {
        let snapshot = self.current.load();
        (snapshot.applied, snapshot.profiles.clone())
    }

    /// A receiver that is told of every new entry.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<Arc<Entry>>> {
        self.newest.subscribe()
    }

    /// The entries from a revision on, in order, at most `count`. Blocks on the disk.
    pub(crate) fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, CombinerError> {
        self.log.read(from, count)
    }

    /// The last durable revision.
    pub(crate) fn last(&self) -> u64 {
        self.log.last()
    }

    /// Checks, stores and applies a change, or answers a repeat with its first entry. Blocks on the disk.
    pub(crate) fn set(&self, change: Change) -> Result<Arc<Entry>, CombinerError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = self.repeated(&writer, &change)? {
            return Ok(Arc::new(first));
        }
        let mut next = Snapshot::clone(&self.current.load());
        let mut profiles = Vec::with_capacity(change.profiles.len());
        for wanted in &change.profiles {
            let position = self.config.profile(&wanted.profile)?;
            if profiles.iter().any(|(done, _)| *done == position) {
                return Err(CombinerError::DuplicateProfile {
                    profile: self.config.profiles[position].name.clone(),
                });
            }
            let current = &next.profiles[position];
            self.check_expected(position, current.revision, wanted.expected_revision)?;
            profiles.push((position, self.merged(position, current, &wanted.weights)?));
        }
        let entry = writer.store.append(Entry {
            revision: 0,
            profiles: profiles
                .iter()
                .map(|(position, weights)| named(&self.config, *position, weights))
                .collect(),
            author: change.author,
            reason: change.reason,
            time: SystemTime::now().into(),
            idempotency_key: change.idempotency_key,
            request_digest: change.request_digest,
            previous: String::new(),
            hash: String::new(),
        })?;
        if !entry.idempotency_key.is_empty() {
            writer
                .keys
                .insert(entry.idempotency_key.clone(), entry.revision);
        }
        next.applied = entry.revision;
        for ((position, _), set) in profiles.iter().zip(&entry.profiles) {
            next.profiles[*position] = Arc::new(InForce::of_log(
                &self.config,
                *position,
                entry.revision,
                set,
            )?);
        }
        self.current.store(Arc::new(next));
        let entry = Arc::new(entry);
        self.newest.send_replace(Some(Arc::clone(&entry)));
        Ok(entry)
    }

    fn repeated(&self, writer: &Writer, change: &Change) -> Result<Option<Entry>, CombinerError> {
        let Some(&revision) = writer.keys.get(&change.idempotency_key) else {
            return Ok(None);
        };
        let first = self.log.read(revision, 1)?.pop();
        match first {
            Some(first) if first.request_digest == change.request_digest => Ok(Some(first)),
            _ => Err(CombinerError::KeyReused {
                key: change.idempotency_key.clone(),
                revision,
            }),
        }
    }

    fn check_expected(
        &self,
        profile: usize,
        current: u64,
        expected: Option<u64>,
    ) -> Result<(), CombinerError> {
        let last = self.current.load().applied;
        match expected {
            Some(revision) if revision > last => Err(CombinerError::FutureRevision {
                field: "expected_revision",
                revision,
                last,
            }),
            Some(expected) if expected != current => Err(CombinerError::Lost {
                profile: self.config.profiles[profile].name.clone(),
                expected,
                current,
            }),
            _ => Ok(()),
        }
    }

    /// The current weights of a profile with the wanted ones in their place.
    fn merged(
        &self,
        profile: usize,
        current: &InForce,
        wanted: &[ObjectiveWeight],
    ) -> Result<Weights, CombinerError> {
        let name = || self.config.profiles[profile].name.clone();
        let objectives: Vec<&str> = self.config.objective_names(profile).collect();
        let refused = |objective: &str, problem: String| CombinerError::Weight {
            profile: name(),
            objective: objective.to_owned(),
            problem,
        };
        let mut weights = current.weights.as_slice().to_vec();
        let mut set = vec![false; weights.len()];
        for wanted in wanted {
            let at = objectives
                .iter()
                .position(|known| *known == wanted.objective)
                .ok_or_else(|| CombinerError::UnknownObjective {
                    profile: name(),
                    objective: wanted.objective.clone(),
                    suggestion: did_you_mean(&wanted.objective, objectives.iter().copied()),
                    known: objectives.join(", "),
                })?;
            if std::mem::replace(&mut set[at], true) {
                return Err(refused(
                    &wanted.objective,
                    "is sent twice; send each objective once".to_owned(),
                ));
            }
            weights[at] = wanted.weight;
        }
        if wanted.is_empty() {
            return Err(refused(
                &objectives.join(", "),
                "no weight is sent; send at least one".to_owned(),
            ));
        }
        Weights::new(weights).map_err(|error| match error {
            WeightsError::NotFinite { objective, weight } => refused(
                objectives[objective],
                format!("the weight is {weight}; send a finite number"),
            ),
            WeightsError::AllZero => refused(&objectives.join(", "), error.to_string()),
        })
    }
}
