//! Models with random coefficients, and the same models as plain numbers for servers that know
//! nothing of our artefacts.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use counterweight_model::encoder::text::{
    GramBuffer, GramColumn, GramKind, STATISTICS, StatisticColumn,
};
use counterweight_model::encoder::{Encoder, Numeric, Standard, Table, Text};
use counterweight_model::{
    Batch, Calibrator, Column, DEFAULT_MAX_TEXT_BYTES, Encoders, Feature, FeatureEncoder, Input,
    Kind, Model, ModelParts, Schema,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A logistic model in the units of the raw features: P = 1 / (1 + exp(−(intercept + Σ coefficient
/// · x))).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// One per feature, in the order x00, x01, ...
    pub coefficients: Vec<f64>,
    /// The logit where every feature is 0.
    pub intercept: f64,
}

impl Linear {
    /// Reads the plain numbers off a model of numeric features, by scoring the origin and the unit
    /// vectors.
    ///
    /// # Errors
    /// When the model is not linear in its inputs.
    pub fn from_model(model: &Model) -> Result<Self> {
        let features = model.schema().inputs().len();
        let mut rows = vec![vec![0.0; features]];
        for feature in 0..features {
            let mut unit = vec![0.0; features];
            unit[feature] = 1.0;
            rows.push(unit);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let probe: Vec<f64> = (0..features).map(|_| rng.random()).collect();
        rows.push(probe.clone());
        let logits = model.score(&by_column(model.schema(), &rows)?)?.logits;
        let intercept = logits[0];
        let coefficients: Vec<f64> = logits[1..=features].iter().map(|t| t - intercept).collect();
        let products = coefficients.iter().zip(&probe).map(|(w, x)| w * x);
        let expected = intercept + products.sum::<f64>();
        ensure!(
            (logits[features + 1] - expected).abs() < 1e-9,
            "the model is not linear: logit {} where {expected} was expected",
            logits[features + 1]
        );
        Ok(Self {
            coefficients,
            intercept,
        })
    }
}

/// A model of `features` numeric inputs x00, x01, ... with random coefficients and no calibrator.
/// Its encoders standardise with mean 0 and standard deviation 1, so that the coefficients are
/// those of the raw features.
///
/// # Errors
/// Those of the model crate.
pub fn numeric_model(objective: &str, features: usize, seed: u64) -> Result<Model> {
    let names: Vec<String> = (0..features).map(|index| format!("x{index:02}")).collect();
    let schema = Schema::new(
        names
            .iter()
            .map(|name| Input::candidate(name, Kind::Numeric))
            .collect(),
        names.iter().map(Feature::of_input).collect(),
        DEFAULT_MAX_TEXT_BYTES,
    )?;
    let numeric = Encoder::Numeric(Numeric {
        standard: Some(Standard { mean: 0.0, sd: 1.0 }),
        missing: false,
    });
    let encoders = encoders_of(schema, vec![numeric; features])?;
    random_model(objective, encoders, seed)
}

/// A model of one text input `title` whose encoder knows the n-grams that occur in at least two of
/// the `titles`, each with a number drawn at random.
///
/// # Errors
/// Those of the model crate.
pub fn title_model(titles: &[String], seed: u64) -> Result<Model> {
    let schema = Schema::new(
        vec![Input::candidate("title", Kind::Text)],
        vec![Feature::of_input("title")],
        DEFAULT_MAX_TEXT_BYTES,
    )?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let standard = Standard { mean: 0.0, sd: 1.0 };
    let statistics = STATISTICS.map(|name| StatisticColumn {
        name: name.to_owned(),
        standard,
    });
    let words_and_shapes = [GramKind::Words, GramKind::Shapes];
    let columns = [
        ("odds of words", &words_and_shapes[..1]),
        ("odds of cased characters", &[GramKind::CasedCharacters]),
        ("odds of shapes", &words_and_shapes[1..]),
        ("ridge", &words_and_shapes),
    ];
    let scores = columns.map(|(name, kinds)| {
        let known = known_grams(titles, kinds);
        GramColumn {
            name: name.to_owned(),
            kinds: kinds.to_vec(),
            standard,
            table: Table::new(
                known
                    .into_iter()
                    .map(|gram| (gram, rng.random_range(-1.0..1.0)))
                    .collect(),
            ),
        }
    });
    let text = Encoder::Text(Text {
        statistics: statistics.to_vec(),
        scores: scores.to_vec(),
        missing: false,
    });
    random_model("engagement_bait", encoders_of(schema, vec![text])?, seed)
}

/// Hashes of the n-grams of at least two titles, sorted.
fn known_grams(titles: &[String], kinds: &[GramKind]) -> Vec<u64> {
    let (mut texts, mut buffer) = (BTreeMap::<u64, u32>::new(), GramBuffer::default());
    for title in titles {
        buffer.read(title, kinds);
        for gram in kinds.iter().flat_map(|kind| buffer.grams(*kind)) {
            *texts.entry(*gram).or_default() += 1;
        }
    }
    texts.retain(|_, count| *count > 1);
    texts.into_keys().collect()
}

fn encoders_of(schema: Schema, encoders: Vec<Encoder>) -> Result<Encoders> {
    let feature = |encoder| FeatureEncoder {
        encoder,
        notes: vec![],
    };
    Ok(Encoders::new(
        schema,
        encoders.into_iter().map(feature).collect(),
    )?)
}

fn random_model(objective: &str, encoders: Encoders, seed: u64) -> Result<Model> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let parts = ModelParts {
        objective: objective.to_owned(),
        coefficients: (0..encoders.width())
            .map(|_| rng.random_range(-1.0..1.0))
            .collect(),
        intercept: rng.random_range(-1.0..1.0),
        prior_correction: None,
        calibrator: Calibrator::None,
        encoders,
    };
    Ok(Model::new(parts)?)
}

fn by_column(schema: &Schema, rows: &[Vec<f64>]) -> Result<Batch<'static>> {
    let columns = (0..schema.inputs().len())
        .map(|column| rows.iter().map(|row| row[column]).collect())
        .map(|values| Some(Column::Numeric(values)))
        .collect();
    Ok(Batch::new(schema, rows.len(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_numbers_are_those_of_the_model() {
        let model = numeric_model("engagement", 32, 1).unwrap();
        let linear = Linear::from_model(&model).unwrap();
        assert_eq!(linear.coefficients.len(), 32);
        for (plain, fitted) in linear.coefficients.iter().zip(model.coefficients()) {
            assert!((plain - fitted).abs() < 1e-12);
        }
        assert!((linear.intercept - model.intercept()).abs() < 1e-12);
    }
}
