//! The calibration table: the observed share beside the predicted share, bin by bin.

use counterweight_model::CalibrationBin;

/// Bins of the table.
const BINS: usize = 10;

/// Sums of probabilities and outcomes in 10 bins of equal width over [0, 1]. A bin is (low, high];
/// the first one includes 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct BinSums([BinSum; BINS]);

#[derive(Debug, Clone, Default)]
struct BinSum {
    rows: u64,
    probability: f64,
    outcome: f64,
}

/// Where bin `bin` begins and the one before it ends.
fn edge(bin: usize) -> f64 {
    const WIDTH: f64 = 1.0 / BINS as f64;
    bin as f64 * WIDTH
}

impl BinSums {
    /// Adds one row; the outcome is 0 or 1.
    pub(crate) fn add(&mut self, probability: f64, outcome: f64) {
        // The edges inside decide, so nothing falls outside.
        let bin = (1..BINS).find(|&bin| probability <= edge(bin));
        let sum = &mut self.0[bin.unwrap_or(BINS) - 1];
        sum.rows += 1;
        sum.probability += probability;
        sum.outcome += outcome;
    }

    /// The bins that hold rows, ascending.
    pub(crate) fn table(&self) -> Vec<CalibrationBin> {
        let bins = self.0.iter().enumerate();
        bins.filter(|(_, bin)| bin.rows > 0)
            .map(|(at, bin)| CalibrationBin {
                lower: edge(at),
                upper: edge(at + 1),
                rows: bin.rows,
                mean_probability: bin.probability / bin.rows as f64,
                positive_rate: bin.outcome / bin.rows as f64,
            })
            .collect()
    }
}

/// Probabilities in 10 bins of equal width over [0, 1], without those that hold no row
/// (`sklearn.calibration.calibration_curve`).
pub fn calibration_table(probabilities: &[f64], labels: &[bool]) -> Vec<CalibrationBin> {
    let mut sums = BinSums::default();
    for (&probability, &label) in probabilities.iter().zip(labels) {
        sums.add(probability, f64::from(u8::from(label)));
    }
    sums.table()
}

/// Expected calibration error: Σ (rows of the bin / all rows) · |mean probability − positive rate|.
pub fn ece(table: &[CalibrationBin]) -> Option<f64> {
    let rows: u64 = table.iter().map(|bin| bin.rows).sum();
    (rows > 0).then(|| {
        table
            .iter()
            .map(|bin| {
                bin.rows as f64 / rows as f64 * (bin.mean_probability - bin.positive_rate).abs()
            })
            .sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_error() {
        assert_eq!(ece(&calibration_table(&[], &[])), None);
    }

    #[test]
    fn an_edge_belongs_to_the_lower_bin() {
        let table = calibration_table(&[0.0, 0.1, 0.5, 1.0], &[false, false, true, true]);
        let bins: Vec<_> = table
            .iter()
            .map(|bin| (bin.lower, bin.upper, bin.rows))
            .collect();
        assert_eq!(bins, [(0.0, 0.1, 2), (0.4, 0.5, 1), (0.9, 1.0, 1)]);
    }
}
