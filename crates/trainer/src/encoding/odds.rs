//! Smoothed log-odds of the label by category, from all rows and without each fold.
//!
//! A category has n rows, of which k are positive, in data with the positive rate p. Its relative
//! log-odds are `ln((k + m·p) / (n − k + m·(1 − p))) − ln(p / (1 − p))`. The strength m is chosen
//! by empirical Bayes: it maximises the likelihood of the counts if the rate of every category is
//! drawn from a beta distribution with mean p. The less the categories differ, the larger is m, and
//! the more the log-odds are shrunk to 0.

use std::ops::Range;

use counterweight_model::encoder::Table;

use super::hashed::HashedMap;
use super::rows::TrainingRows;

/// The strengths that are tried.
const STRENGTHS: [f64; 11] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0,
];
/// A category with fewer rows has log-odds 0 and is left out of the table: a single row would
/// reveal its label.
const MIN_ROWS: u32 = 2;

/// A number of rows, and how many of them are positive.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rows: u32,
    /// The sum of the targets; a whole number unless targets are shares.
    positives: f64,
}

impl Tally {
    fn add(&mut self, target: f64) {
        self.rows += 1;
        self.positives += target;
    }

    fn minus(self, other: Self) -> Self {
        Self {
            rows: self.rows - other.rows,
            positives: self.positives - other.positives,
        }
    }

    /// The positive rate, smoothed so that it is never 0 or 1.
    fn rate(self) -> f64 {
        (self.positives + 1.0) / (f64::from(self.rows) + 2.0)
    }

    /// The log-odds of a category relative to those of all rows.
    fn log_odds(self, all: Self, strength: f64) -> f64 {
        let (rate, k, n) = (all.rate(), self.positives, f64::from(self.rows));
        if self.rows < MIN_ROWS {
            return 0.0;
        }
        let odds = (k + strength * rate).ln() - (n - k + strength * (1.0 - rate)).ln();
        // Rounded to f32 like the numbers of the table, so that training and serving see the same
        // values.
        f64::from((odds - (rate / (1.0 - rate)).ln()) as f32)
    }
}

/// Counts by category and fold, to which rows can be added.
pub(super) struct Odds<'t> {
    training: &'t TrainingRows<'t>,
    ids: HashedMap<usize>,
    /// One per category and fold; the folds of a category are contiguous.
    tallies: Vec<Tally>,
    /// One per fold, over all categories.
    all: Vec<Tally>,
}

/// Complete counts, with the strength that was fitted to them.
pub(super) struct FittedOdds {
    ids: HashedMap<usize>,
    folds: usize,
    tallies: Vec<Tally>,
    totals: Vec<Tally>,
    all_folds: Vec<Tally>,
    all: Tally,
    strength: f64,
}

impl<'t> Odds<'t> {
    pub(super) fn new(training: &'t TrainingRows<'t>) -> Self {
        Self {
            training,
            ids: HashedMap::default(),
            tallies: vec![],
            all: vec![Tally::default(); training.folds],
        }
    }

    /// Counts a category in `rows`.
    pub(super) fn count(&mut self, category: u64, rows: Range<usize>) {
        let folds = self.training.folds;
        let id = *self.ids.entry(category).or_insert_with(|| {
            self.tallies
                .resize(self.tallies.len() + folds, Tally::default());
            self.tallies.len() / folds - 1
        });
        for row in rows {
            let (fold, target) = (self.training.fold_of[row], self.training.targets[row]);
            self.tallies[id * folds + fold].add(target);
            self.all[fold].add(target);
        }
    }

    /// Sums the counts and fits the strength.
    pub(super) fn finish(self) -> FittedOdds {
        let sum = |tallies: &[Tally]| {
            tallies.iter().fold(Tally::default(), |a, b| Tally {
                rows: a.rows + b.rows,
                positives: a.positives + b.positives,
            })
        };
        let folds = self.training.folds;
        let totals: Vec<Tally> = self.tallies.chunks(folds).map(sum).collect();
        let all = sum(&self.all);
        let strength = likeliest_strength(&totals, all.rate());
        FittedOdds {
            ids: self.ids,
            folds,
            tallies: self.tallies,
            totals,
            all_folds: self.all,
            all,
            strength,
        }
    }
}

impl FittedOdds {
    /// Relative log-odds of a category from all rows outside `fold`.
    pub(super) fn without_fold(&self, category: u64, fold: usize) -> f64 {
        let Some(&id) = self.ids.get(&category) else {
            return 0.0;
        };
        let rest = self.totals[id].minus(self.tallies[id * self.folds + fold]);
        rest.log_odds(self.all.minus(self.all_folds[fold]), self.strength)
    }

    /// Relative log-odds from all rows, of every category that has enough rows.
    pub(super) fn table(&self) -> Table {
        let known = self
            .ids
            .iter()
            .filter(|(_, id)| self.totals[**id].rows >= MIN_ROWS);
        Table::new(
            known
                .map(|(hash, id)| {
                    (
                        *hash,
                        self.totals[*id].log_odds(self.all, self.strength) as f32,
                    )
                })
                .collect(),
        )
    }
}

/// The strength among [`STRENGTHS`] with the highest beta-binomial likelihood of the counts, which
/// are rounded to whole rows. If several are equal, it is the smallest.
fn likeliest_strength(totals: &[Tally], rate: f64) -> f64 {
    // The likelihood is a product over categories of rising factorials, `start·(start + 1)·…`. The
    // factor `start + i` occurs once for each category with more than i positives (or negatives, or
    // rows), so histograms of these counts are enough.
    let (mut positives, mut negatives, mut rows) = (vec![], vec![], vec![]);
    for tally in totals {
        let whole = (tally.positives.round() as u32).min(tally.rows);
        bump(&mut positives, whole);
        bump(&mut negatives, tally.rows - whole);
        bump(&mut rows, tally.rows);
    }
    let log_rising = |histogram: &[u64], start: f64| {
        let mut above: u64 = histogram.iter().sum();
        let mut sum = 0.0;
        for (i, count) in histogram.iter().enumerate() {
            above -= count;
            sum += above as f64 * (start + i as f64).ln();
        }
        sum
    };
    let likelihood = |m: f64| {
        log_rising(&positives, m * rate) + log_rising(&negatives, m * (1.0 - rate))
            - log_rising(&rows, m)
    };
    let better = |best: (f64, f64), m: f64| {
        let value = likelihood(m);
        if value > best.1 { (m, value) } else { best }
    };
    STRENGTHS
        .into_iter()
        .fold((STRENGTHS[0], f64::NEG_INFINITY), better)
        .0
}

/// Adds one to the number of categories with this count.
fn bump(histogram: &mut Vec<u64>, count: u32) {
    let index = count as usize;
    if histogram.len() <= index {
        histogram.resize(index + 1, 0);
    }
    histogram[index] += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: u32, positives: u32) -> Tally {
        Tally {
            rows,
            positives: f64::from(positives),
        }
    }

    #[test]
    fn strength_follows_how_much_categories_differ() {
        // Every category has exactly the common rate: shrink as much as possible.
        assert_eq!(likeliest_strength(&[tally(100, 50); 20], 0.5), 5000.0);
        // The rows of a category are all positive or all negative: shrink as little as possible.
        let apart: Vec<_> = (0..20).map(|i| tally(100, 100 * (i % 2))).collect();
        assert_eq!(likeliest_strength(&apart, 0.5), 1.0);
        // Rates of .3 and .7 have variance .04, for which p(1−p)/(m+1) = .04 gives m = 5.25.
        let moderate: Vec<_> = (0..20).map(|i| tally(1000, 300 + 400 * (i % 2))).collect();
        assert!([5.0, 10.0].contains(&likeliest_strength(&moderate, 0.5)));
    }

    #[test]
    fn log_odds_are_relative_and_shrunk() {
        let all = tally(998, 249); // rate (249 + 1) / (998 + 2) = 1/4
        assert_eq!(tally(1, 1).log_odds(all, 10.0), 0.0);
        let expected: f64 = ((8.0_f64 + 2.5) / (2.0 + 7.5)).ln() - (1.0_f64 / 3.0).ln();
        assert!((tally(10, 8).log_odds(all, 10.0) - expected).abs() < 1e-7);
    }
}
