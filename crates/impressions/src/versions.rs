//! The versions of models and calibrators with which a log was ranked.

use counterweight_dataset::LogPiece;

use crate::{
    error::LogError,
    log::{Log, Source},
};

/// For each objective, the versions of the logged model and calibrator.
pub(crate) struct Versions(Vec<[Option<String>; 2]>);

impl Versions {
    /// No versions yet.
    pub(crate) fn new(objectives: usize) -> Self {
        Self(vec![[None, None]; objectives])
    }

    /// Rejects a log whose probabilities come from several versions of a model: a weight is only
    /// meaningful for one version.
    pub(crate) fn check(&mut self, log: &Log, piece: &LogPiece) -> Result<(), LogError> {
        for (index, objective) in log.objectives.iter().enumerate() {
            for (kind, column) in ["model", "calibrator"].into_iter().zip(0..2) {
                let Some(texts) = log.columns.versions[index][column] else {
                    continue;
                };
                // A request that was ranked without an objective has no version of its model.
                let logged = log.columns.probability[index].map(|column| &piece.numbers[column]);
                let ranked = |row: usize| logged.is_none_or(|column| !column[row].is_nan());
                let versions = piece.texts[texts].iter().enumerate();
                for (_, version) in versions.filter(|&(row, _)| ranked(row)) {
                    match &self.0[index][column] {
                        None => self.0[index][column] = Some(version.clone()),
                        Some(first) if first == version => {}
                        Some(first) if objective.source == Source::Logged => {
                            return Err(log.wrong(format!(
                                "`{name}` was ranked by {kind} versions {first:?} and \
                                 {version:?}, but a weight is only meaningful for one version; \
                                 filter on {kind}_{name}, or score the whole log with a model",
                                name = objective.name
                            )));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// A note for each given model that differs from the model that served the log, because the
    /// log is scored again.
    pub(crate) fn notes(&self, log: &Log) -> Vec<String> {
        let mut notes = Vec::new();
        for (objective, [logged, _]) in log.objectives.iter().zip(&self.0) {
            if let (Source::Model, Some(version), Some(logged)) =
                (&objective.source, &objective.model, logged)
                && version != logged
                && !logged.is_empty()
            {
                notes.push(format!(
                    "`{}`: the log was served by model {logged}, but its features are scored \
                     again by {version}; all results are for {version}",
                    objective.name
                ));
            }
        }
        notes
    }

    /// The versions by objective. An empty text means that the version is unknown.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = [Option<String>; 2]> {
        let named = |version: Option<String>| version.filter(|version| !version.is_empty());
        self.0.into_iter().map(move |both| both.map(named))
    }
}
