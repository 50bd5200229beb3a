//! The models on disk and the versions of them that are loaded: one writer, and a snapshot for every request.
//!
//! Nothing here is asynchronous; whoever changes the repository does so on a thread that may block.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use counterweight_model::{latest, versions};

use crate::{ModelServerError, metrics::Metrics, served::Served};

const UNLOADED: &str = "unloaded on request";

/// All models of one folder.
pub(crate) struct Repository {
    root: PathBuf,
    metrics: Metrics,
    snapshot: ArcSwap<Snapshot>,
    writer: Mutex<()>,
}

/// What was loaded at one moment.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    models: BTreeMap<String, Entry>,
}

/// One model.
#[derive(Clone, Default)]
struct Entry {
    /// What answers when no version is asked for; always one of `versions`.
    default: Option<Arc<Served>>,
    versions: BTreeMap<String, State>,
    /// The version that `LATEST` names; the default, unless it can not be loaded.
    newest: Option<String>,
    /// Why the folder does not even say which version to serve.
    problem: Option<String>,
    /// Unloaded on request: left alone until a load is asked for.
    unloaded: bool,
}

/// One version.
#[derive(Clone)]
enum State {
    Ready(Arc<Served>),
    /// Not loaded. With a stamp, a load has failed and is tried again when the files have changed.
    Unavailable {
        reason: String,
        stamp: Option<Stamp>,
    },
}

/// Modification times and lengths of the files of a version folder.
type Stamp = Vec<Option<(SystemTime, u64)>>;

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) ready: bool,
    pub(crate) default: bool,
    pub(crate) reason: String,
}

impl Repository {
    /// Loads every version of every model folder in `root`. Broken artefacts are noted in the index, not errors.
    pub(crate) fn open(root: PathBuf, metrics: Metrics) -> Result<Self, ModelServerError> {
        let repository = Self {
            root,
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
                Ok(name) if !name.starts_with('.') && path.is_dir() => folders.insert(name, path),
                _ => None,
            };
        }
        Ok(folders)
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

impl Snapshot {
    /// As [`Repository::find`].
    pub(crate) fn find(&self, model: &str, version: &str) -> Result<Arc<Served>, ModelServerError> {
        self.models
            .get(model)
            .ok_or_else(|| self.unknown(model))?
            .version(model, version)
    }

    /// Whether every model that was not unloaded on request has a version that answers.
    pub(crate) fn is_ready(&self) -> bool {
        self.models
            .values()
            .all(|entry| entry.unloaded || entry.default.is_some())
    }

    /// Loaded versions of a model, the default first.
    pub(crate) fn loaded_versions(&self, model: &str) -> Vec<String> {
        let Some(entry) = self.models.get(model) else {
            return Vec::new();
        };
        let mut versions: Vec<String> =
            entry.ready().map(|served| served.version.clone()).collect();
        versions.sort_by_key(|version| !entry.is_default(version));
        versions
    }

    /// Every version of every model, and whatever keeps one from being served.
    pub(crate) fn index(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (model, entry) in &self.models {
            let line = |version: &str, ready, reason: &str| Line {
                model: model.clone(),
                version: version.to_owned(),
                ready,
                default: entry.is_default(version),
                reason: reason.to_owned(),
            };
            lines.extend(entry.versions.iter().map(|(version, state)| match state {
                State::Ready(_) => line(version, true, ""),
                State::Unavailable { reason, .. } => line(version, false, reason),
            }));
            lines.extend(entry.problem.iter().map(|reason| line("", false, reason)));
        }
        lines
    }

    fn unknown(&self, model: &str) -> ModelServerError {
        ModelServerError::UnknownModel {
            model: model.to_owned(),
            available: self.models.keys().cloned().collect(),
        }
    }
}

impl Entry {
    fn ready(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.versions.values().filter_map(|state| match state {
            State::Ready(served) => Some(served),
            State::Unavailable { .. } => None,
        })
    }

    fn is_default(&self, version: &str) -> bool {
        self.default
            .as_ref()
            .is_some_and(|default| default.version == version)
    }

    fn version(&self, model: &str, version: &str) -> Result<Arc<Served>, ModelServerError> {
        let not_loaded = |reason: &str| ModelServerError::NotLoaded {
            model: model.to_owned(),
            version: version.to_owned(),
            reason: reason.to_owned(),
        };
        if version.is_empty() {
            return self
                .default
                .clone()
                .ok_or_else(|| not_loaded(self.why_no_default()));
        }
        match self.versions.get(version) {
            Some(State::Ready(served)) => Ok(Arc::clone(served)),
            Some(State::Unavailable { reason, .. }) => Err(not_loaded(reason)),
            None => Err(ModelServerError::UnknownVersion {
                model: model.to_owned(),
                version: version.to_owned(),
                available: self.ready().map(|served| served.version.clone()).collect(),
            }),
        }
    }

    fn why_no_default(&self) -> &str {
        let newest = self
            .newest
            .as_ref()
            .and_then(|version| self.versions.get(version));
        match (self.unloaded, &self.problem, newest) {
            (true, ..) => UNLOADED,
            (false, Some(reason), _) | (false, None, Some(State::Unavailable { reason, .. })) => {
                reason
            }
            (false, None, _) => "its folder holds no version",
        }
    }

    /// Makes the version that `LATEST` names the default, where it can answer.
    fn follow(&mut self, model: &str, newest: Option<String>) {
        self.newest = newest;
        let Some(version) = &self.newest else {
            if !self.versions.is_empty() {
                self.note_problem(
                    model,
                    "no file LATEST in the model folder names the version to serve".to_owned(),
                );
            }
            return;
        };
        self.problem = None;
        if let Some(State::Ready(served)) = self.versions.get(version)
            && !self.is_default(version)
        {
            tracing::info!(model, version, "serving by default");
            self.default = Some(Arc::clone(served));
        }
    }

    fn note_problem(&mut self, model: &str, reason: String) {
        if self.problem.as_ref() != Some(&reason) {
            tracing::error!(model, reason, "model can not be taken up");
            self.problem = Some(reason);
        }
    }

    /// Whether what a load asked for is there now.
    fn loaded(&self, model: &str, version: &str) -> Result<(), ModelServerError> {
        let failed = |version: &str, reason: String| {
            Err(ModelServerError::LoadFailed {
                model: model.to_owned(),
                version: version.to_owned(),
                reason,
            })
        };
        let asked = match (version, &self.problem, &self.newest) {
            ("", Some(reason), _) => return failed("", reason.clone()),
            ("", None, Some(newest)) => newest,
            _ => version,
        };
        match self.version(model, asked) {
            Ok(_) => Ok(()),
            Err(ModelServerError::NotLoaded {
                version, reason, ..
            }) => failed(&version, reason),
            Err(other) => Err(other),
        }
    }
}

impl State {
    fn unloaded() -> Self {
        Self::Unavailable {
            reason: UNLOADED.to_owned(),
            stamp: None,
        }
    }
}

fn stamp_of(folder: &Path) -> Stamp {
    ["", "MANIFEST.json", "model.json", "MODEL_CARD.md"]
        .iter()
        .map(|file| {
            let file = fs::metadata(folder.join(file)).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
        .collect()
}
