//! Models with random coefficients, and the same models as plain numbers for servers that know nothing of our artefacts.

use std::borrow::Cow;

use anyhow::{Result, ensure};
use counterweight_model::{
    Batch, Calibrator, Column, DEFAULT_MAX_TEXT_BYTES, Encoders, Feature, Input, Kind, Model,
    ModelParts, Schema, fit_encoders,
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A logistic model in the units of the raw features: P = 1 / (1 + exp(−(intercept + Σ coefficient · x))).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// One per feature, in the order x00, x01, ...
    pub coefficients: Vec<f64>,
    /// The logit where every feature is 0.
    pub intercept: f64,
}

impl Linear {
    /// Reads the plain numbers off a model of numeric features, by scoring the origin and the unit vectors.
    ///
    /// # Errors
    /// When the model is not linear in its inputs.
    pub fn of(model: &Model) -> Result<Self> {
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

/// A model of `features` numeric inputs x00, x01, ... (63 at most) with random coefficients and no calibrator. Its encoders
/// standardise with mean 0 and standard deviation 1, so that the coefficients are those of the raw features.
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
    // Walsh functions: every column is half 1 and half −1, and no two are alike.
    let walsh = |row: usize, column: usize| match (row & (column + 1)).count_ones() % 2 {
        0 => 1.0,
        _ => -1.0,
    };
    let rows: Vec<Vec<f64>> = (0..64)
        .map(|row| (0..features).map(|column| walsh(row, column)).collect())
        .collect();
    let labels: Vec<bool> = (0..64).map(|row| row % 2 == 0).collect();
    let folds: Vec<u32> = (0..64).map(|row| row / 16).collect();
    let (encoders, _) = fit_encoders(&schema, &by_column(&schema, &rows)?, &labels, &folds)?;
    random_model(objective, encoders, seed)
}

/// A model of one text input `title`, fitted on `titles` with labels drawn at random.
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
    let labels: Vec<bool> = titles.iter().map(|_| rng.random()).collect();
    let folds: Vec<u32> = (0..5).cycle().take(titles.len()).collect();
    let texts = titles.iter().map(|title| Cow::from(title.as_str()));
    let column = Column::Text(texts.collect());
    let batch = Batch::new(&schema, titles.len(), vec![Some(column)])?;
    let (encoders, _) = fit_encoders(&schema, &batch, &labels, &folds)?;
    random_model("engagement_bait", encoders, seed)
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
        let linear = Linear::of(&model).unwrap();
        assert_eq!(linear.coefficients.len(), 32);
        for (plain, fitted) in linear.coefficients.iter().zip(model.coefficients()) {
            assert!((plain - fitted).abs() < 1e-12);
        }
        assert!((linear.intercept - model.intercept()).abs() < 1e-12);
    }
}
