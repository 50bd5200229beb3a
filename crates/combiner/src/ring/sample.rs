//! A bounded sample of what passed in the last while, in which everything that passed has the same chance to be.
//!
//! Each item draws a key once and is kept while its key survives as many halvings of the rate as there have been. When the sample outgrows its
//! bound the rate is halved, and what does not survive that goes. When a whole window was sampled at one rate and fills less than a quarter of
//! the bound, the rate is doubled. A window may so span several rates; readers take what survives the lowest of them, and that is uniform.

use std::collections::VecDeque;

/// The lowest rate is 2^-63.
const MOST_HALVINGS: u32 = 63;

/// What decides whether an item is kept: how many halvings of the rate it survives. It survives h with probability 2^-h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u8);

impl Key {
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

/// A sample of items, by the time they passed. Times are milliseconds since any fixed instant.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    bound: usize,
    window_ms: u64,
    /// By time.
    residents: VecDeque<Resident<T>>,
    size: usize,
    /// The rates that some of the window was sampled at, oldest first, ever fewer halvings; never empty.
    rates: VecDeque<Rate>,
}

#[derive(Debug)]
struct Resident<T> {
    at_ms: u64,
    key: Key,
    size: usize,
    item: T,
}

/// A rate, and from when on it applied.
#[derive(Debug, Clone, Copy)]
struct Rate {
    from_ms: u64,
    halvings: u32,
}

impl<T> Sample<T> {
    /// An empty sample of items that are together no larger than `bound` and no older than `window_ms`.
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

    /// Adds what passed at that time, if its key survives; nothing may be larger than the bound.
    pub(super) fn add(&mut self, at_ms: u64, key: Key, size: usize, item: T) {
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

    /// Lets go what has left the window, and raises the rate where there is room.
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

    /// The share of what passed within the window, each item with the same chance, and the items, oldest first.
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

    /// The share of what passed within the window that [`Sample::read`] gives.
    pub(super) fn share(&self) -> f64 {
        let halvings = self.rates.front().map_or(0, |rate| rate.halvings);
        (-f64::from(halvings)).exp2()
    }

    /// How many items are kept.
    pub(super) fn len(&self) -> usize {
        self.residents.len()
    }

    /// How large they are together.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Halves the rate, for all that is kept too.
    fn halve(&mut self) {
        let halvings = self.halvings() + 1;
        self.residents
            .retain(|resident| halvings <= MOST_HALVINGS && resident.key.survives(halvings));
        self.size = self.residents.iter().map(|resident| resident.size).sum();
        // Periods that were sampled at no lower rate are now as if they had been sampled at this one.
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

    /// Doubles the rate as often as the bound would still be half empty, had the window passed at the new one.
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
