//! All candidates of one request in the order in which they would be served, and how far two such
//! orders agree.

use crate::{combine::contribution, order::ascending};

/// One request under one set of weights. It is meant to be kept, so that its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Orders {
    scores: Vec<f64>,
    /// By candidate, an integer that is smaller for a better score.
    keys: Vec<u64>,
    packed: Vec<u64>,
    /// Candidates, best first.
    order: Vec<u32>,
    /// By candidate, its place from 0.
    places: Vec<u32>,
    counts: Counts,
}

impl Orders {
    /// Scores and sorts.
    pub(super) fn rank(&mut self, weights: &[f64], columns: &[&[f64]], n: usize) {
        self.score(weights, columns, n);
        self.sort();
    }

    /// The sums of [`crate::combine`], to the bit.
    pub(super) fn score(&mut self, weights: &[f64], columns: &[&[f64]], n: usize) {
        self.scores.clear();
        self.scores.resize(n, 0.0);
        for (&weight, column) in weights.iter().zip(columns) {
            for (score, &probability) in self.scores.iter_mut().zip(*column) {
                *score += contribution(weight, probability);
            }
        }
        self.keys.clear();
        self.keys
            .extend(self.scores.iter().map(|&score| !ascending(score)));
    }

    /// Best score first, ties by position. What is sorted is one word per candidate, the head of
    /// its key with its position in the last bits; where heads are equal, the whole keys decide.
    pub(super) fn sort(&mut self) {
        let n = self.keys.len();
        let bits = usize::BITS - n.leading_zeros();
        let positions = (1_u64 << bits) - 1;
        self.packed.clear();
        let pack = |(&key, at): (&u64, u64)| (key & !positions) | at;
        self.packed.extend(self.keys.iter().zip(0..).map(pack));
        self.packed.sort_unstable();
        self.order.clear();
        self.order
            .extend(self.packed.iter().map(|word| (word & positions) as u32));
        let mut begin = 0;
        for run in self.packed.chunk_by(|a, b| a >> bits == b >> bits) {
            if run.len() > 1 {
                let keys = &self.keys;
                self.order[begin..begin + run.len()]
                    .sort_unstable_by_key(|&candidate| (keys[candidate as usize], candidate));
            }
            begin += run.len();
        }
        self.places.clear();
        self.places.resize(n, 0);
        for (&candidate, place) in self.order.iter().zip(0..) {
            self.places[candidate as usize] = place;
        }
    }

    /// Whether these scores give the order of the other one.
    pub(super) fn sorted_by(&self, other: &Self) -> bool {
        let key = |candidate: u32| (self.keys[candidate as usize], candidate);
        other
            .order
            .windows(2)
            .all(|pair| key(pair[0]) < key(pair[1]))
    }

    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The first candidates, best first.
    pub(super) fn page(&self, places: usize) -> &[u32] {
        &self.order[..places]
    }

    /// The place of a candidate, from 0.
    pub(super) fn place(&self, candidate: u32) -> u32 {
        self.places[candidate as usize]
    }

    /// Whether the page holds a candidate that the other one's does not.
    pub(super) fn brings_in(&self, other: &Self, places: usize) -> bool {
        let stranger = |&candidate: &u32| other.place(candidate) as usize >= places;
        self.page(places).iter().any(stranger)
    }

    /// Pairs of candidates that stand the other way round in the other order. O(n log n).
    pub(super) fn discordant(&mut self, other: &Self) -> u64 {
        self.counts.clear(self.order.len());
        let mut pairs = 0;
        for (&candidate, passed) in other.order.iter().zip(0_u64..) {
            pairs += passed - self.counts.add(self.places[candidate as usize] as usize);
        }
        pairs
    }
}

/// A set of numbers below some n that knows how many of its members are below a number: words of
/// 64, and over the words a tree of counts (Fenwick, 1994).
#[derive(Debug, Default)]
struct Counts {
    words: Vec<u64>,
    /// Entry i counts the members in the words from i + 1 − (the lowest bit of i + 1) to i.
    tree: Vec<u64>,
}

impl Counts {
    fn clear(&mut self, n: usize) {
        for column in [&mut self.words, &mut self.tree] {
            column.clear();
            column.resize(n.div_ceil(64), 0);
        }
    }

    /// Puts in `number`, and says how many members are below it.
    fn add(&mut self, number: usize) -> u64 {
        let (word, bit) = (number / 64, 1_u64 << (number % 64));
        let mut below = u64::from((self.words[word] & (bit - 1)).count_ones());
        self.words[word] |= bit;
        let mut node = word;
        while node > 0 {
            below += self.tree[node - 1];
            node &= node - 1;
        }
        node = word + 1;
        while let Some(count) = self.tree.get_mut(node - 1) {
            *count += 1;
            node += node & node.wrapping_neg();
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{combine, top_k};

    fn ranked(weights: &[f64], columns: &[Vec<f64>]) -> Orders {
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut orders = Orders::default();
        orders.rank(weights, &slices, columns[0].len());
        orders
    }

    fn check(weights: [&[f64]; 2], columns: &[Vec<f64>]) -> Result<(), TestCaseError> {
        let n = columns[0].len();
        let ids: Vec<String> = (0..n).map(|i| format!("{i:06}")).collect();
        let [before, mut after] = weights.map(|weights| ranked(weights, columns));
        for (orders, weights) in [&before, &after].into_iter().zip(weights) {
            let scores = combine(weights, columns);
            prop_assert!(
                orders
                    .scores()
                    .iter()
                    .zip(&scores)
                    .all(|(a, b)| a.to_bits() == b.to_bits())
            );
            prop_assert!(
                orders
                    .order
                    .iter()
                    .map(|&c| c as usize)
                    .eq(top_k(&scores, &ids, 0))
            );
            prop_assert!((0..n as u32).all(|c| orders.order[orders.place(c) as usize] == c));
        }
        let pairs = (0..n as u32).flat_map(|a| (0..a).map(move |b| (a, b)));
        let turned = pairs.filter(|&(a, b)| {
            (before.place(a) < before.place(b)) != (after.place(a) < after.place(b))
        });
        let turned = turned.count() as u64;
        prop_assert_eq!(after.discordant(&before), turned);
        prop_assert_eq!(after.sorted_by(&before), turned == 0);
        Ok(())
    }

    proptest! {
        #[test]
        fn orders_are_those_that_are_served(
            rows in prop::collection::vec(prop::array::uniform3(0.0..1.0f64), 1..300), before in prop::array::uniform3(-2.0..2.0f64), after in prop::array::uniform3(-2.0..2.0f64),
        ) {
            let columns: Vec<Vec<f64>> = (0..3).map(|m| rows.iter().map(|row| row[m]).collect()).collect();
            check([&before, &after], &columns)?;
        }

        /// Ties, and scores that differ in their last bits only.
        #[test]
        fn equal_heads_are_told_apart(rows in prop::collection::vec((0u8..3, 0u8..5, 0u8..3), 1..200), weight in -2i8..3) {
            let columns = vec![
                rows.iter().map(|&(p, bits, _)| 0.3 * f64::from(p) * (1.0 + f64::from(bits) * f64::EPSILON)).collect(),
                rows.iter().map(|&(_, _, q)| f64::from(q) / 4.0).collect::<Vec<f64>>(),
            ];
            check([&[1.0, 0.0], &[1.0, f64::from(weight)]], &columns)?;
        }
    }
}
