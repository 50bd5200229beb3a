//! Smoothed log-odds of the label by category, from all rows and without each fold.
//!
//! A category with n rows, k of them positive, in data with positive rate p, has the relative
//! log-odds `ln((k + m·p) / (n − k + m·(1 − p))) − ln(p / (1 − p))`. The strength m is the one that
//! makes the counts most likely if the rate of every category is drawn from a beta distribution
//! with mean p (empirical Bayes): the less the categories differ, the more they are shrunk.

use std::ops::Range;

use counterweight_model::encoder::Table;

use super::hashed::HashedMap;
use super::rows::TrainingRows;

/// Strengths that are tried.
const STRENGTHS: [f64; 11] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0,
];
/// A category needs this many rows to enter the table; with a single row it would reveal the label
/// of that row.
const MIN_ROWS: u32 = 2;

/// Rows and positives.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rows: u32,
    /// A whole number, unless rows are partly positive.
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

    /// Positive rate, never 0 or 1.
    fn rate(self) -> f64 {
        (self.positives + 1.0) / (f64::from(self.rows) + 2.0)
    }

    fn log_odds(self, all: Self, strength: f64) -> f64 {
        let (rate, k, n) = (all.rate(), self.positives, f64::from(self.rows));
        if self.rows < MIN_ROWS {
            return 0.0;
        }
        let odds = (k + strength * rate).ln() - (n - k + strength * (1.0 - rate)).ln();
        // Rounded to f32 as in the table, so that training sees the values that serving sees.
        f64::from((odds - (rate / (1.0 - rate)).ln()) as f32)
    }
}

/// Counts by category and fold, while they are made.
pub(super) struct Odds<'t> {
    training: &'t TrainingRows<'t>,
    ids: HashedMap<usize>,
    /// `folds` per category.
    tallies: Vec<Tally>,
    /// Per fold, over the counted rows.
    all: Vec<Tally>,
}

/// Complete counts, with the strength fitted to them.
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

    /// Counts a category in some rows.
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
    /// Relative log-odds of a category from the rows of all folds but one.
    pub(super) fn without_fold(&self, category: u64, fold: usize) -> f64 {
        let Some(&id) = self.ids.get(&category) else {
            return 0.0;
        };
        let rest = self.totals[id].minus(self.tallies[id * self.folds + fold]);
        rest.log_odds(self.all.minus(self.all_folds[fold]), self.strength)
    }

    /// Relative log-odds of every category from all rows.
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

/// The strength among [`STRENGTHS`] with the highest beta-binomial likelihood of the counts, in
/// whole rows; of equal ones the smallest.
fn likeliest_strength(totals: &[Tally], rate: f64) -> f64 {
    // The likelihood is a product of rising factorials, one per category. They share their factors,
    // so it is enough to count how many categories have more than i positives, negatives and rows.
    let (mut positives, mut negatives, mut rows) = (vec![], vec![], vec![]);
    for tally in totals {
        let whole = (tally.positives.round() as u32).min(tally.rows);
        bump(&mut positives, whole);
        bump(&mut negatives, tally.rows - whole);
        bump(&mut rows, tally.rows);
    }
    let rising = |ends: &[u64], start: f64| {
        let mut left: u64 = ends.iter().sum();
        let mut sum = 0.0;
        for (i, count) in ends.iter().enumerate() {
            left -= count;
            sum += left as f64 * (start + i as f64).ln();
        }
        sum
    };
    let likelihood = |m: f64| {
        rising(&positives, m * rate) + rising(&negatives, m * (1.0 - rate)) - rising(&rows, m)
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

fn bump(histogram: &mut Vec<u64>, at: u32) {
    let at = at as usize;
    if histogram.len() <= at {
        histogram.resize(at + 1, 0);
    }
    histogram[at] += 1;
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
        // Every category at exactly the common rate: shrink as much as possible.
        assert_eq!(likeliest_strength(&[tally(100, 50); 20], 0.5), 5000.0);
        // Every category all positive or all negative: shrink as little as possible.
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
