//! The log-odds of every n-gram: how much more often texts with the n-gram are positive than texts
//! in general.
//!
//! If c₁ positive and c₀ negative texts contain an n-gram, and b is the share of positives among
//! all texts, its number is `ln((c₁ + b) / (c₀ + 1 − b)) − ln(b / (1 − b))`. This is as if each
//! n-gram occurred in one more text, which has the average label. The counts for a training row
//! leave out the rows of its fold.

use std::borrow::Cow;

use counterweight_model::encoder::text::{GramBuffer, GramKind, score};

use super::scored::Scored;
use super::vocabulary::Vocabulary;
use crate::encoding::rows::TrainingRows;

pub(super) fn fit(
    texts: &[Cow<'_, str>],
    training: &TrainingRows<'_>,
    kind: GramKind,
    min_texts: u32,
) -> Scored {
    let vocabulary = Vocabulary::from_texts(texts, &[kind], min_texts);
    let counts = Counts::count(texts, training, kind, &vocabulary);
    let mut out_of_fold = vec![f64::NAN; texts.len()];
    let mut buffer = GramBuffer::default();
    for fold in 0..training.folds {
        let numbers = counts.log_odds(Some(fold), min_texts);
        let number = |hash: u64| {
            vocabulary
                .id(hash)
                .map(|id| f64::from(numbers[id]))
                .filter(|number| !number.is_nan())
        };
        for (row, text) in texts.iter().enumerate() {
            if training.fold_of[row] == fold && !text.is_empty() {
                buffer.read(text, &[kind]);
                out_of_fold[row] = score(&buffer, &[kind], number);
            }
        }
    }
    Scored {
        out_of_fold,
        table: vocabulary.table(&counts.log_odds(None, min_texts)),
    }
}

/// In how many texts of either class each n-gram occurs, by fold.
struct Counts {
    folds: usize,
    /// `[negatives, positives]` by n-gram and fold, of the texts with the n-gram.
    with: Vec<[f64; 2]>,
    /// `[negatives, positives]` by fold, of all texts.
    all: Vec<[f64; 2]>,
}

impl Counts {
    fn count(
        texts: &[Cow<'_, str>],
        training: &TrainingRows<'_>,
        kind: GramKind,
        vocabulary: &Vocabulary,
    ) -> Self {
        let folds = training.folds;
        let (mut with, mut all) = (
            vec![[0.0; 2]; vocabulary.len() * folds],
            vec![[0.0; 2]; folds],
        );
        let mut buffer = GramBuffer::default();
        for (row, text) in texts
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
        {
            let (fold, target) = (training.fold_of[row], training.targets[row]);
            add(&mut all[fold], target);
            buffer.read(text, &[kind]);
            for id in buffer
                .grams(kind)
                .iter()
                .filter_map(|hash| vocabulary.id(*hash))
            {
                add(&mut with[id * folds + fold], target);
            }
        }
        Self { folds, with, all }
    }

    /// The log-odds of every n-gram, from all folds except `without`; NaN for an n-gram that occurs
    /// in too few texts.
    fn log_odds(&self, without: Option<usize>, min_texts: u32) -> Vec<f32> {
        let sum = |folds: &[[f64; 2]]| {
            let kept = folds
                .iter()
                .enumerate()
                .filter(|(fold, _)| Some(*fold) != without);
            kept.fold([0.0; 2], |[a, b]: [f64; 2], (_, [c, d])| [a + c, b + d])
        };
        let share = share_of_positives(sum(&self.all));
        let prior = (share / (1.0 - share)).ln();
        let number = |[negatives, positives]: [f64; 2]| {
            let odds = (positives + share) / (negatives + 1.0 - share);
            // If targets are shares, the sum is a whole number only up to rounding.
            if (negatives + positives).round() < f64::from(min_texts) {
                f32::NAN
            } else {
                (odds.ln() - prior) as f32
            }
        };
        self.with
            .chunks(self.folds)
            .map(|folds| number(sum(folds)))
            .collect()
    }
}

/// Adds one text to `[negatives, positives]`.
fn add(counts: &mut [f64; 2], target: f64) {
    counts[0] += 1.0 - target;
    counts[1] += target;
}

/// The share of positives. It is never 0 or 1, even if all texts of a class are in one fold.
fn share_of_positives([negatives, positives]: [f64; 2]) -> f64 {
    let rows = (negatives + positives).max(1.0);
    (positives / rows).clamp(0.5 / rows, 1.0 - 0.5 / rows)
}
