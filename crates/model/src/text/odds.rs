//! The log-odds of every n-gram: how much oftener than other texts those with it are positive.
//!
//! With c₁ and c₀ texts of either class that hold an n-gram, and b the share of positives among all texts, its number is
//! `ln((c₁ + b) / (c₀ + 1 − b)) − ln(b / (1 − b))`: as if each n-gram had been seen once more, in a text of average label. For a training
//! row everything is counted without the row's fold.

use std::borrow::Cow;

use super::fit::Scored;
use super::grams::{GramBuffer, GramKind};
use super::score;
use crate::encoder::Training;
use crate::table::{HashedMap, Table};

pub(super) fn fit(
    texts: &[Cow<'_, str>],
    training: &Training<'_>,
    kind: GramKind,
    min_texts: u32,
) -> Scored {
    let vocabulary = Vocabulary::of(texts, &[kind], min_texts);
    let counts = Counts::of(texts, training, kind, &vocabulary);
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

/// The n-grams that occur in enough texts, numbered.
pub(super) struct Vocabulary {
    ids: HashedMap<u32>,
}

impl Vocabulary {
    pub(super) fn of(texts: &[Cow<'_, str>], kinds: &[GramKind], min_texts: u32) -> Self {
        let (mut counts, mut buffer) = (HashedMap::<u32>::default(), GramBuffer::default());
        for text in texts.iter().filter(|text| !text.is_empty()) {
            buffer.read(text, kinds);
            for hash in kinds.iter().flat_map(|kind| buffer.grams(*kind)) {
                *counts.entry(*hash).or_default() += 1;
            }
        }
        counts.retain(|_, count| *count >= min_texts);
        // In a fixed order: the ridge score's sums depend on it.
        let mut hashes: Vec<u64> = counts.into_keys().collect();
        hashes.sort_unstable();
        Self {
            ids: hashes.into_iter().zip(0..).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, hash: u64) -> Option<usize> {
        self.ids.get(&hash).map(|id| *id as usize)
    }

    /// A table of those numbers that are not NaN.
    pub(super) fn table(&self, numbers: &[f32]) -> Table {
        Table::new(
            self.ids
                .iter()
                .map(|(hash, id)| (*hash, numbers[*id as usize]))
                .collect(),
        )
    }
}

/// In how many texts of either class and each fold every n-gram occurs.
struct Counts {
    folds: usize,
    /// `[negatives, positives]` by n-gram and fold.
    with: Vec<[f64; 2]>,
    /// `[negatives, positives]` by fold, of all texts.
    all: Vec<[f64; 2]>,
}

impl Counts {
    fn of(
        texts: &[Cow<'_, str>],
        training: &Training<'_>,
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

    /// The number of every n-gram, from all folds but `without`; NaN for those in too few texts.
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
            // Shares of a text sum to it but for rounding.
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

/// One text more, `[negatives, positives]`.
fn add(counts: &mut [f64; 2], target: f64) {
    counts[0] += 1.0 - target;
    counts[1] += target;
}

/// Never 0 or 1, even where a fold holds all texts of one class.
fn share_of_positives([negatives, positives]: [f64; 2]) -> f64 {
    let rows = (negatives + positives).max(1.0);
    (positives / rows).clamp(0.5 / rows, 1.0 - 0.5 / rows)
}
