//! Schemas and batches reject invalid inputs, and name the input that is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::common;

use std::borrow::Cow;

use counterweight_model::{
    Batch, Column, Expression, Feature, Input, Kind, ModelError, Schema, Values, feature_values,
};

fn schema(kind: Kind) -> Schema {
    Schema::new(
        vec![Input::candidate("x", kind)],
        vec![Feature::of_input("x")],
        8,
    )
    .unwrap()
}

fn refusal(kind: Kind, rows: usize, column: Column<'_>) -> String {
    Batch::new(&schema(kind), rows, vec![Some(column)])
        .unwrap_err()
        .to_string()
}

fn text<'t>(values: &[&'t str]) -> Column<'t> {
    Column::Text(values.iter().map(|value| Cow::Borrowed(*value)).collect())
}

#[test]
fn a_batch_names_the_input_and_the_row_that_are_wrong() {
    let infinite = refusal(
        Kind::Numeric,
        3,
        Column::Numeric(vec![0.0, f64::NAN, f64::INFINITY]),
    );
    assert_eq!(
        infinite,
        "input `x` is infinite in row 2; use NaN for a missing value"
    );
    let infinite = refusal(
        Kind::Vector { dim: 2 },
        2,
        Column::Vector {
            dim: 2,
            values: vec![0.0, 0.0, 0.0, f32::NEG_INFINITY],
        },
    );
    assert_eq!(
        infinite,
        "input `x` is infinite in row 1; use NaN for a missing value"
    );
    let boolean = refusal(Kind::Boolean, 2, Column::Numeric(vec![1.0, 0.5]));
    assert_eq!(
        boolean,
        "input `x` is boolean, but row 1 is 0.5; use 0, 1, or NaN for a missing value"
    );
    let length = refusal(Kind::Numeric, 3, Column::Numeric(vec![0.0, 1.0]));
    assert_eq!(length, "input `x` has 2 rows, expected 3");
    let length = refusal(Kind::Text, 3, text(&["one"]));
    assert_eq!(length, "input `x` has 1 rows, expected 3");
    let kind = refusal(Kind::Categorical, 1, Column::Numeric(vec![1.0]));
    assert_eq!(
        kind,
        "input `x` is categorical and cannot be read from a numeric column"
    );
    let dim = refusal(
        Kind::Vector { dim: 3 },
        1,
        Column::Vector {
            dim: 2,
            values: vec![0.0; 2],
        },
    );
    assert_eq!(dim, "input `x` has vectors of 2 values, expected 3");
    let ragged = Column::Vector {
        dim: 3,
        values: vec![0.0; 4],
    };
    assert!(matches!(
        Batch::new(&schema(Kind::Vector { dim: 3 }), 1, vec![Some(ragged)]),
        Err(ModelError::WrongDimension { .. })
    ));
    let absent = Batch::new(&schema(Kind::Numeric), 1, vec![None])
        .unwrap_err()
        .to_string();
    assert_eq!(
        absent,
        "input `x` is missing and is not optional; add it, or mark it as optional"
    );
    let count = Batch::new(&schema(Kind::Numeric), 1, vec![])
        .unwrap_err()
        .to_string();
    assert_eq!(
        count,
        "the batch has 0 columns, but the schema has 1 inputs; pass one column per input"
    );
}

#[test]
fn only_context_inputs_broadcast_and_only_optional_inputs_may_be_absent() {
    let inputs = vec![
        Input::context("hour", Kind::Numeric),
        Input {
            optional: true,
            ..Input::candidate("age", Kind::Numeric)
        },
        Input {
            served: Some(1.0),
            ..Input::candidate("position", Kind::Numeric)
        },
    ];
    let schema = Schema::new(inputs, vec![Feature::of_input("hour")], 8).unwrap();
    assert!(
        Batch::new(
            &schema,
            3,
            vec![Some(Column::Numeric(vec![5.0])), None, None]
        )
        .is_ok()
    );
    assert!(
        Batch::new(
            &schema,
            3,
            vec![Some(Column::Numeric(vec![5.0; 3])), None, None]
        )
        .is_ok()
    );
    let error = Batch::new(
        &schema,
        3,
        vec![Some(Column::Numeric(vec![5.0; 2])), None, None],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "input `hour` has 2 rows, expected 3 (or 1, because it describes the request)"
    );
}

#[test]
fn long_texts_are_cut_at_a_character_and_missing_values_counted() {
    let schema = schema(Kind::Text);
    let batch = Batch::new(
        &schema,
        4,
        vec![Some(text(&["1234567ü9", "12345678", "", "123456789"]))],
    )
    .unwrap();
    let Some(Column::Text(values)) = &batch.columns()[0] else {
        panic!()
    };
    assert_eq!(*values, ["1234567", "12345678", "", "12345678"]);
    assert_eq!(
        (batch.missing()[0].missing, batch.missing()[0].values),
        (1, 4)
    );
    let owned = Column::Text(vec![Cow::Owned("🙂🙂🙂".into())]);
    let batch = Batch::new(&schema, 1, vec![Some(owned)]).unwrap();
    assert_eq!(batch.columns()[0], Some(text(&["🙂🙂"])));
}

#[test]
fn a_schema_names_what_does_not_fit() {
    let error = |inputs: Vec<Input>, features: Vec<Feature>| {
        Schema::new(inputs, features, 8).unwrap_err().to_string()
    };
    let number = || Input::candidate("n", Kind::Numeric);
    let feature = |of: Expression| {
        vec![Feature {
            name: "f".into(),
            of,
        }]
    };
    assert_eq!(
        error(vec![number()], vec![]),
        "schema: the list of features is empty; a model needs at least one"
    );
    assert_eq!(
        error(vec![number(), number()], vec![Feature::of_input("n")]),
        "schema: input `n` is defined twice; rename one of the two"
    );
    assert_eq!(
        error(vec![number()], vec![Feature::of_input("m")]),
        "schema: feature `m` refers to `m`, which is not an input"
    );
    assert_eq!(
        error(
            vec![number()],
            vec![Feature::of_input("n"), Feature::of_input("n")]
        ),
        "schema: feature `n` is defined twice; rename one of the two"
    );
    let title = Input::candidate("t", Kind::Text);
    let pair = Expression::Pair {
        left: "t".into(),
        right: "t".into(),
    };
    assert_eq!(
        error(vec![title], feature(pair)),
        "schema: feature `f` needs a categorical input, but `t` is text"
    );
    let vectors = vec![
        Input::candidate("a", Kind::Vector { dim: 2 }),
        Input::candidate("b", Kind::Vector { dim: 3 }),
    ];
    let dot = Expression::Dot {
        left: "a".into(),
        right: "b".into(),
    };
    assert_eq!(
        error(vectors, feature(dot)),
        "schema: feature `f` needs two vectors of the same width, but `a` is a vector of 2 and `b` \
         is a vector of 3"
    );
    let served = Input {
        served: Some(f64::NAN),
        ..number()
    };
    assert_eq!(
        error(vec![served], vec![Feature::of_input("n")]),
        "schema: input `n` has a served value that is not finite; use a finite number"
    );
    let flat = Input::candidate("v", Kind::Vector { dim: 0 });
    assert_eq!(
        error(vec![flat], vec![Feature::of_input("v")]),
        "schema: input `v` is a vector of 0 values; use 1 to 65536"
    );
    let endless = Input::candidate("v", Kind::Vector { dim: usize::MAX });
    assert!(
        error(vec![endless], vec![Feature::of_input("v")]).ends_with("use 1 to 65536"),
        "an absent vector would still be allocated"
    );
    assert!(
        Schema::new(vec![number()], vec![Feature::of_input("n")], 0)
            .unwrap_err()
            .to_string()
            .contains("max_text_bytes")
    );
}

#[test]
fn a_batch_can_be_used_with_other_features_but_not_with_other_inputs() {
    let batch = Batch::new(
        &schema(Kind::Numeric),
        1,
        vec![Some(Column::Numeric(vec![1.0]))],
    )
    .unwrap();
    let log = Feature {
        name: "log".into(),
        of: Expression::Log1p { input: "x".into() },
    };
    let sibling = Schema::new(vec![Input::candidate("x", Kind::Numeric)], vec![log], 8).unwrap();
    assert!(matches!(
        feature_values(&sibling, &sibling.features()[0], &batch),
        Ok(Values::Numbers(values)) if *values == [1.0_f64.ln_1p()]
    ));
    let other = schema(Kind::Boolean);
    assert!(matches!(
        feature_values(&other, &other.features()[0], &batch),
        Err(ModelError::OtherSchema)
    ));
}

#[test]
fn stop_ends_scoring_and_does_not_change_the_scores_otherwise() {
    let model = common::arbitrary_model();
    let columns = common::columns(3, 50, false);
    let batch = Batch::new(model.schema(), 50, columns).unwrap();
    let calls = std::cell::Cell::new(0);
    let count = || {
        calls.set(calls.get() + 1);
        false
    };
    assert_eq!(
        model.score_until(&batch, &count).unwrap(),
        model.score(&batch).unwrap()
    );
    // Once for each feature, and once for each of the texts.
    let features = model.schema().features().len();
    assert!(calls.get() > features + 40, "{}", calls.get());
    for last in [0, 1, features] {
        calls.set(0);
        let stop = || {
            calls.set(calls.get() + 1);
            calls.get() > last
        };
        let stopped = model.score_until(&batch, &stop);
        assert!(matches!(stopped, Err(ModelError::Stopped)), "{stopped:?}");
        let stopped = model.contributions_until(&batch, &|| true);
        assert!(matches!(stopped, Err(ModelError::Stopped)), "{stopped:?}");
    }
}
