//! Which versions of models and calibrators a log was ranked by.

use counterweight_dataset::LogPiece;

use crate::{
    error::LogError,
    log::{Log, Source},
};

/// By objective, the versions of the logged model and calibrator.
pub(crate) struct Versions(Vec<[Option<String>; 2]>);

impl Versions {
    /// None seen yet.
    pub(crate) fn new(objectives: usize) -> Self {
        Self(vec![[None, None]; objectives])
    }

    /// A logged probability means what one version of one model says: weights are bound to it.
    pub(crate) fn check(&mut self, log: &Log, piece: &LogPiece) -> Result<(), LogError> {
        for (at, objective) in log.objectives.iter().enumerate() {
            for (kind, column) in ["model", "calibrator"].into_iter().zip(0..2) {
                let Some(texts) = log.columns.versions[at][column] else {
                    continue;
                };
                // Who ranked without an objective has no version of it to say.
                let logged = log.columns.probability[at].map(|at| &piece.numbers[at]);
                let ranked = |row: usize| logged.is_none_or(|column| !column[row].is_nan());
                let versions = piece.texts[texts].iter().enumerate();
                for (_, version) in versions.filter(|&(row, _)| ranked(row)) {
                    match &self.0[at][column] {
                        None => self.0[at][column] = Some(version.clone()),
                        Some(first) if first == version => {}
                        Some(first) if objective.source == Source::Logged => {
                            return Err(log.wrong(format!(
                                "`{name}` was ranked by {kind} versions {first:?} and {version:?}, and a weight means something for one version only: filter on {kind}_{name}, or score the whole log again with models at hand",
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

    /// Models at hand that are not those that served the log: stated, since the log is scored
    /// again.
    pub(crate) fn notes(&self, log: &Log) -> Vec<String> {
        let mut notes = Vec::new();
        for (objective, [logged, _]) in log.objectives.iter().zip(&self.0) {
            if let (Source::Model, Some(version), Some(logged)) =
                (&objective.source, &objective.model, logged)
                && version != logged
                && !logged.is_empty()
            {
                notes.push(format!(
                    "`{}`: the log was served by model {logged}; its features are scored again by {version}, and everything here is bound to that",
                    objective.name
                ));
            }
        }
        notes
    }

    /// The versions by objective; an empty text means that no version is known.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = [Option<String>; 2]> {
        let named = |version: Option<String>| version.filter(|version| !version.is_empty());
        self.0.into_iter().map(move |both| both.map(named))
    }
}
