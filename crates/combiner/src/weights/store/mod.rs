//! Where the log of the weights is kept: it takes an entry at the end that the writer knew, or not at all, and gives
//! entries back in order. Whether an entry makes sense is decided above.

mod embedded;
mod reach;
mod scan;

use std::{future::pending, sync::Arc};

use self::embedded::Embedded;
pub(crate) use self::reach::Reach;
use super::entry::{Entry, Sealed};
use crate::{config, error::CombinerError};

/// A store. There are two known kinds, and so no trait.
#[derive(Debug, Clone)]
pub(super) enum Store {
    /// A file on this machine.
    Embedded(Arc<Embedded>),
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
}

impl Store {
    /// Opens or creates the store; `reach` is told when it is lost and found again.
    pub(super) async fn open(
        config: &config::Store,
        reach: Arc<Reach>,
    ) -> Result<Self, CombinerError> {
        match config {
            config::Store::Embedded { path } => {
                Ok(Self::Embedded(Embedded::open(path.clone(), reach).await?))
            }
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
        }
    }

    /// The entries from revision `from` (at least 1) on, in order, at most `count`, each with its hash checked; none
    /// when the log ends before.
    pub(super) async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, CombinerError> {
        match self {
            Self::Embedded(store) => store.read(from, count).await,
        }
    }

    /// What others commit after the revision `after`.
    pub(super) fn tail(&self, _after: u64) -> Tail {
        match self {
            Self::Embedded(_) => Tail::Alone,
        }
    }
}

impl Tail {
    /// Waits for the next entry. Entries come in order; who misses one reads it from the store.
    pub(super) async fn next(&mut self) -> Result<Entry, CombinerError> {
        match self {
            Self::Alone => pending().await,
        }
    }
}
