//! Assigns a unit to a bucket by a stable hash, and a bucket to an arm by a table. Changed shares
//! move the fewest buckets.

use sha2::{Digest as _, Sha256};

/// Buckets of an experiment.
pub(crate) const BUCKETS: u32 = 10_000;

/// The first eight bytes of SHA-256 over these parts, as a big-endian number.
pub(super) fn hash(parts: [&[u8]; 3]) -> u64 {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    let digest: [u8; 32] = digest.finalize().into();
    digest
        .iter()
        .take(8)
        .fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

/// The bucket of a unit, below [`BUCKETS`]: ⌊h · 10,000 / 2^64⌋ with h the first 64 bits of
/// SHA-256(salt, 0x00, unit id).
pub(super) fn bucket(salt: &str, unit_id: &str) -> u32 {
    let hash = hash([salt.as_bytes(), &[0], unit_id.as_bytes()]);
    // The high half of a product with a number below 2^32.
    ((u128::from(hash) * u128::from(BUCKETS)) >> 64) as u32
}

/// Runs of buckets from 0 on: the position of the arm, or none, and how many.
pub(crate) type Runs = Vec<(Option<usize>, u32)>;

/// The table for `shares`, the buckets of each arm, with as many buckets as possible where `before`
/// has them.
///
/// An arm that shrinks gives up its highest buckets. An arm that grows takes the lowest of those
/// that were given up, then the lowest of those that no arm had; arms choose in their order. So Σ
/// max(0, old − new) buckets move, over all arms and "no arm", and no table moves fewer.
///
/// `before` names arms by their position in `shares`; a position beyond them is an arm that was
/// removed. Where `before` has fewer than 10,000 buckets, the rest had no arm. Where shares sum to
/// more than 10,000, the last arms are cut short.
pub(crate) fn rearrange(before: &[(Option<usize>, u32)], shares: &[u32]) -> Runs {
    let mut table: Vec<Option<usize>> = before
        .iter()
        .flat_map(|&(arm, count)| std::iter::repeat_n(arm, count.min(BUCKETS) as usize))
        .chain(std::iter::repeat(None))
        .take(BUCKETS as usize)
        .collect();
    let mut kept = vec![0; shares.len()];
    let (mut given_up, mut never_assigned) = (Vec::new(), Vec::new());
    for (bucket, slot) in table.iter_mut().enumerate() {
        match *slot {
            Some(arm) if shares.get(arm).is_some_and(|&share| kept[arm] < share) => kept[arm] += 1,
            Some(_) => given_up.push(bucket),
            None => never_assigned.push(bucket),
        }
    }
    given_up.iter().for_each(|&bucket| table[bucket] = None);
    let mut free = given_up.into_iter().chain(never_assigned);
    for (arm, (&share, kept)) in shares.iter().zip(kept).enumerate() {
        for bucket in free.by_ref().take((share - kept) as usize) {
            table[bucket] = Some(arm);
        }
    }
    runs(&table)
}

fn runs(table: &[Option<usize>]) -> Runs {
    let mut runs: Runs = Vec::new();
    for &arm in table {
        match runs.last_mut() {
            Some((last, count)) if *last == arm => *count += 1,
            _ => runs.push((arm, 1)),
        }
    }
    runs
}

/// How many buckets each of `arms` arms has.
#[must_use]
pub fn shares(runs: &[(Option<usize>, u32)], arms: usize) -> Vec<u32> {
    let mut shares = vec![0_u32; arms];
    for &(arm, count) in runs {
        if let Some(share) = arm.and_then(|arm| shares.get_mut(arm)) {
            *share = share.saturating_add(count);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audience::reference;

    const UNITS: usize = 1_000_000;

    fn buckets(salt: &str) -> Vec<u32> {
        (0..UNITS)
            .map(|unit| bucket(salt, &format!("user-{unit}")))
            .collect()
    }

    /// The quantiles of χ² at 0.001 and 0.999.
    fn chi_squared(degrees: u64) -> (f64, f64) {
        let rows = reference("chi_squared");
        let row = rows.iter().find(|row| row[0].as_u64() == Some(degrees));
        let row = row.unwrap();
        (row[1].as_f64().unwrap(), row[2].as_f64().unwrap())
    }

    fn statistic(counts: &[u32]) -> f64 {
        let expected = UNITS as f64 / counts.len() as f64;
        let off = |&count: &u32| (f64::from(count) - expected).powi(2) / expected;
        counts.iter().map(off).sum()
    }

    #[test]
    fn buckets_are_those_of_another_implementation_of_the_hash() {
        for case in reference("buckets") {
            let text = |at: usize| case[at].as_str().unwrap();
            let expected = case[2].as_u64().unwrap();
            assert_eq!(u64::from(bucket(text(0), text(1))), expected, "{case}");
        }
    }

    #[test]
    fn a_million_units_fill_the_buckets_evenly_and_not_too_evenly() {
        let (low, high) = chi_squared(9_999);
        for salt in ["", "2026-layout", "0192f3c1"] {
            let mut counts = vec![0; BUCKETS as usize];
            for bucket in buckets(salt) {
                counts[bucket as usize] += 1;
            }
            let statistic = statistic(&counts);
            assert!(
                low < statistic && statistic < high,
                "{salt:?}: {statistic} is not within {low} and {high}"
            );
        }
    }

    #[test]
    fn buckets_under_two_salts_are_independent() {
        // 20 × 20 cells; rows and columns are uniform, so a dependence is all that can make the
        // cells uneven.
        let (low, high) = chi_squared(361);
        let salts = ["a", "b", "2026-layout", "2026-layout-2"].map(buckets);
        for (at, first) in salts.iter().enumerate() {
            for second in &salts[at + 1..] {
                let (mut cells, mut rows, mut columns) =
                    ([[0_u32; 20]; 20], [0_u32; 20], [0_u32; 20]);
                for (&a, &b) in first.iter().zip(second) {
                    let (row, column) = (a as usize / 500, b as usize / 500);
                    cells[row][column] += 1;
                    rows[row] += 1;
                    columns[column] += 1;
                }
                let mut statistic = 0.0;
                for (row, cells) in cells.iter().enumerate() {
                    for (column, &count) in cells.iter().enumerate() {
                        let expected =
                            f64::from(rows[row]) * f64::from(columns[column]) / UNITS as f64;
                        statistic += (f64::from(count) - expected).powi(2) / expected;
                    }
                }
                assert!(low < statistic && statistic < high, "{statistic}");
            }
        }
    }

    /// Who has each bucket, by the arms' names.
    fn table(runs: &[(Option<usize>, u32)], names: &[u8]) -> Vec<Option<u8>> {
        let table: Vec<_> = runs
            .iter()
            .flat_map(|&(arm, count)| {
                std::iter::repeat_n(arm.map(|arm| names[arm]), count as usize)
            })
            .collect();
        assert_eq!(table.len(), BUCKETS as usize, "always all buckets");
        table
    }

    /// Arms by name, and what each has: shares that sum to at most 10,000.
    fn arms() -> impl Strategy<Value = Vec<(u8, u32)>> {
        let share = prop_oneof![Just(0), Just(1), 0..=10_000_u32];
        let arms = prop::collection::btree_map(0_u8..6, share, 1..6);
        (arms, any::<bool>()).prop_map(|(arms, turned)| {
            let mut left = BUCKETS;
            let mut arms: Vec<(u8, u32)> = arms
                .into_iter()
                .map(|(name, share)| {
                    let share = share.min(left);
                    left -= share;
                    (name, share)
                })
                .collect();
            if turned {
                arms.reverse();
            }
            arms
        })
    }

    proptest! {
        /// Over any sequence of changes, with arms that come and go and change their order.
        #[test]
        fn changed_shares_move_the_fewest_buckets_and_no_others(changes in prop::collection::vec(arms(), 1..6)) {
            let (mut runs, mut names): (Runs, Vec<u8>) = (Vec::new(), Vec::new());
            for change in changes {
                let before = if names.is_empty() { vec![None; BUCKETS as usize] } else { table(&runs, &names) };
                let wanted: Vec<u8> = change.iter().map(|&(name, _)| name).collect();
                let shares_wanted: Vec<u32> = change.iter().map(|&(_, share)| share).collect();
                let position = |name: u8| wanted.iter().position(|&known| known == name).unwrap_or(usize::MAX);
                let renamed: Runs = runs.iter().map(|&(arm, count)| (arm.map(|arm| position(names[arm])), count)).collect();
                runs = rearrange(&renamed, &shares_wanted);
                names = wanted;
                prop_assert_eq!(shares(&runs, names.len()), shares_wanted);
                prop_assert!(runs.windows(2).all(|pair| pair[0].0 != pair[1].0), "runs are as long as they can be");
                let after = table(&runs, &names);
                let count = |table: &[Option<u8>], who: Option<u8>| table.iter().filter(|&&arm| arm == who).count();
                let everyone = std::iter::once(None).chain((0..6).map(Some));
                let fewest: usize = everyone.clone().map(|who| count(&before, who).saturating_sub(count(&after, who))).sum();
                let moved: Vec<usize> = (0..before.len()).filter(|&at| before[at] != after[at]).collect();
                prop_assert_eq!(moved.len(), fewest);
                // Who shrinks gives up the highest: all that it keeps lie below all that it loses.
                for who in (0..6).map(Some) {
                    let kept = (0..before.len()).filter(|&at| before[at] == who && after[at] == who).max();
                    let lost = (0..before.len()).filter(|&at| before[at] == who && after[at] != who).min();
                    prop_assert!(kept.is_none() || lost.is_none() || kept < lost);
                }
            }
        }
    }

    #[test]
    fn who_grows_takes_what_was_given_up_before_what_nobody_had() {
        let first = rearrange(&[], &[3_000, 3_000]);
        assert_eq!(first, [(Some(0), 3_000), (Some(1), 3_000), (None, 4_000)]);
        let second = rearrange(&first, &[1_000, 5_500]);
        assert_eq!(second, [(Some(0), 1_000), (Some(1), 5_500), (None, 3_500)]);
        // An arm that is gone gives up all of its buckets.
        let third = rearrange(&[(Some(usize::MAX), 1_000), (None, 9_000)], &[500]);
        assert_eq!(third, [(Some(0), 500), (None, 9_500)]);
    }

    #[test]
    fn a_table_that_is_too_long_or_too_short_is_put_right() {
        for before in [
            vec![(Some(0), u32::MAX)],
            vec![(Some(0), 5)],
            vec![(None, 20_000)],
        ] {
            let runs = rearrange(&before, &[10_000]);
            assert_eq!(runs, [(Some(0), 10_000)]);
        }
        let cut = rearrange(&[], &[9_000, 9_000]);
        assert_eq!(cut, [(Some(0), 9_000), (Some(1), 1_000)]);
    }
}
