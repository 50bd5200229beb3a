//! Where the log of the weights is kept: it takes an entry at the end that the writer knew, or not at all, and gives
//! entries back in order. Whether an entry makes sense is decided above.

mod embedded;
mod nats;
mod reach;
mod scan;
#[cfg(test)]
mod tests;

use std::{future::pending, sync::Arc};

pub(super) use self::nats::Heard;
pub(crate) use self::reach::Reach;
pub(super) use self::scan::scan;
use self::{embedded::Embedded, nats::Nats};
use super::entry::{Entry, Sealed};
use crate::{
    config::{self, Config},
    error::CombinerError,
    metrics::LogEnd,
};

/// A store. There are two known kinds, and so no trait.
#[derive(Debug, Clone)]
pub(super) enum Store {
    /// A file on this machine.
    Embedded(Arc<Embedded>),
    /// A stream in NATS.
    Nats(Arc<Nats>),
}

/// What became of an entry that could be offered to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is durable.
    Committed,
    /// The log did not end where the entry begins; nothing was written.
    Conflict,
}

/// The entries that other writers commit, as they come.
#[derive(Debug)]
pub(super) enum Tail {
    /// The file is locked: nobody else writes.
    Alone,
    Nats(nats::Tail),
}

impl Store {
    /// Opens or creates the store; `end` is told where the log ends, `reach` when the store is lost and found again.
    pub(super) async fn open(
        config: &Config,
        end: LogEnd,
        reach: Arc<Reach>,
    ) -> Result<Self, CombinerError> {
        match &config.store {
            config::Store::Embedded { path } => {
                Ok(Self::Embedded(Embedded::open(path.clone(), reach).await?))
            }
            config::Store::Nats { path, nats } => Ok(Self::Nats(
                Nats::open(path.clone(), nats, &config.replica, end, reach).await?,
            )),
        }
    }

    /// Writes an entry at the end of the log if the log ends just before it.
    ///
    /// # Errors
    /// [`CombinerError::StoreAmbiguous`] when the entry may have been written or not: the writer looks for its
    /// idempotency key before it tries again. After any other error nothing was written.
    pub(super) async fn append(&self, sealed: &Sealed) -> Result<Appended, CombinerError> {
        match self {
            Self::Embedded(store) => store.append(sealed).await,
            Self::Nats(store) => store.append(sealed).await,
        }
    }

    /// The entries from revision `from` (at least 1) on, in order, at most `count`, each with its hash checked; none
    /// when the log ends before.
    pub(super) async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, CombinerError> {
        match self {
            Self::Embedded(store) => store.read(from, count).await,
            Self::Nats(store) => store.read(from, count).await,
        }
    }

    /// What others commit after the revision `after`.
    pub(super) fn tail(&self, after: u64) -> Tail {
        match self {
            Self::Embedded(_) => Tail::Alone,
            Self::Nats(store) => Tail::Nats(store.tail(after)),
        }
    }
}

/// What only many combiners have.
impl Store {
    /// This combiner has applied that entry.
    pub(super) fn applied(&self, revision: u64, hash: &str) {
        match self {
            Self::Embedded(_) => {}
            Self::Nats(store) => store.replicas().applied(revision, hash),
        }
    }

    /// Lets go of everything; what is served on is what is known.
    pub(super) async fn close(&self) {
        match self {
            Self::Embedded(_) => {}
            Self::Nats(store) => store.close().await,
        }
    }

    /// The last revision of the log as far as it is known; none where that is what is applied.
    pub(super) fn known(&self) -> Option<u64> {
        match self {
            Self::Embedded(_) => None,
            Self::Nats(store) => Some(store.known()),
        }
    }

    /// The other combiners, by name.
    pub(super) fn others(&self) -> Vec<Heard> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Nats(store) => store.replicas().others(),
        }
    }

    /// Whether another combiner runs under this one's name.
    pub(super) fn name_taken(&self) -> bool {
        match self {
            Self::Embedded(_) => false,
            Self::Nats(store) => store.replicas().name_taken(),
        }
    }
}

impl Tail {
    /// Waits for the next entry. Entries come in order; who misses one reads it from the store.
    pub(super) async fn next(&mut self) -> Result<Entry, CombinerError> {
        match self {
            Self::Alone => pending().await,
            Self::Nats(tail) => tail.next().await,
        }
    }
}
