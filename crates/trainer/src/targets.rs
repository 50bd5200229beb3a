//! The labels on which a model is trained: one per row, or those of two objectives, where the
//! weight of a loss becomes the number of copies of a row.
//!
//! A model of the weighted sum of two losses, m·BCE(f, e) + n·BCE(f, 1 − b), is fitted on m copies
//! of every row with the label e and n copies with the label 1 − b, with m + n times the penalty.
//! The minimiser is the same as that of the mean loss per row with the penalty itself. The label b
//! is flipped because a loss with a negative weight has no minimum.

/// The labels of all loaded rows, with the number of copies for each set of labels.
pub(crate) struct Targets<'a> {
    labels: Vec<(&'a [bool], u32)>,
}

/// Rows with copies: one entry per copy.
pub(crate) struct Copies {
    /// The row of each copy, as a position among the given rows.
    pub(crate) rows: Vec<usize>,
    pub(crate) labels: Vec<bool>,
}

impl<'a> Targets<'a> {
    /// Every row once, with one label.
    pub(crate) fn single(labels: &'a [bool]) -> Self {
        Self {
            labels: vec![(labels, 1)],
        }
    }

    /// Every row `copies[0]` times with the first label and `copies[1]` times with the second.
    pub(crate) fn combined(labels: [&'a [bool]; 2], copies: [u32; 2]) -> Self {
        Self {
            labels: labels.into_iter().zip(copies).collect(),
        }
    }

    /// The number of copies of a row.
    pub(crate) fn count(&self) -> u32 {
        self.labels.iter().map(|(_, copies)| copies).sum()
    }

    /// The share of positive copies of each of `rows`.
    pub(crate) fn shares(&self, rows: &[usize]) -> Vec<f64> {
        let count = f64::from(self.count());
        let positive = |row: usize| -> u32 {
            let each = self.labels.iter();
            each.map(|(labels, copies)| u32::from(labels[row]) * copies)
                .sum()
        };
        rows.iter()
            .map(|&row| f64::from(positive(row)) / count)
            .collect()
    }

    /// All copies of `rows`: first the copies with the first label, then those with the second.
    /// Each copy has the rows in the given order.
    pub(crate) fn copies(&self, rows: &[usize]) -> Copies {
        let mut all = Copies {
            rows: Vec::new(),
            labels: Vec::new(),
        };
        for (labels, copies) in &self.labels {
            for _ in 0..*copies {
                all.rows.extend(0..rows.len());
                all.labels.extend(rows.iter().map(|&row| labels[row]));
            }
        }
        all
    }
}

impl Copies {
    /// Turns a value per row into a value per copy.
    pub(crate) fn spread<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.rows.iter().map(|&row| values[row]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{FitOptions, fit};

    #[test]
    fn shares_and_copies_agree() {
        let (first, second) = ([true, true, false], [true, false, false]);
        let targets = Targets::combined([&first, &second], [2, 1]);
        assert_eq!(targets.shares(&[0, 1, 2]), [1.0, 2.0 / 3.0, 0.0]);
        let copies = targets.copies(&[1, 2]);
        assert_eq!(copies.rows, [0, 1, 0, 1, 0, 1]);
        assert_eq!(copies.labels, [true, false, true, false, false, false]);
        assert_eq!(copies.spread(&['a', 'b']), ['a', 'b', 'a', 'b', 'a', 'b']);
    }

    /// A small problem whose minimiser is known: four cells with known shares of e and b, indicator
    /// columns for the cells, and almost no penalty. The model must predict
    /// (m·P(e) + n·(1 − P(b))) / (m + n) in every cell.
    #[test]
    fn copies_of_flipped_labels_have_the_known_minimiser() {
        // (rows, rows with e, rows with b); e and b are independent within a cell.
        let cells = [
            (100_u32, 20_u32, 70_u32),
            (100, 80, 10),
            (60, 30, 30),
            (40, 36, 38),
        ];
        let (mut engagement, mut no_bait, mut cell) = (vec![], vec![], vec![]);
        for (at, (rows, e, b)) in cells.into_iter().enumerate() {
            for row in 0..rows {
                engagement.push(row < e);
                no_bait.push((row * 7 + 3) % rows >= b);
                cell.push(at);
            }
        }
        let rows: Vec<usize> = (0..cell.len()).collect();
        let columns: Vec<Vec<f64>> = (0..3)
            .map(|own| {
                let is = |at: &usize| f64::from(u8::from(*at == own));
                cell.iter().map(is).collect()
            })
            .collect();
        for [m, n] in [[1, 1], [3, 1], [2, 5]] {
            let targets = Targets::combined([&engagement, &no_bait], [m, n]);
            let copies = targets.copies(&rows);
            let spread: Vec<Vec<f64>> = columns.iter().map(|c| copies.spread(c)).collect();
            let options = FitOptions {
                alpha: 1e-9 * f64::from(m + n),
                ..FitOptions::default()
            };
            let fitted = fit(&spread, &copies.labels, &options, None).unwrap();
            for (at, (rows, e, _)) in cells.into_iter().enumerate() {
                let no_bait = (0..cell.len()).filter(|&row| cell[row] == at && no_bait[row]);
                let (e, no_bait) = (f64::from(e), no_bait.count() as f64);
                let expected = (f64::from(m) * e + f64::from(n) * no_bait)
                    / (f64::from(m + n) * f64::from(rows));
                let logit = fitted.intercept + fitted.coefficients.get(at).unwrap_or(&0.0);
                let found = 1.0 / (1.0 + (-logit).exp());
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{m}:{n}, cell {at}: {found} is not {expected}"
                );
            }
        }
    }

    /// m + n copies with m + n times the penalty are equivalent to the row itself with the penalty.
    #[test]
    fn copies_of_one_label_change_nothing() {
        let labels: Vec<bool> = (0..200).map(|row| row * 7 % 11 < 4).collect();
        let column: Vec<f64> = (0..200).map(|row| f64::from(row * 13 % 17)).collect();
        let rows: Vec<usize> = (0..200).collect();
        let options = |alpha| FitOptions {
            alpha,
            ..FitOptions::default()
        };
        let once = fit(std::slice::from_ref(&column), &labels, &options(5.0), None).unwrap();
        let copies = Targets::combined([&labels, &labels], [2, 3]).copies(&rows);
        let spread = copies.spread(&column);
        let five = fit(&[spread], &copies.labels, &options(25.0), None).unwrap();
        assert!((once.coefficients[0] - five.coefficients[0]).abs() < 1e-9);
        assert!((once.intercept - five.intercept).abs() < 1e-9);
    }
}
