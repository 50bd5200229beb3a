//! Encoders of a single input, for tests of fits.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::borrow::Cow;

use counterweight_model::{Batch, Column, Encoded, Encoders, Feature, Input, Kind, Schema};
use counterweight_trainer::fit_encoders;

pub(crate) fn single(kind: Kind) -> Schema {
    Schema::new(
        vec![Input::candidate("x", kind)],
        vec![Feature::of_input("x")],
        4096,
    )
    .unwrap()
}

pub(crate) fn names(values: impl IntoIterator<Item = String>) -> Column<'static> {
    Column::Text(values.into_iter().map(Cow::Owned).collect())
}

pub(crate) fn fit(
    kind: Kind,
    column: Column<'_>,
    labels: &[bool],
    folds: &[u32],
) -> (Encoders, Encoded) {
    let schema = single(kind);
    let batch = Batch::new(&schema, labels.len(), vec![Some(column)]).unwrap();
    fit_encoders(&schema, &batch, labels, folds).unwrap()
}

pub(crate) fn encode(encoders: &Encoders, rows: usize, column: Column<'_>) -> Encoded {
    encoders
        .encode(&Batch::new(encoders.schema(), rows, vec![Some(column)]).unwrap())
        .unwrap()
}
