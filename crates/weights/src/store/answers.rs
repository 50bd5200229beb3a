//! What stores answer.

use tokio::time::Instant;

/// What became of an entry that could be offered to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is durable.
    Committed,
    /// The log did not end where the entry begins; nothing was written.
    Conflict,
}

/// Another combiner, and what it last said.
#[derive(Debug, Clone)]
pub(crate) struct PeerStatus {
    pub(crate) name: String,
    /// The last revision that it had applied.
    pub(crate) revision: u64,
    /// The hash of that entry.
    pub(crate) hash: String,
    /// When it was heard.
    pub(crate) heard: Instant,
}
