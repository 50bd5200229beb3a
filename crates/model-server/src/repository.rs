//! The models on disk and the versions of them that are loaded: one writer, and a snapshot for every request.
//!
//! Nothing here is asynchronous; whoever changes the repository does so on a thread that may block.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use counterweight_model::{latest, versions};

use crate::{
    ModelServerError,
    metrics::Metrics,
    served::Served,
    snapshot::{Entry, Snapshot, State, stamp_of},
};

/// All models of one folder.
pub(crate) struct Repository {
    root: PathBuf,
    /// The models that are served; empty for all.
    only: Vec<String>,
    metrics: Metrics,
    snapshot: ArcSwap<Snapshot>,
    writer: Mutex<()>,
}

impl Repository {
    /// Loads every version of every model folder in `root`, or of those that `only` names. Broken artefacts are noted in the index, not errors.
    pub(crate) fn open(
        root: PathBuf,
        only: Vec<String>,
        metrics: Metrics,
    ) -> Result<Self, ModelServerError> {
        let repository = Self {
            root,
            only,
            metrics,
            snapshot: ArcSwap::default(),
            writer: Mutex::default(),
        };
        repository.refresh()?;
        Ok(repository)
    }

    /// What is loaded now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The version that a request asks for; an empty `version` is the default one.
    pub(crate) fn find(&self, model: &str, version: &str) -> Result<Arc<Served>, ModelServerError> {
        self.snapshot.load().find(model, version)
    }

    /// Takes up what has changed on disk.
    pub(crate) fn refresh(&self) -> Result<(), ModelServerError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = self.folders()?;
        let old = self.snapshot();
        let mut models = BTreeMap::new();
        for (name, entry) in &old.models {
            // A folder that has vanished takes nothing away from those who are served from memory.
            if entry.default.is_some() {
                models.insert(name.clone(), entry.clone());
            }
        }
        for (name, path) in folders {
            let entry = old.models.get(&name).cloned().unwrap_or_default();
            let entry = if entry.unloaded {
                entry
            } else {
                self.synchronised(&name, &path, entry)
            };
            if entry.default.is_some() || entry.problem.is_some() || !entry.versions.is_empty() {
                models.insert(name, entry);
            }
        }
        self.publish(&old, Snapshot { models });
        Ok(())
    }

    /// Loads a model anew from its folder, or one version of it. An empty `version` means what `LATEST` names, which then
    /// becomes the default.
    pub(crate) fn load(&self, model: &str, version: &str) -> Result<(), ModelServerError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = self.folders()?;
        let Some(path) = folders.get(model) else {
            return Err(ModelServerError::UnknownModel {
                model: model.to_owned(),
                available: folders.into_keys().collect(),
            });
        };
        let old = self.snapshot();
        let mut entry = old.models.get(model).cloned().unwrap_or_default();
        let whole = entry.unloaded;
        entry.unloaded = false;
        // What was unloaded with the whole model, or is asked for by name, or failed before, is tried again.
        entry.versions.retain(|name, state| match state {
            State::Ready(_) => true,
            State::Unavailable { stamp, .. } => stamp.is_none() && !whole && name != version,
        });
        let entry = self.synchronised(model, path, entry);
        let outcome = entry.loaded(model, version);
        let mut new = Snapshot::clone(&old);
        new.models.insert(model.to_owned(), entry);
        self.publish(&old, new);
        outcome
    }

    /// Takes a model, or one version of it, out of service. Requests in flight still get their answers.
    pub(crate) fn unload(&self, model: &str, version: &str) -> Result<(), ModelServerError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.snapshot();
        let mut new = Snapshot::clone(&old);
        let Some(entry) = new.models.get_mut(model) else {
            return Err(old.unknown(model));
        };
        if version.is_empty() {
            entry.unloaded = true;
            entry.default = None;
            entry.problem = None;
            entry.newest = None;
            entry
                .versions
                .values_mut()
                .for_each(|state| *state = State::unloaded());
        } else if entry
            .default
            .as_ref()
            .is_some_and(|default| default.version == version)
        {
            return Err(ModelServerError::UnloadsDefault {
                model: model.to_owned(),
                version: version.to_owned(),
            });
        } else {
            entry.version(model, version)?;
            entry.versions.insert(version.to_owned(), State::unloaded());
        }
        tracing::info!(model, version, "unloaded");
        self.publish(&old, new);
        Ok(())
    }

    /// The folders that may hold models, by name. Hidden ones are passed over.
    fn folders(&self) -> Result<BTreeMap<String, PathBuf>, ModelServerError> {
        let broken = |source: io::Error| ModelServerError::Repository {
            path: self.root.clone(),
            source,
        };
        let mut folders = BTreeMap::new();
        for item in fs::read_dir(&self.root).map_err(broken)? {
            let item = item.map_err(broken)?;
            let path = item.path();
            match item.file_name().into_string() {
                Ok(name) if self.serves(&name) && path.is_dir() => folders.insert(name, path),
                _ => None,
            };
        }
        Ok(folders)
    }

    fn serves(&self, name: &str) -> bool {
        !name.starts_with('.')
            && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    /// `entry` brought up to what its folder holds.
    fn synchronised(&self, name: &str, folder: &Path, mut entry: Entry) -> Entry {
        let (mut there, newest) = match versions(folder).and_then(|all| Ok((all, latest(folder)?)))
        {
            Ok(found) => found,
            Err(error) => {
                entry.note_problem(name, error.to_string());
                return entry;
            }
        };
        // A version that LATEST names in vain is an artefact that can not be loaded, like any other.
        there.extend(newest.clone().filter(|version| !there.contains(version)));
        let default = entry.default.as_ref().map(|served| served.version.clone());
        entry
            .versions
            .retain(|version, _| there.contains(version) || Some(version) == default.as_ref());
        for version in there {
            let wanted = newest.as_ref() == Some(&version);
            let folder = folder.join(&version);
            let fresh = match entry.versions.get(&version) {
                None => true,
                Some(State::Ready(_)) => false,
                Some(State::Unavailable {
                    stamp: Some(stamp), ..
                }) => *stamp != stamp_of(&folder),
                Some(State::Unavailable { stamp: None, .. }) => wanted,
            };
            if fresh {
                entry
                    .versions
                    .insert(version, self.load_version(name, &folder));
            }
        }
        entry.follow(name, newest);
        entry
    }

    fn load_version(&self, name: &str, folder: &Path) -> State {
        let stamp = stamp_of(folder);
        match Served::load(name, folder, &self.metrics) {
            Ok(served) => {
                tracing::info!(model = name, version = served.version, "loaded");
                State::Ready(Arc::new(served))
            }
            Err(error) => {
                tracing::error!(model = name, %error, "artefact can not be loaded");
                self.metrics.load_failed(name);
                State::Unavailable {
                    reason: error.to_string(),
                    stamp: Some(stamp),
                }
            }
        }
    }

    fn publish(&self, old: &Snapshot, new: Snapshot) {
        if old.index() != new.index() {
            self.metrics.forget_versions();
            for (name, entry) in &new.models {
                let loaded = entry.ready().count();
                self.metrics.versions(name, loaded);
                for served in entry.ready() {
                    self.metrics.written(
                        name,
                        &served.version,
                        entry.is_default(&served.version),
                        served.written,
                    );
                }
            }
        }
        self.snapshot.store(Arc::new(new));
    }
}
