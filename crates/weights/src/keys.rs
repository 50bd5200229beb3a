//! Where each idempotency key was used, for as long as repeats are recognised.
//!
//! Without a horizon the keys would grow without bound: a ramp alone makes one for each of its
//! steps.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Where each idempotency key was used, for as long as repeats are recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<UsedKey>", into = "Vec<UsedKey>")]
pub(crate) struct KnownKeys {
    /// Seconds.
    horizon: i64,
    /// The revision, and its time.
    by_key: HashMap<String, (u64, i64)>,
    in_order: VecDeque<UsedKey>,
}

/// A key, where it was used, and when: seconds since 1970 by the clock of the server that wrote the
/// entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UsedKey(String, u64, i64);

impl KnownKeys {
    pub(crate) fn new(horizon: Duration) -> Self {
        Self {
            horizon: seconds(horizon),
            by_key: HashMap::new(),
            in_order: VecDeque::new(),
        }
    }

    pub(crate) fn set_horizon(&mut self, horizon: Duration) {
        self.horizon = seconds(horizon);
    }

    /// Records that the entry `revision` used a key at that time; an empty key is ignored. Keys of
    /// entries that are then older than the horizon are forgotten.
    pub(crate) fn record(&mut self, key: &str, revision: u64, time: i64) {
        let oldest = time.saturating_sub(self.horizon);
        while let Some(UsedKey(key, revision, used)) = self.in_order.front() {
            if *used >= oldest {
                break;
            }
            // The key may have been used again since.
            if self
                .by_key
                .get(key)
                .is_some_and(|known| known.0 == *revision)
            {
                self.by_key.remove(key);
            }
            self.in_order.pop_front();
        }
        if key.is_empty() || self.revision(key, time).is_some() {
            return;
        }
        self.by_key.insert(key.to_owned(), (revision, time));
        let used = UsedKey(key.to_owned(), revision, time);
        self.in_order.push_back(used);
    }

    /// The revision in which a key was used, if that is within the horizon before `now`.
    pub(crate) fn revision(&self, key: &str, now: i64) -> Option<u64> {
        let &(revision, time) = self.by_key.get(key)?;
        (time >= now.saturating_sub(self.horizon)).then_some(revision)
    }
}

/// The reader sets its horizon next.
impl From<Vec<UsedKey>> for KnownKeys {
    fn from(used: Vec<UsedKey>) -> Self {
        let places = used
            .iter()
            .map(|UsedKey(key, revision, time)| (key.clone(), (*revision, *time)));
        Self {
            horizon: seconds(Duration::MAX),
            by_key: places.collect(),
            in_order: used.into(),
        }
    }
}

impl From<KnownKeys> for Vec<UsedKey> {
    fn from(keys: KnownKeys) -> Self {
        keys.in_order.into()
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;
    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    #[test]
    fn a_key_is_known_for_the_horizon_and_then_forgotten() {
        let mut keys = KnownKeys::new(WEEK);
        keys.record("a", 1, 0);
        keys.record("", 2, DAY);
        keys.record("b", 3, 7 * DAY);
        assert_eq!(keys.revision("a", 7 * DAY), Some(1));
        assert_eq!(keys.revision("", DAY), None);
        // Time alone ends it, and the next entry frees what it took.
        assert_eq!(keys.revision("a", 7 * DAY + 1), None);
        assert_eq!(keys.by_key.len(), 2);
        keys.record("c", 4, 7 * DAY + 1);
        assert_eq!(keys.by_key.len(), 2);
        assert_eq!(keys.in_order.len(), 2);
    }

    #[test]
    fn the_first_use_within_the_horizon_counts_and_a_later_one_begins_anew() {
        let mut keys = KnownKeys::new(WEEK);
        keys.record("a", 1, 0);
        keys.record("a", 2, DAY);
        assert_eq!(keys.revision("a", 2 * DAY), Some(1));
        keys.record("a", 3, 9 * DAY);
        assert_eq!(keys.revision("a", 16 * DAY), Some(3));
        keys.record("b", 4, 16 * DAY);
        assert_eq!(keys.revision("a", 16 * DAY), Some(3));
    }

    #[test]
    fn clocks_that_disagree_lose_no_key_within_the_horizon() {
        let mut keys = KnownKeys::new(WEEK);
        // One server's clock is ten days ahead, the next one's is right.
        keys.record("ahead", 1, 10 * DAY);
        keys.record("late", 2, 0);
        keys.record("late again", 3, 0);
        assert_eq!(keys.revision("late", DAY), Some(2));
        keys.record("late", 4, 8 * DAY);
        assert_eq!(keys.revision("late", 8 * DAY), Some(4));
        assert_eq!(keys.revision("ahead", 17 * DAY), Some(1));
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut keys = KnownKeys::new(WEEK);
        for revision in 1..20_u64 {
            keys.record(
                &format!("k{revision}"),
                revision,
                DAY * revision.cast_signed(),
            );
        }
        let text = serde_json::to_string(&keys).unwrap();
        let mut read: KnownKeys = serde_json::from_str(&text).unwrap();
        read.set_horizon(WEEK);
        assert_eq!(read, keys);
    }
}
