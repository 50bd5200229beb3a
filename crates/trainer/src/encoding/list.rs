//! Fits the encoders of lists: one column per element if there are few different elements, else the
//! mean of the elements' log-odds.

use std::collections::BTreeMap;

use counterweight_model::encoder::{
    Encoder, MeanTarget, MultiHot, distinct, hash, mean_over_distinct,
};

use super::category::{MAX_ONE_HOT, frequent};
use super::odds::{FittedOdds, Odds};
use super::rows::{FittedEncoder, TrainingRows};
use super::scale::fit_standard;

/// Elements get a column each only if at most this share of them is rare; otherwise too much would
/// be lost in the column `other`.
const MAX_OTHER_SHARE: f64 = 0.1;

pub(super) fn fit(values: &[Vec<String>], training: &TrainingRows<'_>) -> FittedEncoder {
    let mut counts = BTreeMap::<String, usize>::new();
    for list in values {
        for element in distinct(list) {
            *counts.entry(element.to_owned()).or_default() += 1;
        }
    }
    if counts.is_empty() {
        return FittedEncoder::nothing("every list is empty");
    }
    let (empty, all) = (
        values.iter().any(Vec::is_empty),
        counts.values().sum::<usize>(),
    );
    // An element of every list would have a constant column.
    let everywhere: Vec<String> = counts
        .extract_if(.., |_, count| *count == values.len())
        .map(|(element, _)| element)
        .collect();
    if counts.is_empty() && !empty {
        return FittedEncoder::nothing("constant");
    }
    let (elements, rare) = frequent(counts);
    if elements.len() <= MAX_ONE_HOT && rare as f64 <= MAX_OTHER_SHARE * all as f64 {
        return FittedEncoder::plain(Encoder::MultiHot(MultiHot {
            elements,
            everywhere,
            other: rare > 0,
            empty,
        }));
    }
    fit_target(values, training, empty)
}

fn fit_target(values: &[Vec<String>], training: &TrainingRows<'_>, empty: bool) -> FittedEncoder {
    let mut odds = Odds::new(training);
    for (index, list) in values.iter().enumerate() {
        for element in distinct(list) {
            let rows = training.rows_of(index, values.len());
            odds.count(hash(element.as_bytes()), rows);
        }
    }
    let odds: FittedOdds = odds.finish();
    let mut raw = vec![f64::NAN; training.targets.len()];
    for (index, list) in values.iter().enumerate() {
        for row in training.rows_of(index, values.len()) {
            raw[row] = mean_over_distinct(list, |element| {
                odds.without_fold(element, training.fold_of[row])
            });
        }
    }
    match fit_standard(raw.iter().copied()) {
        None => FittedEncoder {
            out_of_fold: Some(raw),
            ..FittedEncoder::nothing(
                "no element is in more than one fold, so the log-odds are constant",
            )
        },
        Some(standard) => {
            let encoder = Encoder::MeanTarget(MeanTarget {
                standard,
                empty,
                table: odds.table(),
            });
            FittedEncoder {
                out_of_fold: Some(raw),
                ..FittedEncoder::plain(encoder)
            }
        }
    }
}
