//! A label does not leak into the encoding of its own row: the columns of training do not predict a
//! random label, although they would without folds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::{Column, Kind};

use crate::common::{auc, column, random_folds, random_labels};
use crate::fitting::{encode, fit, names};

/// Texts with few words each out of many, so that the n-grams almost identify a text.
fn random_texts(rows: usize) -> Vec<String> {
    (0..rows)
        .map(|row| {
            (1..7)
                .map(|at| format!("w{} ", row * 7919 * at * at % 997))
                .collect()
        })
        .collect()
}

#[test]
fn a_random_label_does_not_leak_out_of_fold() {
    let rows = 4000;
    let labels = random_labels(11, rows);
    let folds = random_folds(rows, 5);
    let columns: [(Kind, Column<'_>); 3] = [
        (Kind::Text, names(random_texts(rows))),
        (
            Kind::Categorical,
            names((0..rows).map(|row| format!("{}", row * 7919 % 1500))),
        ),
        (
            Kind::List,
            Column::List(
                (0..rows)
                    .map(|row| {
                        (1..4)
                            .map(|at| format!("{}", row * 7919 * at % 1499))
                            .collect()
                    })
                    .collect(),
            ),
        ),
    ];
    // The AUC of a random score on 4000 rows has a standard deviation of about 0.009.
    for (kind, column) in columns {
        let (_, encoded) = fit(kind, column, &labels, &folds);
        for (name, column) in encoded.names.iter().zip(&encoded.columns) {
            let auc = auc(column, &labels);
            assert!((auc - 0.5).abs() < 0.035, "{kind}, {name}: AUC {auc}");
        }
    }
}

#[test]
fn without_folds_a_random_label_would_leak() {
    let rows = 4000;
    let labels = random_labels(11, rows);
    let columns: [(Kind, Column<'_>, &str); 3] = [
        (Kind::Text, names(random_texts(rows)), "x[ridge]"),
        (Kind::Text, names(random_texts(rows)), "x[odds of words]"),
        (
            Kind::Categorical,
            names((0..rows).map(|row| format!("{}", row * 7919 % 1500))),
            "x[log-odds]",
        ),
    ];
    for (kind, values, name) in columns {
        let (encoders, _) = fit(kind, values.clone(), &labels, &random_folds(rows, 5));
        let leaking = encode(&encoders, rows, values);
        let auc = auc(column(&leaking, name), &labels);
        assert!(
            auc > 0.65,
            "{kind}, {name}: AUC {auc}, so the test above would not detect a leak"
        );
    }
}
