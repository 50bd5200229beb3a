//! From a unit to its bucket, and from a bucket to its arm: a stable hash, and a table in which changed shares move the fewest buckets.

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

/// The bucket of a unit, below [`BUCKETS`]: ⌊h · 10,000 / 2^64⌋ with h the first 64 bits of SHA-256(salt, 0x00, unit id).
pub(super) fn bucket(salt: &str, unit_id: &str) -> u32 {
    let hash = hash([salt.as_bytes(), &[0], unit_id.as_bytes()]);
    // The high half of a product with a number below 2^32.
    ((u128::from(hash) * u128::from(BUCKETS)) >> 64) as u32
}

/// Runs of buckets from 0 on: the position of the arm, or none, and how many.
pub(crate) type Runs = Vec<(Option<usize>, u32)>;

/// The table for `shares`, the buckets of each arm, with as many buckets as possible where `before` has them.
///
/// An arm that shrinks gives up its highest buckets. One that grows takes the lowest of those that were given up, then the lowest of those that
/// no arm had; arms choose in their order. So Σ max(0, old − new) buckets move, over all arms and "no arm": none could be fewer. `before` names
/// arms by their present position, and those that are gone by one that is not there; what it lacks of 10,000 no arm had. Shares beyond 10,000
/// in all are cut off at the last arms.
pub(crate) fn rearrange(before: &[(Option<usize>, u32)], shares: &[u32]) -> Runs {
    let mut table: Vec<Option<usize>> = before
        .iter()
        .flat_map(|&(arm, count)| std::iter::repeat_n(arm, count.min(BUCKETS) as usize))
        .chain(std::iter::repeat(None))
        .take(BUCKETS as usize)
        .collect();
    let mut kept = vec![0; shares.len()];
    let (mut given_up, mut never_held) = (Vec::new(), Vec::new());
    for (bucket, slot) in table.iter_mut().enumerate() {
        match *slot {
            Some(arm) if shares.get(arm).is_some_and(|&share| kept[arm] < share) => kept[arm] += 1,
            Some(_) => given_up.push(bucket),
            None => never_held.push(bucket),
        }
    }
    given_up.iter().for_each(|&bucket| table[bucket] = None);
    let mut free = given_up.into_iter().chain(never_held);
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
pub(crate) fn shares(runs: &[(Option<usize>, u32)], arms: usize) -> Vec<u32> {
    let mut shares = vec![0_u32; arms];
    for &(arm, count) in runs {
        if let Some(share) = arm.and_then(|arm| shares.get_mut(arm)) {
            *share = share.saturating_add(count);
        }
    }
    shares
}
