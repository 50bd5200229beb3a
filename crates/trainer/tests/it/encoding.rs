//! Encoders: the columns of each kind of feature, and how missing and unknown values are encoded.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::{Batch, Column, Kind};
use counterweight_trainer::fit_encoders;

use crate::common::{self, auc, column, random_folds, random_labels};
use crate::fitting::{encode, fit, names};

#[test]
fn numbers_are_standardised_and_missing_ones_flagged() {
    let (labels, folds) = ([true, false, true, false], [0; 4]);
    let (encoders, encoded) = fit(
        Kind::Numeric,
        Column::Numeric(vec![2.0, 4.0, f64::NAN, 6.0]),
        &labels,
        &folds,
    );
    let sd = (8.0_f64 / 3.0).sqrt();
    assert_eq!(encoded.names, ["x", "x[missing]"]);
    assert_eq!(encoded.columns[1], [0.0, 0.0, 1.0, 0.0]);
    for (found, expected) in encoded.columns[0]
        .iter()
        .zip([-2.0 / sd, 0.0, 0.0, 2.0 / sd])
    {
        assert!((found - expected).abs() < 1e-15);
    }
    assert_eq!(
        encode(&encoders, 1, Column::Numeric(vec![1e300])).columns[0],
        [10.0]
    );
    // Training had no missing value, so one becomes the mean and has no flag.
    let (encoders, encoded) = fit(
        Kind::Numeric,
        Column::Numeric(vec![1.0, 2.0, 3.0, 4.0]),
        &labels,
        &folds,
    );
    assert_eq!(encoded.names, ["x"]);
    assert_eq!(
        encode(&encoders, 1, Column::Numeric(vec![f64::NAN])).columns,
        [[0.0]]
    );
}

#[test]
fn booleans_keep_their_values_and_missing_ones_become_the_mean() {
    let (encoders, encoded) = fit(
        Kind::Boolean,
        Column::Numeric(vec![1.0, 0.0, 0.0, 1.0, 0.0, f64::NAN]),
        &random_labels(3, 6),
        &[0; 6],
    );
    assert_eq!(encoded.names, ["x", "x[missing]"]);
    assert_eq!(encoded.columns[0], [1.0, 0.0, 0.0, 1.0, 0.0, 0.4]);
    assert_eq!(
        encode(&encoders, 2, Column::Numeric(vec![f64::NAN, 1.0])).columns,
        [[0.4, 1.0], [1.0, 0.0]]
    );
}

#[test]
fn few_categories_get_a_column_each_and_rare_missing_and_unknown_ones_their_own() {
    let values = (0..100).map(|row| match row {
        0..2 => "rare".into(),
        2..7 => String::new(),
        row => format!("c{}", row % 3),
    });
    let (encoders, encoded) = fit(
        Kind::Categorical,
        names(values),
        &random_labels(1, 100),
        &[0; 100],
    );
    assert_eq!(
        encoded.names,
        ["x[=c0]", "x[=c1]", "x[=c2]", "x[other]", "x[missing]"]
    );
    assert_eq!(column(&encoded, "x[other]").iter().sum::<f64>(), 2.0);
    assert_eq!(column(&encoded, "x[missing]")[2..7], [1.0; 5]);
    assert!((0..100).all(|row| {
        encoded
            .columns
            .iter()
            .map(|column| column[row])
            .sum::<f64>()
            == 1.0
    }));
    let probes = encode(
        &encoders,
        3,
        names(["c1", "never seen", ""].map(str::to_owned)),
    );
    let row = |row: usize| {
        probes
            .columns
            .iter()
            .map(|column| column[row])
            .collect::<Vec<_>>()
    };
    assert_eq!(row(0), [0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(row(1), [0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(row(2), [0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn many_categories_become_log_odds_that_recover_their_rates() {
    let rows = 20_000;
    let category = |row: usize| row * 7919 % 100;
    let noise = random_labels(9, rows);
    // Categories below 50 are positive four times as often as the others.
    let labels: Vec<bool> = (0..rows)
        .map(|row| {
            if category(row) < 50 {
                noise[row] || row % 3 == 0
            } else {
                noise[row] && row % 3 == 0
            }
        })
        .collect();
    let column = || names((0..rows).map(|row| format!("user {}", category(row))));
    let (encoders, encoded) = fit(Kind::Categorical, column(), &labels, &random_folds(rows, 5));
    assert_eq!(encoded.names, ["x[log-odds]"]);
    assert!(auc(&encoded.columns[0], &labels) > 0.7);
    let probes = encode(
        &encoders,
        3,
        names(["user 3", "user 97", "nobody"].map(str::to_owned)),
    )
    .columns
    .remove(0);
    assert!(probes[0] > 0.5 && probes[1] < -0.5, "{probes:?}");
    assert!(
        probes[2].abs() < 0.5,
        "an unknown category is near the average: {probes:?}"
    );
}

#[test]
fn lists_of_few_elements_get_columns_and_lists_of_many_a_mean() {
    let element = |row: usize, many: usize| format!("e{}", row * 31 % many);
    let column = |many: usize| {
        let list = |row: usize| match row % 4 {
            0 => vec![],
            1 => vec![element(row, many)],
            _ => vec![
                element(row, many),
                element(row + 1, many),
                element(row, many),
                "always".into(),
            ],
        };
        Column::List((0..400).map(list).collect())
    };
    let (labels, folds) = (random_labels(4, 400), random_folds(400, 4));
    let (encoders, encoded) = fit(Kind::List, column(3), &labels, &folds);
    assert_eq!(
        encoded.names,
        ["x[∋always]", "x[∋e0]", "x[∋e1]", "x[∋e2]", "x[empty]"]
    );
    assert_eq!(
        common::column(&encoded, "x[empty]").iter().sum::<f64>(),
        100.0
    );
    let probe = encode(
        &encoders,
        1,
        Column::List(vec![vec![
            "e2".into(),
            "new".into(),
            "e2".into(),
            String::new(),
        ]]),
    );
    assert_eq!(probe.columns.concat(), [0.0, 0.0, 0.0, 1.0, 0.0]);
    let (encoders, encoded) = fit(Kind::List, column(100), &labels, &folds);
    assert_eq!(encoded.names, ["x[log-odds]", "x[empty]"]);
    let probe = encode(&encoders, 2, Column::List(vec![vec![], vec!["new".into()]]));
    assert_eq!(probe.columns[0][0], 0.0);
    assert_eq!(probe.columns[1], [1.0, 0.0]);
}

#[test]
fn an_element_of_every_list_has_no_column_and_does_not_count_as_other() {
    let list = |row: usize| {
        vec![
            "always".to_owned(),
            if row == 0 {
                "rare".into()
            } else {
                format!("e{}", row % 2)
            },
        ]
    };
    let column = Column::List((0..100).map(list).collect());
    let (encoders, encoded) = fit(Kind::List, column, &random_labels(1, 100), &[0; 100]);
    assert_eq!(encoded.names, ["x[∋e0]", "x[∋e1]", "x[other]"]);
    assert_eq!(
        common::column(&encoded, "x[other]").iter().sum::<f64>(),
        1.0
    );
    let probe = encode(&encoders, 1, Column::List(vec![vec!["always".into()]]));
    assert_eq!(probe.columns.concat(), [0.0; 3]);
}

#[test]
fn vectors_are_standardised_by_element() {
    let values = vec![
        1.0,
        5.0,
        7.0,
        3.0,
        5.0,
        f32::NAN,
        5.0,
        5.0,
        9.0,
        3.0,
        5.0,
        8.0,
    ];
    let column = Column::Vector { dim: 3, values };
    let (encoders, encoded) = fit(
        Kind::Vector { dim: 3 },
        column,
        &[true, false, true, false],
        &[0; 4],
    );
    assert_eq!(encoded.names, ["x[0]", "x[2]", "x[missing]"]);
    assert_eq!(encoded.columns[2], [0.0, 1.0, 0.0, 0.0]);
    assert_eq!((encoded.columns[0][1], encoded.columns[1][1]), (0.0, 0.0));
    assert_eq!(
        encoders.notes(),
        ["x: 1 of 3 elements constant in training, left out"]
    );
}

#[test]
fn a_feature_that_does_not_vary_is_left_out_with_a_note() {
    let (labels, folds) = (random_labels(1, 30), random_folds(30, 3));
    let vector = |value: f32| Column::Vector {
        dim: 2,
        values: vec![value; 60],
    };
    let text = |value: &str| names(vec![value.to_owned(); 30]);
    let cases = [
        (Kind::Numeric, Column::Numeric(vec![3.0; 30]), "constant"),
        (
            Kind::Numeric,
            Column::Numeric(vec![f64::NAN; 30]),
            "every value is missing",
        ),
        (Kind::Boolean, Column::Numeric(vec![1.0; 30]), "constant"),
        (
            Kind::Boolean,
            Column::Numeric(vec![f64::NAN; 30]),
            "every value is missing",
        ),
        (Kind::Categorical, text("same"), "constant"),
        (Kind::Categorical, text(""), "every value is missing"),
        (Kind::Text, text("the same text"), "constant"),
        (Kind::Text, text(""), "every text is missing"),
        (
            Kind::List,
            Column::List(vec![vec!["a".into()]; 30]),
            "constant",
        ),
        (
            Kind::List,
            Column::List(vec![vec![]; 30]),
            "every list is empty",
        ),
        (Kind::Vector { dim: 2 }, vector(1.0), "constant"),
        (
            Kind::Vector { dim: 2 },
            vector(f32::NAN),
            "every value is missing",
        ),
    ];
    for (kind, column, why) in cases {
        let (encoders, encoded) = fit(kind, column.clone(), &labels, &folds);
        assert_eq!(
            (encoders.width(), encoded.columns.len()),
            (0, 0),
            "{kind} {why}"
        );
        assert_eq!(
            encoders.notes(),
            [format!("x: {why} in training, left out")],
            "{kind}"
        );
        assert_eq!(encode(&encoders, 30, column).columns.len(), 0);
    }
}

#[test]
fn no_encoded_column_of_training_is_constant_or_infinite() {
    let schema = common::every_kind();
    for seed in 0..5 {
        let batch = Batch::new(&schema, 300, common::columns(seed, 300, seed % 2 == 0)).unwrap();
        let (encoders, encoded) = fit_encoders(
            &schema,
            &batch,
            &random_labels(seed, 300),
            &random_folds(300, 3),
        )
        .unwrap();
        assert_eq!(encoders.column_names(), encoded.names);
        assert_eq!(
            (encoders.width(), encoders.column_features().len()),
            (encoded.columns.len(), encoded.columns.len())
        );
        for (name, column) in encoded.names.iter().zip(&encoded.columns) {
            assert!(column.iter().all(|value| value.is_finite()), "{name}");
            assert!(
                column.iter().any(|value| *value != column[0]),
                "{name} is constant"
            );
        }
    }
}
