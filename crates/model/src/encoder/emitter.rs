//! The emitter, through which an encoder sends the columns of one feature to a sink.

use super::standard::Standard;
use crate::sink::Sink;

/// Sends one feature's columns to a sink.
pub(crate) struct Emitter<'s, S> {
    pub(crate) sink: &'s mut S,
    /// Index of the feature's first column in the whole matrix.
    pub(crate) first: usize,
    /// Whether the feature has one value for all rows.
    pub(crate) broadcast: bool,
}

impl<S: Sink> Emitter<'_, S> {
    pub(super) fn dense(&mut self, column: usize, values: &[f64]) {
        self.sink.dense(self.first + column, values);
    }

    pub(super) fn standardised(
        &mut self,
        column: usize,
        standard: Standard,
        values: &[f64],
        buffer: &mut Vec<f64>,
    ) {
        standard.apply(values, buffer);
        self.dense(column, buffer);
    }

    /// Sends one number. A feature with a single value fills the whole column with it.
    pub(super) fn one(&mut self, row: usize, column: usize, value: f64) {
        if self.broadcast {
            self.dense(column, &[value]);
        } else {
            self.sink.one(row, self.first + column, value);
        }
    }

    /// Sends a 1 in `column` for every missing value.
    pub(super) fn missing(&mut self, column: usize, values: &[f64]) {
        for (row, value) in values.iter().enumerate() {
            if value.is_nan() {
                self.one(row, column, 1.0);
            }
        }
    }
}
