//! Where the log of the weights is kept: it takes an entry at the end that the writer knew, or not at all, and gives
//! entries back in order. Whether an entry makes sense is decided above.

mod embedded;
#[cfg(feature = "nats")]
mod nats;
mod reach;
mod scan;
#[cfg(test)]
mod tests;

use std::{future::pending, sync::Arc};

use tokio::time::Instant;

use self::embedded::Embedded;
#[cfg(feature = "nats")]
use self::nats::Nats;
pub(crate) use self::{reach::Reach, scan::scan};
use crate::{
    config::{Config, StoreConfig},
    entry::{Entry, Sealed},
    error::StoreError,
    metrics::LogEnd,
};

/// A combiner and what it last said.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) name: String,
    /// The last revision that it had applied.
    pub(crate) revision: u64,
    /// The hash of that entry.
    pub(crate) hash: String,
    /// When it was heard.
    pub(crate) at: Instant,
}

/// A store. There are two known kinds, and so no trait.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// A file on this machine.
    Embedded(Arc<Embedded>),
    /// A stream in NATS.
    #[cfg(feature = "nats")]
    Nats(Arc<Nats>),
}

/// What became of an entry that could be offered to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is durable.
    Committed,
    /// The log did not end where the entry begins; nothing was written.
    Conflict,
}

/// The entries that other writers commit, as they come.
#[derive(Debug)]
pub(crate) enum Tail {
    /// The file is locked: nobody else writes.
    Alone,
    #[cfg(feature = "nats")]
    Nats(nats::Tail),
}

impl Store {
    /// Opens or creates the store; `end` is told where the log ends, `reach` when the store is lost and found again.
    pub(crate) async fn open(
        config: &Config,
        end: LogEnd,
        reach: Arc<Reach>,
    ) -> Result<Self, StoreError> {
        match &config.store {
            StoreConfig::Embedded { path } => {
                Ok(Self::Embedded(Embedded::open(path.clone(), reach).await?))
            }
            #[cfg(feature = "nats")]
            StoreConfig::Nats { path, url, stream } => {
                let address = nats::Address { url, stream };
                let opening = Nats::open(path.clone(), address, config, end, reach);
                Ok(Self::Nats(opening.await?))
            }
        }
    }

    /// Writes an entry at the end of the log if the log ends just before it.
    ///
    /// # Errors
    /// [`StoreError::Ambiguous`] when the entry may have been written or not: the writer looks for its
    /// idempotency key before it tries again. After any other error nothing was written.
    pub(crate) async fn append(&self, sealed: &Sealed) -> Result<Appended, StoreError> {
        match self {
            Self::Embedded(store) => store.append(sealed).await,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.append(sealed).await,
        }
    }

    /// The entries from revision `from` (at least 1) on, in order, at most `count`, each with its hash checked; none
    /// when the log ends before.
    pub(crate) async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        match self {
            Self::Embedded(store) => store.read(from, count).await,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.read(from, count).await,
        }
    }

    /// What others commit after the revision `after`.
    pub(crate) fn tail(&self, after: u64) -> Tail {
        match self {
            Self::Embedded(_) => Tail::Alone,
            #[cfg(feature = "nats")]
            Self::Nats(store) => Tail::Nats(store.tail(after)),
        }
    }
}

/// What only many combiners have.
impl Store {
    /// This combiner has applied that entry.
    pub(crate) fn applied(&self, revision: u64, hash: &str) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.replicas().applied(revision, hash),
        }
    }

    /// Lets go of everything; what is served on is what is known.
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.close().await,
        }
    }

    /// The last revision of the log as far as it is known; none where that is what is applied.
    pub(crate) fn known(&self) -> Option<u64> {
        match self {
            Self::Embedded(_) => None,
            #[cfg(feature = "nats")]
            Self::Nats(store) => Some(store.known()),
        }
    }

    /// The other combiners, by name.
    pub(crate) fn others(&self) -> Vec<Heard> {
        match self {
            Self::Embedded(_) => Vec::new(),
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.replicas().others(),
        }
    }

    /// Whether another combiner runs under this one's name.
    pub(crate) fn name_taken(&self) -> bool {
        match self {
            Self::Embedded(_) => false,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.replicas().name_taken(),
        }
    }
}

impl Tail {
    /// Waits for the next entry. Entries come in order; who misses one reads it from the store.
    pub(crate) async fn next(&mut self) -> Result<Entry, StoreError> {
        match self {
            Self::Alone => pending().await,
            #[cfg(feature = "nats")]
            Self::Nats(tail) => tail.next().await,
        }
    }
}
