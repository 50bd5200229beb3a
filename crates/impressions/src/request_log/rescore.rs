//! Computes the probabilities of a request log again from its features, and compares them to the bit.

use std::collections::BTreeMap;

use counterweight_dataset::{LogColumns, LogPiece, Role};
use counterweight_model::Artefact;
use serde::Serialize;

use super::{model_inputs::ModelInputs, part::Part};
use crate::{columns, error::LogError};

/// How many differences are described; the others are only counted.
const MOST_TOLD: usize = 20;

/// What came of the probabilities of a replay.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Rescored {
    /// Probabilities that were computed again.
    pub compared: u64,
    /// Those that are not the logged ones, to the bit.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<ProbabilityDifference>,
    /// Probabilities of candidates whose features are not logged.
    pub without_features: u64,
    /// Probabilities that were a column of the request.
    pub without_model: u64,
    /// Probabilities by models that were not given.
    pub not_at_hand: Vec<Uncompared>,
    /// Probabilities by models of which a feature is not logged.
    pub not_logged: Vec<Unlogged>,
    /// Compared probabilities of parts without an optional feature. It was not sent, or is not
    /// logged.
    pub without_optional: Vec<Unlogged>,
}

/// A probability that is not the logged one.
#[derive(Debug, PartialEq, Serialize)]
pub struct ProbabilityDifference {
    /// The ranking.
    pub ranking: String,
    /// The candidate.
    pub candidate: String,
    /// The objective.
    pub objective: String,
    /// The version of its model.
    pub version: String,
    /// `raw_<objective>`, or else `p_<objective>`.
    pub logged: f64,
    /// What the model makes of the logged features.
    pub computed: f64,
}

/// Probabilities by a model that was not given.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Uncompared {
    /// The objective.
    pub objective: String,
    /// The version of its model.
    pub version: String,
    /// How many.
    pub probabilities: u64,
}

/// Probabilities by a model of which features are not in the log.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Unlogged {
    /// The objective.
    pub objective: String,
    /// The version of its model.
    pub version: String,
    /// The features.
    pub features: Vec<String>,
    /// How many.
    pub probabilities: u64,
}

/// Computes the probabilities of one part again.
pub(crate) struct Rescorer<'m> {
    models: Vec<ModelInputs<'m>>,
    objectives: Vec<Columns>,
    ranking: usize,
}

/// The places of an objective's columns.
struct Columns {
    objective: String,
    model: Option<usize>,
    probability: Option<usize>,
    raw: Option<usize>,
}

/// The rows of a piece that one version of a model ranked.
struct Ranked<'p> {
    piece: &'p LogPiece,
    columns: &'p Columns,
    version: &'p str,
    rows: Vec<usize>,
}

impl<'m> Rescorer<'m> {
    /// Asks for the columns that it needs. `ranking` is the place of the ranking's id.
    pub(crate) fn new(
        part: &Part,
        artefacts: &'m [Artefact],
        ranking: usize,
        wanted: &mut LogColumns,
    ) -> Result<Self, LogError> {
        let objectives = part.objectives.iter().map(|objective| Columns {
            model: part.text(wanted, &columns::model(objective)),
            probability: part.number(wanted, &columns::probability(objective)),
            raw: part.number(wanted, &columns::raw(objective)),
            objective: objective.clone(),
        });
        let objectives = objectives.collect();
        let models = artefacts
            .iter()
            .map(|artefact| ModelInputs::find(part, artefact, wanted));
        Ok(Self {
            models: models.collect::<Result<_, _>>()?,
            objectives,
            ranking,
        })
    }

    /// Compares the probabilities of a piece.
    pub(crate) fn add(&self, piece: &LogPiece, into: &mut Rescored) -> Result<(), LogError> {
        for columns in &self.objectives {
            let mut versions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for row in (0..piece.len()).filter(|&row| !columns.logged(piece, row).is_nan()) {
                let version = columns.model.map_or("", |at| piece.texts[at][row].as_str());
                versions.entry(version).or_default().push(row);
            }
            for (version, rows) in versions {
                let ranked = Ranked {
                    piece,
                    columns,
                    version,
                    rows,
                };
                self.compare(ranked, into)?;
            }
        }
        Ok(())
    }

    fn compare(&self, mut ranked: Ranked<'_>, into: &mut Rescored) -> Result<(), LogError> {
        if ranked.version.is_empty() {
            into.without_model += ranked.count();
            return Ok(());
        }
        let mut models = self.models.iter();
        let Some(model) = models.find(|model| model.artefact.version == ranked.version) else {
            ranked.count_version(&mut into.not_at_hand);
            return Ok(());
        };
        let unlogged = model.not_logged();
        if !unlogged.is_empty() {
            ranked.count_features(unlogged, &mut into.not_logged);
            return Ok(());
        }
        let all = ranked.count();
        let has_features = model.has_features(ranked.piece);
        ranked.rows.retain(|&row| has_features[row]);
        into.without_features += all - ranked.count();
        if ranked.rows.is_empty() {
            return Ok(());
        }
        let absent = model.absent();
        if !absent.is_empty() {
            ranked.count_features(absent, &mut into.without_optional);
        }
        let batch = model.batch(ranked.piece, &ranked.rows)?;
        let scores = model.artefact.model.score(&batch);
        let computed = scores.map_err(|error| model.failed(error))?.probabilities;
        into.compared += ranked.count();
        for (&row, computed) in ranked.rows.iter().zip(computed) {
            let (logged, computed) = (ranked.columns.logged(ranked.piece, row), served(computed));
            if logged.to_bits() != computed.to_bits() {
                into.differing += 1;
                if into.differences.len() < MOST_TOLD {
                    into.differences.push(ProbabilityDifference {
                        ranking: ranked.piece.texts[self.ranking][row].clone(),
                        candidate: ranked.candidate(row),
                        objective: ranked.columns.objective.clone(),
                        version: ranked.version.to_owned(),
                        logged,
                        computed,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A probability as a model server answers it: its outputs are FP32 by contract.
pub(crate) fn served(probability: f64) -> f64 {
    f64::from(probability as f32)
}

impl Columns {
    /// The model's answer: that before the combiner's calibrator, where it applied one.
    fn logged(&self, piece: &LogPiece, row: usize) -> f64 {
        let number = |place: Option<usize>| place.map_or(f64::NAN, |at| piece.numbers[at][row]);
        match number(self.raw) {
            raw if raw.is_nan() => number(self.probability),
            raw => raw,
        }
    }
}

impl Ranked<'_> {
    fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    fn candidate(&self, row: usize) -> String {
        let ids = self.piece.id(Role::Candidate);
        ids.map(|ids| ids[row].clone()).unwrap_or_default()
    }

    fn count_version(&self, counted: &mut Vec<Uncompared>) {
        let (objective, version) = (&self.columns.objective, self.version);
        let same = |own: &&mut Uncompared| own.objective == *objective && own.version == version;
        match counted.iter_mut().find(same) {
            Some(own) => own.probabilities += self.count(),
            None => counted.push(Uncompared {
                objective: objective.clone(),
                version: version.to_owned(),
                probabilities: self.count(),
            }),
        }
    }

    fn count_features(&self, features: Vec<String>, counted: &mut Vec<Unlogged>) {
        let (objective, version) = (&self.columns.objective, self.version);
        let same = |own: &&mut Unlogged| {
            own.objective == *objective && own.version == version && own.features == features
        };
        match counted.iter_mut().find(same) {
            Some(own) => own.probabilities += self.count(),
            None => counted.push(Unlogged {
                objective: objective.clone(),
                version: version.to_owned(),
                features,
                probabilities: self.count(),
            }),
        }
    }
}
