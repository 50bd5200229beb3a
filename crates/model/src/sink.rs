//! Receivers of encoded numbers: a training matrix, logits, their terms, or contributions by feature.
//!
//! One encoding routine feeds all four, so that training and serving cannot differ. Every row
//! receives its columns in increasing order, whatever else is in the batch. A row's sum of doubles
//! is therefore the same bit for bit in every batch.

/// Receives encoded numbers. A number that is not sent is 0.
pub(crate) trait Sink {
    /// Receives a whole column: one number per row, or a single number for all rows.
    fn dense(&mut self, column: usize, values: &[f64]);

    /// Receives the number of one row.
    fn one(&mut self, row: usize, column: usize, value: f64);
}

/// A dense matrix by column; every number is 0 at first.
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<Vec<f64>>,
}

impl Matrix {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self {
            rows,
            columns: vec![vec![0.0; rows]; width],
        }
    }
}

impl Sink for Matrix {
    fn dense(&mut self, column: usize, values: &[f64]) {
        match values {
            [value] => self.columns[column].fill(*value),
            values => self.columns[column].copy_from_slice(values),
        }
    }

    fn one(&mut self, row: usize, column: usize, value: f64) {
        self.columns[column][row] = value;
    }
}

/// Sums coefficient × number for each row.
pub(crate) struct Logits<'m> {
    pub(crate) coefficients: &'m [f64],
    pub(crate) logits: Vec<f64>,
}

impl Sink for Logits<'_> {
    fn dense(&mut self, column: usize, values: &[f64]) {
        let coefficient = self.coefficients[column];
        match values {
            [value] => self
                .logits
                .iter_mut()
                .for_each(|logit| *logit += coefficient * value),
            values => self
                .logits
                .iter_mut()
                .zip(values)
                .for_each(|(logit, value)| *logit += coefficient * value),
        }
    }

    fn one(&mut self, row: usize, column: usize, value: f64) {
        self.logits[row] += self.coefficients[column] * value;
    }
}

/// One number that is added to the logit of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The encoded column.
    pub column: usize,
    /// The row's number in this column.
    pub number: f64,
    /// Coefficient × number.
    pub value: f64,
}

/// Keeps the terms of each row in the order in which [`Logits`] adds them.
pub(crate) struct Terms<'m> {
    pub(crate) coefficients: &'m [f64],
    pub(crate) rows: Vec<Vec<Term>>,
}

impl Terms<'_> {
    fn term(&self, column: usize, number: f64) -> Term {
        Term {
            column,
            number,
            value: self.coefficients[column] * number,
        }
    }
}

impl Sink for Terms<'_> {
    fn dense(&mut self, column: usize, values: &[f64]) {
        for row in 0..self.rows.len() {
            let number = if values.len() == 1 {
                values[0]
            } else {
                values[row]
            };
            self.one(row, column, number);
        }
    }

    fn one(&mut self, row: usize, column: usize, value: f64) {
        let term = self.term(column, value);
        self.rows[row].push(term);
    }
}

/// Sums coefficient × number for each row and feature.
pub(crate) struct ByFeature<'m> {
    pub(crate) coefficients: &'m [f64],
    /// Feature of each column.
    pub(crate) feature_of: &'m [usize],
    /// Number of features.
    pub(crate) features: usize,
    /// Row-major `[rows, features]`.
    pub(crate) values: Vec<f64>,
}

impl Sink for ByFeature<'_> {
    fn dense(&mut self, column: usize, values: &[f64]) {
        let (coefficient, feature) = (self.coefficients[column], self.feature_of[column]);
        let cells = self.values.iter_mut().skip(feature).step_by(self.features);
        match values {
            [value] => cells.for_each(|cell| *cell += coefficient * value),
            values => cells
                .zip(values)
                .for_each(|(cell, value)| *cell += coefficient * value),
        }
    }

    fn one(&mut self, row: usize, column: usize, value: f64) {
        self.values[row * self.features + self.feature_of[column]] +=
            self.coefficients[column] * value;
    }
}
