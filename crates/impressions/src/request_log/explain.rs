//! Explains the probabilities of a ranking: what each feature added to the logit.

use counterweight_dataset::LogPiece;
use serde::Serialize;

use super::{
    model_inputs::{InputValue, ModelInputs},
    rescore::served,
};
use crate::error::LogError;

/// How an objective came to its probabilities.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Explained {
    /// Of the shown candidates whose features are logged, in the order of the page.
    Candidates(Vec<RowExplained>),
    /// Why it cannot be said.
    Not(NotExplained),
}

/// Why it cannot be said how an objective came to its probabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotExplained {
    /// They were a column of the request.
    NoModel,
    /// The model was not given.
    NotAtHand,
    /// The model reads these features, and the part does not have them.
    NotLogged(Vec<String>),
    /// The features of the shown candidates are not logged.
    WithoutFeatures,
}

/// The logit of one candidate.
///
/// `offset`, plus the first term of the first feature, plus the next, and so on through all terms of
/// all features in their order, is `logit` to the bit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowExplained {
    /// The candidate, by its index.
    pub candidate: usize,
    /// The logit before any feature.
    pub offset: f64,
    /// The logit.
    pub logit: f64,
    /// What the model's calibrator makes of the logit, rounded as the model server answers it.
    pub probability: f64,
    /// The features that added something, in the order in which they are added.
    pub features: Vec<FeatureTerms>,
}

/// What one feature added to a logit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureTerms {
    /// The feature.
    pub feature: String,
    /// The inputs that it is made of.
    pub inputs: Vec<InputValue>,
    /// The sum of its terms, added in their order from 0.
    pub sum: f64,
    /// The logit after its last term.
    pub logit_after: f64,
    /// Its columns.
    pub terms: Vec<TermOfColumn>,
}

/// What one encoded column added to a logit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermOfColumn {
    /// The name of the column.
    pub column: String,
    /// The candidate's number in it.
    pub number: f64,
    /// Coefficient × number.
    pub term: f64,
}

/// Explains rows of a piece; `candidates` has the index of each row's candidate.
pub(crate) fn explain_rows(
    model: &ModelInputs<'_>,
    piece: &LogPiece,
    rows: &[usize],
    candidates: &[usize],
) -> Result<Vec<RowExplained>, LogError> {
    let batch = model.batch(piece, rows)?;
    let scorer = &model.artefact.model;
    let scores = scorer.score(&batch).map_err(|error| model.failed(error))?;
    let terms = scorer.terms(&batch).map_err(|error| model.failed(error))?;
    let names = scorer.encoders().column_names();
    let feature_of = scorer.encoders().column_features();
    let mut explained = Vec::with_capacity(rows.len());
    for (at, terms) in terms.into_iter().enumerate() {
        let mut logit = scorer.offset();
        let mut features: Vec<FeatureTerms> = Vec::new();
        for of_feature in terms.chunk_by(|a, b| feature_of[a.column] == feature_of[b.column]) {
            let feature = &scorer.schema().features()[feature_of[of_feature[0].column]];
            let mut sum = 0.0;
            for term in of_feature {
                sum += term.value;
                logit += term.value;
            }
            let inputs = feature.of.inputs().into_iter();
            features.push(FeatureTerms {
                feature: feature.name.clone(),
                inputs: inputs
                    .filter_map(|name| model.value(piece, name, rows[at]))
                    .collect(),
                sum,
                logit_after: logit,
                terms: of_feature
                    .iter()
                    .map(|term| TermOfColumn {
                        column: names[term.column].clone(),
                        number: term.number,
                        term: term.value,
                    })
                    .collect(),
            });
        }
        explained.push(RowExplained {
            candidate: candidates[at],
            offset: scorer.offset(),
            logit: scores.logits[at],
            probability: served(scores.probabilities[at]),
            features,
        });
    }
    Ok(explained)
}
