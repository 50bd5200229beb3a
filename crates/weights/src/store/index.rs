//! Where the entries of a log file start. Only every [`STRIDE`]th place is kept, so that a log of a
//! million entries takes 16,000 numbers; the lines between are counted.

use serde::{Deserialize, Serialize};

/// Entries from one place that is kept to the next.
const STRIDE: u64 = 64;

/// Where the entries of a log file start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogIndex {
    /// Where the entries 1, 1 + STRIDE, 1 + 2 · STRIDE, … start.
    starts: Vec<u64>,
    /// The last revision; 0 when there is none.
    pub(super) last: u64,
    /// Where the last entry starts.
    pub(super) last_start: u64,
    /// Where it ends.
    pub(super) end: u64,
}

impl LogIndex {
    /// Adds the next entry, whose line has so many bytes.
    pub(super) fn push(&mut self, length: u64) {
        if self.last.is_multiple_of(STRIDE) {
            self.starts.push(self.end);
        }
        self.last += 1;
        self.last_start = self.end;
        self.end += length;
    }

    /// An entry at or a little before `revision` (at least 1), and where it starts.
    pub(super) fn before(&self, revision: u64) -> (u64, u64) {
        let at = usize::try_from((revision - 1) / STRIDE).unwrap_or(usize::MAX);
        match self.starts.get(at) {
            Some(&start) => (at as u64 * STRIDE + 1, start),
            None => (1, 0),
        }
    }
}
