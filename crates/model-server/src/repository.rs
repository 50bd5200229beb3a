//! The models on disk, and which of their versions are loaded. There is one writer at a time, and
//! requests read a snapshot.
//!
//! Nothing here is asynchronous, so callers must change the repository on a thread that may block.

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
    loaded::LoadedVersion,
    metrics::Metrics,
    snapshot::{Entry, Snapshot, State, stamp_of},
};

/// The models of one folder.
pub(crate) struct Repository {
    root: PathBuf,
    /// The models to serve; if empty, all are served.
    only: Vec<String>,
    metrics: Metrics,
    snapshot: ArcSwap<Snapshot>,
    writer: Mutex<()>,
}

impl Repository {
    /// Loads every version of the model folders in `root`: of those that `only` names, or of all if
    /// `only` is empty. An artefact that cannot be loaded is not an error: the index lists it with
    /// the reason.
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

    /// The versions that are loaded now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Finds the version for a request; an empty `version` means the default one.
    pub(crate) fn find(
        &self,
        model: &str,
        version: &str,
    ) -> Result<Arc<LoadedVersion>, ModelServerError> {
        self.snapshot.load().find(model, version)
    }

    /// Loads what has changed on disk.
    pub(crate) fn refresh(&self) -> Result<(), ModelServerError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = self.folders()?;
        let old = self.snapshot();
        let mut models = BTreeMap::new();
        for (name, entry) in &old.models {
            // A model whose folder was removed is still served from memory.
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

    /// Loads the versions of a model from its folder, on request. The load fails if `version` is
    /// not loaded then; an empty `version` means the one that `LATEST` names, which becomes the
    /// default.
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
        // Forget the versions to try again: all if the whole model was unloaded, the one that the
        // request names, and those whose load failed.
        entry.versions.retain(|name, state| match state {
            State::Ready(_) => true,
            State::Unavailable { stamp, .. } => stamp.is_none() && !whole && name != version,
        });
        let entry = self.synchronised(model, path, entry);
        let outcome = entry.check_loaded(model, version);
        let mut new = Snapshot::clone(&old);
        new.models.insert(model.to_owned(), entry);
        self.publish(&old, new);
        outcome
    }

    /// Unloads a model, or one version of it. Requests in progress are still answered.
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

    /// The folders that may contain models, by name. Hidden folders are skipped.
    fn folders(&self) -> Result<BTreeMap<String, PathBuf>, ModelServerError> {
        let unreadable = |source: io::Error| ModelServerError::Repository {
            path: self.root.clone(),
            source,
        };
        let mut folders = BTreeMap::new();
        for item in fs::read_dir(&self.root).map_err(unreadable)? {
            let item = item.map_err(unreadable)?;
            let path = item.path();
            match item.file_name().into_string() {
                Ok(name) if self.is_served(&name) && path.is_dir() => folders.insert(name, path),
                _ => None,
            };
        }
        Ok(folders)
    }

    fn is_served(&self, name: &str) -> bool {
        !name.starts_with('.')
            && (self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    /// Updates `entry` to the versions that its folder contains now.
    fn synchronised(&self, name: &str, folder: &Path, mut entry: Entry) -> Entry {
        let (mut on_disk, newest) =
            match versions(folder).and_then(|all| Ok((all, latest(folder)?))) {
                Ok(found) => found,
                Err(error) => {
                    entry.note_problem(name, error.to_string());
                    return entry;
                }
            };
        // A version that LATEST names but that is not on disk is added, so that the index lists it
        // as an artefact that cannot be loaded.
        on_disk.extend(newest.clone().filter(|version| !on_disk.contains(version)));
        let default = entry.default.as_ref().map(|loaded| loaded.version.clone());
        entry
            .versions
            .retain(|version, _| on_disk.contains(version) || Some(version) == default.as_ref());
        for version in on_disk {
            let is_newest = newest.as_ref() == Some(&version);
            let folder = folder.join(&version);
            let needs_load = match entry.versions.get(&version) {
                None => true,
                Some(State::Ready(_)) => false,
                Some(State::Unavailable {
                    stamp: Some(stamp), ..
                }) => *stamp != stamp_of(&folder),
                // Unloaded on request, but LATEST names it.
                Some(State::Unavailable { stamp: None, .. }) => is_newest,
            };
            if needs_load {
                entry
                    .versions
                    .insert(version, self.load_version(name, &folder));
            }
        }
        entry.follow_latest(name, newest);
        entry
    }

    fn load_version(&self, name: &str, folder: &Path) -> State {
        let stamp = stamp_of(folder);
        match LoadedVersion::load(name, folder, &self.metrics) {
            Ok(loaded) => {
                tracing::info!(model = name, version = loaded.version, "loaded");
                State::Ready(Arc::new(loaded))
            }
            Err(error) => {
                tracing::error!(model = name, %error, "cannot load the artefact");
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
            self.metrics.clear_versions();
            for (name, entry) in &new.models {
                let loaded = entry.ready().count();
                self.metrics.set_versions(name, loaded);
                for loaded in entry.ready() {
                    self.metrics.set_written(
                        name,
                        &loaded.version,
                        entry.is_default(&loaded.version),
                        loaded.written,
                    );
                }
            }
        }
        self.snapshot.store(Arc::new(new));
    }
}
