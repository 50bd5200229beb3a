//! The text encoder against scikit-learn (`reference/text.py`): every column, for training rows and
//! for other rows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::common;

use counterweight_model::{Batch, Column, Feature, Input, Kind, Schema};
use counterweight_trainer::fit_encoders;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    labels: Vec<bool>,
    folds: Vec<u32>,
    others: Vec<String>,
    fitted: Vec<Vec<f64>>,
    applied: Vec<Vec<f64>>,
}

fn schema() -> Schema {
    Schema::new(
        vec![Input::candidate("title", Kind::Text)],
        vec![Feature::of_input("title")],
        4096,
    )
    .unwrap()
}

fn batch<'t>(schema: &Schema, texts: &'t [String]) -> Batch<'t> {
    let column = Column::Text(texts.iter().map(|text| text.as_str().into()).collect());
    Batch::new(schema, texts.len(), vec![Some(column)]).unwrap()
}

#[test]
fn columns_are_those_of_scikit_learn() {
    let reference: Reference =
        serde_json::from_str(include_str!("../reference/text.json")).unwrap();
    let schema = schema();
    let texts = batch(&schema, &reference.texts);
    let (encoders, fitted) =
        fit_encoders(&schema, &texts, &reference.labels, &reference.folds).unwrap();
    assert!(encoders.notes().is_empty(), "{:?}", encoders.notes());
    let mut names = encoders.column_names();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names.len(),
        encoders.width(),
        "every column has its own name"
    );
    let applied = encoders.encode(&batch(&schema, &reference.others)).unwrap();
    for (found, expected) in [(&fitted, &reference.fitted), (&applied, &reference.applied)] {
        assert_eq!(found.columns.len(), expected.len());
        for ((name, found), expected) in found.names.iter().zip(&found.columns).zip(expected) {
            for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
                // The tables contain 32-bit floats.
                assert!(
                    (found - expected).abs() < 2e-6,
                    "{name}, row {row}: {found}, reference {expected}"
                );
            }
        }
    }
}

#[test]
fn a_missing_text_has_a_flag_and_becomes_the_mean() {
    let mut texts: Vec<String> = (0..60)
        .map(|row| format!("title {} of {}", row % 7, row % 3))
        .collect();
    texts[5].clear();
    let schema = schema();
    let labels = common::random_labels(1, 60);
    let (encoders, encoded) = fit_encoders(
        &schema,
        &batch(&schema, &texts),
        &labels,
        &common::random_folds(60, 3),
    )
    .unwrap();
    let flags = common::column(&encoded, "title[missing]");
    assert_eq!(flags.iter().sum::<f64>(), 1.0);
    assert_eq!(flags[5], 1.0);
    let others = encoded
        .columns
        .iter()
        .zip(&encoded.names)
        .filter(|(_, name)| *name != "title[missing]");
    assert!(others.into_iter().all(|(column, _)| column[5] == 0.0));
    assert!(
        encoders
            .notes()
            .contains(&"title: exclamation marks: constant in training, left out".to_owned())
    );
}

#[test]
fn texts_without_variation_have_finite_columns() {
    let (schema, labels, folds) = (
        schema(),
        common::random_labels(1, 20),
        common::random_folds(20, 2),
    );
    let missing = vec![String::new(); 20];
    let (encoders, encoded) =
        fit_encoders(&schema, &batch(&schema, &missing), &labels, &folds).unwrap();
    assert_eq!((encoders.width(), encoded.columns.len()), (0, 0));
    assert_eq!(
        encoders.notes(),
        ["title: every text is missing in training, left out"]
    );
    let mut same = vec!["same".to_owned(); 20];
    same[3].clear();
    let (encoders, encoded) =
        fit_encoders(&schema, &batch(&schema, &same), &labels, &folds).unwrap();
    assert!(
        encoded
            .columns
            .iter()
            .flatten()
            .all(|value| value.is_finite())
    );
    assert!(
        encoders
            .column_names()
            .contains(&"title[missing]".to_owned())
    );
    let encoded = encoders
        .encode(&batch(
            &schema,
            &["what was never there".to_owned(), "x".repeat(100_000)],
        ))
        .unwrap();
    assert!(
        encoded
            .columns
            .iter()
            .flatten()
            .all(|value| value.abs() <= 10.0)
    );
}
