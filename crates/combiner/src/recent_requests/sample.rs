//! A bounded sample of the items of a time window, in which every item has the same chance.
//!
//! Each item draws a key once and is kept while its key survives as many halvings of the rate as
//! there have been. When the sample outgrows its bound, the rate is halved and the items that do
//! not survive that are removed. When a whole window was sampled at one rate and fills less than a
//! quarter of the bound, the rate is doubled. A window may therefore span several rates; readers
//! take what survives the lowest of them, and that is a uniform sample.

use std::collections::VecDeque;

/// The lowest rate is 2^-63.
const MOST_HALVINGS: u32 = 63;

/// Sampling key: an item is kept while its key passes the current rate. A key survives h halvings
/// of the rate with probability 2^-h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SamplingKey(u8);

impl SamplingKey {
    /// The key of 64 random bits.
    pub(super) fn new(random: u64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "there are at most 64 zeros"
        )]
        Self(random.leading_zeros() as u8)
    }

    pub(super) fn survives(self, halvings: u32) -> bool {
        u32::from(self.0) >= halvings
    }
}

/// A sample of items by arrival time. Times are milliseconds since any fixed instant.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    bound: usize,
    window_ms: u64,
    /// By time.
    residents: VecDeque<Resident<T>>,
    size: usize,
    /// The rates of the window, oldest first; each has fewer halvings than the one before. Never
    /// empty.
    rates: VecDeque<Rate>,
}

#[derive(Debug)]
struct Resident<T> {
    at_ms: u64,
    key: SamplingKey,
    size: usize,
    item: T,
}

/// A rate, and the time from which it applied.
#[derive(Debug, Clone, Copy)]
struct Rate {
    from_ms: u64,
    halvings: u32,
}

impl<T> Sample<T> {
    /// An empty sample whose items are together no larger than `bound` and no older than
    /// `window_ms`.
    pub(super) fn new(bound: usize, window_ms: u64) -> Self {
        Self {
            bound,
            window_ms,
            residents: VecDeque::new(),
            size: 0,
            rates: VecDeque::from([Rate {
                from_ms: 0,
                halvings: 0,
            }]),
        }
    }

    /// How many halvings an item has to survive now.
    pub(super) fn halvings(&self) -> u32 {
        self.rates.back().map_or(0, |rate| rate.halvings)
    }

    /// Adds an item of that time, if its key survives. An item larger than the bound is left out.
    pub(super) fn add(&mut self, at_ms: u64, key: SamplingKey, size: usize, item: T) {
        if !key.survives(self.halvings()) || size > self.bound {
            return;
        }
        let resident = Resident {
            at_ms,
            key,
            size,
            item,
        };
        let before = self.residents.iter().rposition(|one| one.at_ms <= at_ms);
        self.residents
            .insert(before.map_or(0, |before| before + 1), resident);
        self.size += size;
        while self.size > self.bound {
            self.halve();
        }
    }

    /// Removes items that have left the window, and raises the rate when there is room.
    pub(super) fn pass(&mut self, now_ms: u64) {
        let start = now_ms.saturating_sub(self.window_ms);
        while let Some(oldest) = self.residents.front()
            && oldest.at_ms < start
        {
            self.size -= oldest.size;
            self.residents.pop_front();
        }
        while self.rates.len() > 1 && self.rates[1].from_ms < start {
            self.rates.pop_front();
        }
        let whole_window = self.rates.len() == 1 && now_ms >= self.window_ms;
        if whole_window && self.size < self.bound / 4 {
            self.relax(now_ms);
        }
    }

    /// The items, oldest first, and their share of the window's items; each item has the same
    /// chance.
    pub(crate) fn read(&self) -> (f64, impl Iterator<Item = &T>) {
        let halvings = self.rates.front().map_or(0, |rate| rate.halvings);
        let items = self.residents.iter();
        (
            self.share(),
            items
                .filter(move |resident| resident.key.survives(halvings))
                .map(|resident| &resident.item),
        )
    }

    /// The share of the window's items that [`Sample::read`] returns.
    pub(super) fn share(&self) -> f64 {
        let halvings = self.rates.front().map_or(0, |rate| rate.halvings);
        (-f64::from(halvings)).exp2()
    }

    /// How many items are kept.
    pub(super) fn len(&self) -> usize {
        self.residents.len()
    }

    /// Their total size.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Halves the rate, also for the items that are kept.
    fn halve(&mut self) {
        let halvings = self.halvings() + 1;
        self.residents
            .retain(|resident| halvings <= MOST_HALVINGS && resident.key.survives(halvings));
        self.size = self.residents.iter().map(|resident| resident.size).sum();
        // Periods with the same or a higher rate now contain what this rate would have kept of
        // them.
        let mut from_ms = 0;
        while let Some(rate) = self.rates.back()
            && rate.halvings <= halvings
        {
            from_ms = rate.from_ms;
            self.rates.pop_back();
        }
        self.rates.push_back(Rate {
            from_ms,
            halvings: halvings.min(MOST_HALVINGS),
        });
    }

    /// Doubles the rate as often as a window at the new rate would still fill at most half the
    /// bound.
    fn relax(&mut self, now_ms: u64) {
        let before = self.halvings();
        let mut halvings = before;
        let mut size = self.size;
        while halvings > 0 && size <= self.bound / 4 {
            halvings -= 1;
            size *= 2;
        }
        if halvings < before {
            self.rates.push_back(Rate {
                from_ms: now_ms,
                halvings,
            });
        }
    }
}
