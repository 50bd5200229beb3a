//! Fits the encoders of categories: one column per category if there are few, else one column of
//! smoothed log-odds.

use std::collections::BTreeMap;

use counterweight_model::Categories;
use counterweight_model::encoder::{Encoder, OneHot, Target, hash};

use super::odds::Odds;
use super::rows::{FittedEncoder, TrainingRows};
use super::scale::fit_standard;

/// Categories get a column each only if at most this many are frequent.
pub(super) const MAX_ONE_HOT: usize = 32;
/// A category with fewer values than this is rare: it shares the column `other` with unknown ones.
pub(super) const MIN_COUNT: usize = 5;
/// Categories get a column each only if at most this share of the values is rare; otherwise too
/// much would be lost in the column `other`.
const MAX_OTHER_SHARE: f64 = 0.1;

pub(super) fn fit(values: &Categories<'_>, training: &TrainingRows<'_>) -> FittedEncoder {
    let (mut counts, mut missing) = (BTreeMap::<String, usize>::new(), 0);
    values.for_each(|_, category| match category {
        None => missing += 1,
        Some(category) => match counts.get_mut(category) {
            Some(count) => *count += 1,
            None => {
                counts.insert(category.to_owned(), 1);
            }
        },
    });
    let present = values.len() - missing;
    if present == 0 {
        return FittedEncoder::nothing("every value is missing");
    }
    if counts.len() == 1 && missing == 0 {
        return FittedEncoder::nothing("constant");
    }
    let (categories, rare) = frequent(counts);
    if categories.len() <= MAX_ONE_HOT && rare as f64 <= MAX_OTHER_SHARE * present as f64 {
        return FittedEncoder::plain(Encoder::OneHot(OneHot {
            categories,
            other: rare > 0,
            missing: missing > 0,
        }));
    }
    fit_target(values, training, missing > 0)
}

/// The frequent categories, sorted, and the number of values of all others.
pub(super) fn frequent(counts: BTreeMap<String, usize>) -> (Vec<String>, usize) {
    let rare = counts.values().filter(|count| **count < MIN_COUNT).sum();
    (
        counts
            .into_iter()
            .filter(|(_, count)| *count >= MIN_COUNT)
            .map(|(category, _)| category)
            .collect(),
        rare,
    )
}

fn fit_target(
    values: &Categories<'_>,
    training: &TrainingRows<'_>,
    missing: bool,
) -> FittedEncoder {
    let mut odds = Odds::new(training);
    values.for_each(|index, category| {
        if let Some(category) = category {
            odds.count(
                hash(category.as_bytes()),
                training.rows_of(index, values.len()),
            );
        }
    });
    let odds = odds.finish();
    let mut raw = vec![f64::NAN; training.targets.len()];
    values.for_each(|index, category| {
        for row in training.rows_of(index, values.len()) {
            raw[row] = category.map_or(f64::NAN, |category| {
                odds.without_fold(hash(category.as_bytes()), training.fold_of[row])
            });
        }
    });
    match fit_standard(raw.iter().copied()) {
        None => FittedEncoder {
            out_of_fold: Some(raw),
            ..FittedEncoder::nothing(
                "no category is in more than one fold, so the log-odds are constant",
            )
        },
        Some(standard) => FittedEncoder {
            out_of_fold: Some(raw),
            ..FittedEncoder::plain(Encoder::Target(Target {
                standard,
                missing,
                table: odds.table(),
            }))
        },
    }
}
