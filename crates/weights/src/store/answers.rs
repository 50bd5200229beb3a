//! The answers of a store.

use tokio::time::Instant;

/// The outcome of offering an entry to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The entry is durable.
    Committed,
    /// The log did not end where the entry begins; nothing was written.
    Conflict,
}

/// Another combiner, and its last report.
#[derive(Debug, Clone)]
pub(crate) struct PeerStatus {
    pub(crate) name: String,
    /// The last revision that it had applied.
    pub(crate) revision: u64,
    /// The hash of that entry.
    pub(crate) hash: String,
    /// When the report arrived.
    pub(crate) heard: Instant,
}
