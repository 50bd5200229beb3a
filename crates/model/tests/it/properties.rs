//! Properties of every batch: order, broadcasting and splitting do not matter, and contributions
//! sum to the logit.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::common;

use std::sync::LazyLock;

use common::{arbitrary_model, columns, every_kind};
use counterweight_model::{
    Batch, Calibrator, Column, Encoded, Model, ModelParts, PriorCorrection, Schema, Side, sigmoid,
};
use proptest::prelude::*;

static MODEL: LazyLock<Model> = LazyLock::new(arbitrary_model);

fn batch(seed: u64, rows: usize) -> Batch<'static> {
    Batch::new(
        MODEL.schema(),
        rows,
        columns(seed, rows, seed.is_multiple_of(2)),
    )
    .unwrap()
}

fn permuted(encoded: &Encoded, rows: &[usize]) -> Vec<Vec<f64>> {
    encoded
        .columns
        .iter()
        .map(|column| rows.iter().map(|row| column[*row]).collect())
        .collect()
}

/// The columns of a batch in which every row has the context of `row`: first with the context as
/// one value, then with it repeated.
fn with_context_of(
    schema: &Schema,
    seed: u64,
    rows: usize,
    row: usize,
) -> [Vec<Option<Column<'static>>>; 2] {
    let pick = |column: &Column<'static>, times: usize| match column {
        Column::Numeric(values) => Column::Numeric(vec![values[row]; times]),
        Column::Text(values) => Column::Text(vec![values[row].clone(); times]),
        Column::List(values) => Column::List(vec![values[row].clone(); times]),
        Column::Vector { dim, values } => Column::Vector {
            dim: *dim,
            values: values[row * dim..(row + 1) * dim].repeat(times),
        },
    };
    [1, rows].map(|times| {
        let columns = columns(seed, rows, true).into_iter().zip(schema.inputs());
        columns
            .map(|(column, input)| match input.side {
                Side::Context => column.map(|column| pick(&column, times)),
                Side::Candidate => column,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_row_is_encoded_and_scored_independently(seed in 0_u64..1000, order in Just((0..20).collect::<Vec<usize>>()).prop_shuffle(), keep in 1_usize..20) {
        let (batch, rows) = (batch(seed, 20), &order[..keep]);
        let some = batch.take(rows);
        let (all, part) = (MODEL.encoders().encode(&batch).unwrap(), MODEL.encoders().encode(&some).unwrap());
        prop_assert_eq!(permuted(&all, rows), part.columns);
        let (all, part) = (MODEL.score(&batch).unwrap(), MODEL.score(&some).unwrap());
        for (at, row) in rows.iter().enumerate() {
            prop_assert_eq!(all.logits[*row].to_bits(), part.logits[at].to_bits());
            prop_assert_eq!(all.probabilities[*row].to_bits(), part.probabilities[at].to_bits());
        }
    }

    #[test]
    fn broadcast_equals_repeated(seed in 0_u64..1000, rows in 1_usize..12) {
        let [once, repeated] = with_context_of(MODEL.schema(), seed, rows, seed as usize % rows);
        let [once, repeated] = [once, repeated].map(|columns| Batch::new(MODEL.schema(), rows, columns).unwrap());
        prop_assert_eq!(MODEL.encoders().encode(&once).unwrap(), MODEL.encoders().encode(&repeated).unwrap());
        prop_assert_eq!(MODEL.score(&once).unwrap(), MODEL.score(&repeated).unwrap());
        prop_assert_eq!(MODEL.contributions(&once).unwrap(), MODEL.contributions(&repeated).unwrap());
    }

    #[test]
    fn contributions_sum_to_the_logit(seed in 0_u64..1000) {
        let batch = batch(seed, 15);
        let (scores, contributions) = (MODEL.score(&batch).unwrap(), MODEL.contributions(&batch).unwrap());
        prop_assert_eq!(contributions.features, every_kind().features().len());
        for (row, logit) in contributions.values.chunks(contributions.features).zip(scores.logits) {
            prop_assert!((row.iter().sum::<f64>() + MODEL.offset() - logit).abs() < 1e-9);
        }
    }

    #[test]
    fn the_offset_and_the_terms_in_their_order_are_the_logit_to_the_bit(seed in 0_u64..1000, rows in 1_usize..20) {
        let [once, _] = with_context_of(MODEL.schema(), seed, rows, seed as usize % rows);
        for batch in [batch(seed, rows), Batch::new(MODEL.schema(), rows, once).unwrap()] {
            let (scores, contributions) = (MODEL.score(&batch).unwrap(), MODEL.contributions(&batch).unwrap());
            let features = MODEL.encoders().column_features();
            for (row, terms) in MODEL.terms(&batch).unwrap().iter().enumerate() {
                let sum = terms.iter().fold(MODEL.offset(), |sum, term| sum + term.value);
                prop_assert_eq!(sum.to_bits(), scores.logits[row].to_bits());
                prop_assert!(terms.is_sorted_by_key(|term| features[term.column]));
                // Terms of one feature, added in their order, are its contribution to the bit.
                for feature in 0..contributions.features {
                    let own = terms.iter().filter(|term| features[term.column] == feature);
                    let sum = own.fold(0.0, |sum, term| sum + term.value);
                    prop_assert_eq!(sum, contributions.values[row * contributions.features + feature]);
                }
            }
        }
    }

    #[test]
    fn scores_are_the_encoded_columns_times_the_coefficients(seed in 0_u64..1000) {
        let batch = batch(seed, 15);
        let (encoded, logits) = (MODEL.encoders().encode(&batch).unwrap(), MODEL.score_as_logged(&batch).unwrap().logits);
        for (row, logit) in logits.iter().enumerate() {
            let terms = encoded.columns.iter().zip(MODEL.coefficients()).map(|(column, coefficient)| coefficient * column[row]);
            let sum = terms.fold(MODEL.offset(), |sum, term| sum + term);
            prop_assert_eq!(sum, *logit);
        }
    }

    #[test]
    fn prior_correction_is_the_formula_of_the_odds(seed in 0_u64..100, negative_rate in 0.01_f64..=1.0, positive_rate in 0.01_f64..=1.0) {
        let prior_correction = Some(PriorCorrection { negative_rate, positive_rate });
        let parts = ModelParts { calibrator: Calibrator::None, ..ModelParts::from(MODEL.clone()) };
        let plain = Model::new(parts.clone()).unwrap().score(&batch(seed, 5)).unwrap();
        let corrected = Model::new(ModelParts { prior_correction, ..parts }).unwrap().score(&batch(seed, 5)).unwrap();
        let r = negative_rate / positive_rate;
        for (p, q) in plain.probabilities.iter().zip(&corrected.probabilities) {
            prop_assert!((p * r / (1.0 - p + r * p) - q).abs() < 1e-12);
        }
    }
}

#[test]
fn an_input_with_a_served_value_has_it_only_in_serving() {
    let schema = MODEL.schema();
    let at = schema.input_index("position").unwrap();
    let with = |position: Option<f64>| {
        let mut columns = columns(1, 10, true);
        columns[at] = position.map(|position| Column::Numeric(vec![position; 10]));
        Batch::new(schema, 10, columns).unwrap()
    };
    let served = MODEL.score(&with(Some(1.0))).unwrap();
    assert_eq!(served, MODEL.score(&with(Some(7.0))).unwrap());
    assert_eq!(served, MODEL.score(&with(None)).unwrap());
    assert_eq!(
        MODEL.contributions(&with(None)).unwrap(),
        MODEL.contributions(&with(Some(1.0))).unwrap()
    );
    assert_ne!(served, MODEL.score_as_logged(&with(Some(7.0))).unwrap());
    assert_eq!(
        served.logits,
        MODEL.score_as_logged(&with(Some(1.0))).unwrap().logits
    );
}

#[test]
fn no_rows_give_no_scores_and_one_row_gives_one() {
    let batch = |rows: usize| Batch::new(MODEL.schema(), rows, columns(3, rows, false)).unwrap();
    assert!(MODEL.score(&batch(0)).unwrap().logits.is_empty());
    assert!(MODEL.contributions(&batch(0)).unwrap().values.is_empty());
    assert_eq!(
        MODEL.encoders().encode(&batch(0)).unwrap().columns,
        vec![vec![0.0; 0]; MODEL.encoders().width()]
    );
    let scores = MODEL.score(&batch(1)).unwrap();
    assert_eq!(
        scores.probabilities,
        [sigmoid(0.8 * scores.logits[0] - 0.1)]
    );
}

#[test]
fn a_model_rejects_parts_that_do_not_fit() {
    let parts = || ModelParts::from(MODEL.clone());
    let error = |parts: ModelParts| Model::new(parts).unwrap_err().to_string();
    let short = error(ModelParts {
        coefficients: vec![1.0],
        ..parts()
    });
    assert!(
        short.starts_with("model `engagement` has 1 coefficients for "),
        "{short}"
    );
    assert!(
        error(ModelParts {
            intercept: f64::NAN,
            ..parts()
        })
        .contains("not finite; the solver may have diverged")
    );
    assert!(
        error(ModelParts {
            objective: String::new(),
            ..parts()
        })
        .contains("an empty objective name")
    );
    let prior = Some(PriorCorrection {
        negative_rate: 0.0,
        positive_rate: 1.0,
    });
    assert!(
        error(ModelParts {
            prior_correction: prior,
            ..parts()
        })
        .contains("negative_rate 0")
    );
    let calibrator = Calibrator::Platt {
        slope: -1.0,
        intercept: 0.0,
    };
    assert!(
        error(ModelParts {
            calibrator,
            ..parts()
        })
        .contains("slope is negative")
    );
}
