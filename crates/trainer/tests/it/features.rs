//! The encoded values of every expression, and training rows that are rejected.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use counterweight_model::{Batch, Column, Expression, Feature, Input, Kind, ModelError, Schema};
use counterweight_trainer::{TrainerError, fit_encoders};

use crate::common::{column, random_folds, random_labels};
use crate::fitting::{names, single};

#[test]
fn expressions_are_computed_as_documented() {
    let inputs = vec![
        Input::candidate("a", Kind::Numeric),
        Input::context("b", Kind::Boolean),
        Input::candidate("u", Kind::Vector { dim: 2 }),
        Input::context("v", Kind::Vector { dim: 2 }),
        Input::candidate("list", Kind::List),
        Input::context("item", Kind::Categorical),
        Input::candidate("topic", Kind::Categorical),
    ];
    let named = |name: &str, of: Expression| Feature {
        name: name.into(),
        of,
    };
    let features = vec![
        named("log1p", Expression::Log1p { input: "a".into() }),
        named(
            "ratio",
            Expression::Ratio {
                numerator: "a".into(),
                denominator: "b".into(),
            },
        ),
        named(
            "product",
            Expression::Product {
                left: "a".into(),
                right: "b".into(),
            },
        ),
        named(
            "dot",
            Expression::Dot {
                left: "u".into(),
                right: "v".into(),
            },
        ),
        named(
            "contains",
            Expression::Contains {
                list: "list".into(),
                item: "item".into(),
            },
        ),
        named(
            "equal",
            Expression::Equal {
                left: "topic".into(),
                right: "item".into(),
            },
        ),
        named(
            "pair",
            Expression::Pair {
                left: "topic".into(),
                right: "item".into(),
            },
        ),
    ];
    let schema = Schema::new(inputs, features, 64).unwrap();
    let rows = 40;
    let numbers = |f: fn(usize) -> f64| Some(Column::Numeric((0..rows).map(f).collect()));
    let texts = |f: fn(usize) -> &'static str| {
        Some(Column::Text((0..rows).map(|row| f(row).into()).collect()))
    };
    let vectors = |f: fn(usize) -> [f32; 2]| {
        Some(Column::Vector {
            dim: 2,
            values: (0..rows).flat_map(f).collect(),
        })
    };
    let columns = vec![
        numbers(|row| row as f64 - 5.0),
        numbers(|row| (row % 2) as f64),
        vectors(|row| [row as f32, 1.0]),
        vectors(|row| [2.0, (row % 3) as f32]),
        Some(Column::List(
            (0..rows)
                .map(|row| {
                    if row == 0 {
                        vec![]
                    } else {
                        vec!["x".into(), format!("t{}", row % 4)]
                    }
                })
                .collect(),
        )),
        texts(|row| if row == 1 { "" } else { "t1" }),
        texts(|row| ["t0", "t1", "t2", "t1"][row % 4]),
    ];
    let batch = Batch::new(&schema, rows, columns).unwrap();
    let (_, encoded) = fit_encoders(
        &schema,
        &batch,
        &random_labels(1, rows),
        &random_folds(rows, 2),
    )
    .unwrap();
    // A standardised column is a linear function of the raw one, so ratios of differences between
    // rows must agree with the formula.
    let follows = |name: &str, law: &dyn Fn(f64) -> f64, rows: [usize; 3]| {
        let x = column(&encoded, name);
        let found = (x[rows[0]] - x[rows[1]]) / (x[rows[2]] - x[rows[1]]);
        let [a, b, c] = rows.map(|row| law(row as f64));
        assert!((found - (a - b) / (c - b)).abs() < 1e-9, "{name}: {found}");
    };
    follows("log1p", &|row| (row - 5.0).max(0.0).ln_1p(), [9, 2, 20]);
    follows("ratio", &|row| row - 5.0, [7, 3, 31]);
    follows("product", &|row| (row - 5.0) * (row % 2.0), [8, 3, 31]);
    follows("dot", &|row| 2.0 * row + row % 3.0, [7, 3, 31]);
    assert_eq!(
        column(&encoded, "ratio[missing]")[..4],
        [1.0, 0.0, 1.0, 0.0]
    );
    assert_eq!(column(&encoded, "contains")[2..6], [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(column(&encoded, "contains[missing]")[..3], [1.0, 1.0, 0.0]);
    assert_eq!(column(&encoded, "equal")[2..6], [0.0, 1.0, 0.0, 1.0]);
    assert_eq!(
        column(&encoded, "pair[=t0 × t1]")[..5],
        [1.0, 0.0, 0.0, 0.0, 1.0]
    );
    assert_eq!(column(&encoded, "pair[missing]")[..3], [0.0, 1.0, 0.0]);
}

#[test]
fn fitting_rejects_rows_that_cannot_be_learnt_from() {
    let column = || {
        Some(Column::Text(
            (0..200).map(|row| format!("{row}").into()).collect(),
        ))
    };
    let schema = single(Kind::Categorical);
    let batch = Batch::new(&schema, 200, vec![column()]).unwrap();
    let labels = random_labels(1, 200);
    let error = |labels: &[bool], folds: &[u32]| {
        fit_encoders(&schema, &batch, labels, folds)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(error(&[true], &[0]), "labels: 1 values, expected 200");
    assert_eq!(error(&labels, &[0]), "folds: 1 values, expected 200");
    assert_eq!(
        error(&[true; 200], &[0; 200]),
        "cannot fit the encoders: all 200 labels are positive; a model needs both classes"
    );
    assert_eq!(
        error(&[false; 200], &[0; 200]),
        "cannot fit the encoders: all 200 labels are negative; a model needs both classes"
    );
    let repeated = Column::Text((0..200).map(|row| format!("{}", row % 50).into()).collect());
    let batch = Batch::new(&schema, 200, vec![Some(repeated)]).unwrap();
    let one_fold = fit_encoders(&schema, &batch, &labels, &[3; 200])
        .unwrap_err()
        .to_string();
    assert_eq!(
        one_fold,
        "cannot fit the encoders: feature `x` is encoded with the label, which needs at least 2 \
         folds; use more folds"
    );
    let empty = Batch::new(&schema, 0, vec![Some(names([]))]).unwrap();
    assert!(
        fit_encoders(&schema, &empty, &[], &[])
            .unwrap_err()
            .to_string()
            .contains("no rows")
    );
    let position = Input {
        served: Some(1.0),
        ..Input::candidate("position", Kind::Numeric)
    };
    let schema = Schema::new(vec![position], vec![Feature::of_input("position")], 8).unwrap();
    let batch = Batch::new(&schema, 2, vec![None]).unwrap();
    let absent = fit_encoders(&schema, &batch, &[true, false], &[0, 1]).unwrap_err();
    assert!(
        matches!(absent, TrainerError::Model(ModelError::MissingInput { input }) if input == "position")
    );
}
