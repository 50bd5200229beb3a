//! A snapshot of the models at one moment, which requests read: the models, their versions, and the
//! default version of each.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::SystemTime};

use crate::{ModelServerError, loaded::LoadedVersion};

const UNLOADED: &str = "unloaded on request";

/// The models and their versions at one moment.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) models: BTreeMap<String, Entry>,
}

/// One model.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    /// The version that answers requests without a version; it is one of `versions`.
    pub(crate) default: Option<Arc<LoadedVersion>>,
    pub(crate) versions: BTreeMap<String, State>,
    /// The version that `LATEST` names; the default, unless it cannot be loaded.
    pub(crate) newest: Option<String>,
    /// Why the version to serve cannot be read from the folder.
    pub(crate) problem: Option<String>,
    /// Whether the model was unloaded on request, and no load was requested since.
    pub(crate) unloaded: bool,
}

/// One version.
#[derive(Clone)]
pub(crate) enum State {
    Ready(Arc<LoadedVersion>),
    /// Not loaded. A stamp means that a load failed; it is tried again when the files change.
    Unavailable {
        reason: String,
        stamp: Option<Stamp>,
    },
}

/// Modification times and lengths of the files of a version folder.
pub(crate) type Stamp = Vec<Option<(SystemTime, u64)>>;

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexLine {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) ready: bool,
    pub(crate) default: bool,
    pub(crate) reason: String,
}

impl Snapshot {
    /// Finds a version; an empty `version` means the default one.
    pub(crate) fn find(
        &self,
        model: &str,
        version: &str,
    ) -> Result<Arc<LoadedVersion>, ModelServerError> {
        self.models
            .get(model)
            .ok_or_else(|| self.unknown(model))?
            .version(model, version)
    }

    /// The loaded versions that match: an empty `model` matches every model, and an empty `version`
    /// every version.
    pub(crate) fn matching(
        &self,
        model: &str,
        version: &str,
    ) -> Result<Vec<Arc<LoadedVersion>>, ModelServerError> {
        if !model.is_empty() && !version.is_empty() {
            return Ok(vec![self.find(model, version)?]);
        }
        if !model.is_empty() && !self.models.contains_key(model) {
            return Err(self.unknown(model));
        }
        let models = self.models.iter();
        let models = models.filter(|(name, _)| model.is_empty() || *name == model);
        Ok(models
            .flat_map(|(_, entry)| entry.ready())
            .filter(|loaded| version.is_empty() || loaded.version == version)
            .cloned()
            .collect())
    }

    /// Whether every model has a default version, except for models that were unloaded on request.
    pub(crate) fn is_ready(&self) -> bool {
        self.models
            .values()
            .all(|entry| entry.unloaded || entry.default.is_some())
    }

    /// The loaded versions of a model, the default first.
    pub(crate) fn loaded_versions(&self, model: &str) -> Vec<String> {
        let Some(entry) = self.models.get(model) else {
            return Vec::new();
        };
        let mut versions: Vec<String> =
            entry.ready().map(|loaded| loaded.version.clone()).collect();
        versions.sort_by_key(|version| !entry.is_default(version));
        versions
    }

    /// Every version of every model, with the reason if it is not loaded.
    pub(crate) fn index(&self) -> Vec<IndexLine> {
        let mut lines = Vec::new();
        for (model, entry) in &self.models {
            let line = |version: &str, ready, reason: &str| IndexLine {
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

    pub(crate) fn unknown(&self, model: &str) -> ModelServerError {
        ModelServerError::UnknownModel {
            model: model.to_owned(),
            available: self.models.keys().cloned().collect(),
        }
    }
}

impl Entry {
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Arc<LoadedVersion>> {
        self.versions.values().filter_map(|state| match state {
            State::Ready(loaded) => Some(loaded),
            State::Unavailable { .. } => None,
        })
    }

    pub(crate) fn is_default(&self, version: &str) -> bool {
        self.default
            .as_ref()
            .is_some_and(|default| default.version == version)
    }

    pub(crate) fn version(
        &self,
        model: &str,
        version: &str,
    ) -> Result<Arc<LoadedVersion>, ModelServerError> {
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
            Some(State::Ready(loaded)) => Ok(Arc::clone(loaded)),
            Some(State::Unavailable { reason, .. }) => Err(not_loaded(reason)),
            None => Err(ModelServerError::UnknownVersion {
                model: model.to_owned(),
                version: version.to_owned(),
                available: self.ready().map(|loaded| loaded.version.clone()).collect(),
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
            (false, None, _) => "its folder contains no version",
        }
    }

    /// Makes the version that `LATEST` names the default if it is loaded.
    pub(crate) fn follow_latest(&mut self, model: &str, newest: Option<String>) {
        self.newest = newest;
        let Some(version) = &self.newest else {
            if !self.versions.is_empty() {
                self.note_problem(
                    model,
                    "the model folder has no file LATEST; write the version to serve into it"
                        .to_owned(),
                );
            }
            return;
        };
        self.problem = None;
        if let Some(State::Ready(loaded)) = self.versions.get(version)
            && !self.is_default(version)
        {
            tracing::info!(model, version, "new default version");
            self.default = Some(Arc::clone(loaded));
        }
    }

    /// Stores why the folder cannot be used, and logs it if it is new.
    pub(crate) fn note_problem(&mut self, model: &str, reason: String) {
        if self.problem.as_ref() != Some(&reason) {
            tracing::error!(model, reason, "cannot use the model folder");
            self.problem = Some(reason);
        }
    }

    /// Checks that the version which a load requested is loaded now. An empty `version` means the
    /// one that `LATEST` names.
    pub(crate) fn check_loaded(&self, model: &str, version: &str) -> Result<(), ModelServerError> {
        let failed = |version: &str, reason: String| {
            Err(ModelServerError::LoadFailed {
                model: model.to_owned(),
                version: version.to_owned(),
                reason,
            })
        };
        let requested = match (version, &self.problem, &self.newest) {
            ("", Some(reason), _) => return failed("", reason.clone()),
            ("", None, Some(newest)) => newest,
            _ => version,
        };
        match self.version(model, requested) {
            Ok(_) => Ok(()),
            Err(ModelServerError::NotLoaded {
                version, reason, ..
            }) => failed(&version, reason),
            Err(other) => Err(other),
        }
    }
}

impl State {
    pub(crate) fn unloaded() -> Self {
        Self::Unavailable {
            reason: UNLOADED.to_owned(),
            stamp: None,
        }
    }
}

pub(crate) fn stamp_of(folder: &Path) -> Stamp {
    ["", "MANIFEST.json", "model.json", "MODEL_CARD.md"]
        .iter()
        .map(|file| {
            let file = fs::metadata(folder.join(file)).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
        .collect()
}
