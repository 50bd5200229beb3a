//! What is loaded at one moment, as every request sees it: models, their versions, and which of them is served by default.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::SystemTime};

use crate::{ModelServerError, served::Served};

const UNLOADED: &str = "unloaded on request";

/// What was loaded at one moment.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) models: BTreeMap<String, Entry>,
}

/// One model.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    /// What answers when no version is asked for; always one of `versions`.
    pub(crate) default: Option<Arc<Served>>,
    pub(crate) versions: BTreeMap<String, State>,
    /// The version that `LATEST` names; the default, unless it can not be loaded.
    pub(crate) newest: Option<String>,
    /// Why the folder does not even say which version to serve.
    pub(crate) problem: Option<String>,
    /// Unloaded on request: left alone until a load is asked for.
    pub(crate) unloaded: bool,
}

/// One version.
#[derive(Clone)]
pub(crate) enum State {
    Ready(Arc<Served>),
    /// Not loaded. With a stamp, a load has failed and is tried again when the files have changed.
    Unavailable {
        reason: String,
        stamp: Option<Stamp>,
    },
}

/// Modification times and lengths of the files of a version folder.
pub(crate) type Stamp = Vec<Option<(SystemTime, u64)>>;

/// One line of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) model: String,
    pub(crate) version: String,
    pub(crate) ready: bool,
    pub(crate) default: bool,
    pub(crate) reason: String,
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

    pub(crate) fn unknown(&self, model: &str) -> ModelServerError {
        ModelServerError::UnknownModel {
            model: model.to_owned(),
            available: self.models.keys().cloned().collect(),
        }
    }
}

impl Entry {
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.versions.values().filter_map(|state| match state {
            State::Ready(served) => Some(served),
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
    ) -> Result<Arc<Served>, ModelServerError> {
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
    pub(crate) fn follow(&mut self, model: &str, newest: Option<String>) {
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

    pub(crate) fn note_problem(&mut self, model: &str, reason: String) {
        if self.problem.as_ref() != Some(&reason) {
            tracing::error!(model, reason, "model can not be taken up");
            self.problem = Some(reason);
        }
    }

    /// Whether what a load asked for is there now.
    pub(crate) fn loaded(&self, model: &str, version: &str) -> Result<(), ModelServerError> {
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
