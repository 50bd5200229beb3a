//! The sample: its bound, its window, and that everything within the window has the same chance.

use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::recent_requests::sample::{Sample, SamplingKey};

/// When an item passed, and how large it is.
type Item = (u64, usize);

const WINDOW_MS: u64 = 60_000;
const BOUND: usize = 20_000;

#[test]
fn a_key_survives_h_halvings_with_probability_2_to_the_minus_h() {
    let mut random = StdRng::seed_from_u64(1);
    let keys: Vec<SamplingKey> = (0..400_000)
        .map(|_| SamplingKey::new(random.random()))
        .collect();
    for halvings in 0..8 {
        let survive = keys.iter().filter(|key| key.survives(halvings)).count();
        let expected = 400_000.0 / f64::from(1 << halvings);
        assert!(
            (survive as f64 - expected).abs() <= 5.0 * expected.sqrt(),
            "{halvings}: {survive}"
        );
    }
    assert!(SamplingKey::new(0).survives(64) && !SamplingKey::new(1).survives(64));
}

proptest! {
    #[test]
    fn the_bound_and_the_window_hold_whatever_passes(
        bound in 1_usize..400,
        passing in prop::collection::vec((0_u64..2_000, 1_usize..60, any::<u64>()), 1..400),
    ) {
        let mut sample = Sample::new(bound, 10_000);
        let mut now = 0;
        for (pause, size, random) in passing {
            now += pause;
            sample.add(now, SamplingKey::new(random), size, (now, size));
            prop_assert!(sample.size() <= bound);
            sample.pass(now);
            let (share, items) = sample.read();
            prop_assert!(share > 0.0 && share <= 1.0);
            let items: Vec<Item> = items.copied().collect();
            prop_assert!(items.iter().all(|&(at, _)| at + 10_000 >= now));
            prop_assert!(items.is_sorted_by_key(|&(at, _)| at));
            prop_assert!(items.len() <= sample.len());
            prop_assert!(items.iter().map(|&(_, size)| size).sum::<usize>() <= sample.size());
        }
    }
}

#[test]
fn all_is_kept_while_there_is_room_and_nothing_when_it_is_too_old() {
    let mut sample = Sample::new(100, 1_000);
    for at in [0, 10, 5, 600] {
        sample.add(at, SamplingKey::new(u64::MAX), 10, at);
    }
    sample.add(700, SamplingKey::new(0), 101, 700);
    sample.pass(1_005);
    let (share, kept) = sample.read();
    assert_eq!(
        (share, kept.copied().collect::<Vec<_>>()),
        (1.0, vec![5, 10, 600])
    );
    sample.pass(1_601);
    assert_eq!((sample.len(), sample.size()), (0, 0));
}

#[test]
fn the_rate_rises_again_when_a_whole_window_was_quiet() {
    let mut sample = Sample::new(100, 1_000);
    for at in 0..800_u64 {
        sample.add(
            0,
            SamplingKey::new(at.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            1,
            at,
        );
    }
    let busy = sample.halvings();
    assert!(busy >= 3, "{busy}");
    sample.pass(999);
    assert_eq!(sample.halvings(), busy, "the window is not over");
    sample.pass(1_001);
    assert_eq!(sample.halvings(), 0);
    let low = sample.share();
    assert!(
        low < 1.0,
        "what passed before the rate rose is still in the window"
    );
    sample.add(1_002, SamplingKey::new(u64::MAX), 1, 0);
    assert_eq!(
        sample.read().1.count(),
        0,
        "it would not have been kept a moment before"
    );
    sample.pass(2_100);
    assert_eq!(
        (sample.share(), sample.read().1.count()),
        (1.0, 0),
        "1,002 has left the window"
    );
}

/// Items at `rates` per minute, one minute each; every tenth is ten times as large.
fn traffic(rates: &[u64]) -> Vec<Item> {
    let mut items = Vec::new();
    for (minute, &rate) in (0..).zip(rates) {
        for i in 0..rate {
            let at = minute * 60_000 + i * 60_000 / rate;
            items.push((at, if i % 10 == 3 { 50 } else { 5 }));
        }
    }
    items
}

/// Lets the items pass and gives what is kept at the end, with the share, and the most and the last
/// halvings.
fn kept(items: &[Item], seed: u64) -> (f64, Vec<Item>, u32, u32) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut sample = Sample::new(BOUND, WINDOW_MS);
    let mut most = 0;
    for (i, &(at, size)) in items.iter().enumerate() {
        sample.add(at, SamplingKey::new(random.random()), size, (at, size));
        if i % 50 == 0 {
            sample.pass(at);
        }
        most = most.max(sample.halvings());
    }
    sample.pass(items.last().unwrap().0);
    let (share, kept) = sample.read();
    (share, kept.copied().collect(), most, sample.halvings())
}

/// Counts what is kept of each group, weighed by 1 / share, against what passed: by part of the
/// window, and large against small.
fn assert_fair(items: &[Item], what: &str) -> (u32, u32) {
    const RUNS: u64 = 300;
    const PARTS: u64 = 6;
    let end = items.last().unwrap().0;
    let start = end - WINDOW_MS;
    let group = |&(at, size): &Item| {
        (((at - start) * PARTS / (WINDOW_MS + 1)) * 2 + u64::from(size > 5)) as usize
    };
    let mut passed = [0.0_f64; 2 * PARTS as usize];
    for item in items.iter().filter(|item| item.0 >= start) {
        passed[group(item)] += 1.0;
    }
    let mut sums = [(0.0_f64, 0.0_f64); 2 * PARTS as usize];
    let (mut most, mut last) = (0, 0);
    for seed in 0..RUNS {
        let (share, kept, run_most, run_last) = kept(items, seed);
        let mut counts = [0.0; 2 * PARTS as usize];
        for item in &kept {
            counts[group(item)] += 1.0 / share;
        }
        for ((sum, count), passed) in sums.iter_mut().zip(counts).zip(passed) {
            let estimate = count / passed;
            sum.0 += estimate;
            sum.1 += estimate * estimate;
        }
        (most, last) = (most.max(run_most), run_last);
    }
    let runs = RUNS as f64;
    for (group, (sum, squares)) in sums.into_iter().enumerate() {
        let mean = sum / runs;
        let error = ((squares / runs - mean * mean) / runs).sqrt();
        assert!(
            (mean - 1.0).abs() <= 4.5 * error + 1e-9,
            "{what}, group {group}: kept {mean} of what passed, ± {error}"
        );
    }
    (most, last)
}

#[test]
fn every_item_of_the_window_has_the_same_chance() {
    let (most, _) = assert_fair(&traffic(&[9_000, 9_000, 9_000]), "steady");
    assert!(most >= 2, "{most}");
    let (most, last) = assert_fair(&traffic(&[2_000, 40_000]), "rising");
    assert!(last >= 4 && most == last, "{most} {last}");
    let (most, last) = assert_fair(&traffic(&[40_000, 1_500, 1_500, 1_500]), "falling");
    assert!(last < most, "{most} {last}");
    let (most, last) = assert_fair(
        &traffic(&[40_000, 1_500, 1_500, 6_000]),
        "falling and rising",
    );
    assert!(last < most, "{most} {last}");
}
