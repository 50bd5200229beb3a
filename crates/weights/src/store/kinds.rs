//! The two kinds of store, and what they have in common.

use std::sync::Arc;

use prost_types::Timestamp;
use tokio::sync::watch;
#[cfg(feature = "nats")]
use tokio::time::Instant;

#[cfg(feature = "nats")]
use super::nats::{Address, Nats};
use super::{
    answers::{Appended, PeerStatus},
    embedded::{EmbeddedLog, READ_BYTES},
    health::StoreHealth,
};
use crate::{
    config::{Config, StoreConfig},
    entry::{Cause, Entry, Sealed},
    error::{Error, PlanError, StoreError},
    log_state::LogState,
    metrics::Metrics,
};

/// A store. An enum rather than a trait: both kinds are known.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// A file on this machine.
    Embedded(Arc<EmbeddedLog>),
    /// A stream in NATS.
    #[cfg(feature = "nats")]
    Nats(Arc<Nats>),
}

impl Store {
    /// Opens or creates the store, and says what its log says; `metrics` learn where the log ends,
    /// `health` whether the store is in reach.
    pub(crate) async fn open(
        config: &Config,
        metrics: &Metrics,
        health: Arc<StoreHealth>,
    ) -> Result<(Self, LogState), StoreError> {
        match &config.store {
            StoreConfig::Embedded { path } => {
                let opening = EmbeddedLog::open(path.clone(), config.key_horizon, health);
                let (log, state) = opening.await?;
                metrics.end.set_last_revision(state.last);
                Ok((Self::Embedded(log), state))
            }
            #[cfg(feature = "nats")]
            StoreConfig::Nats { path, url, stream } => {
                let address = Address { url, stream };
                let opening = Nats::open(path.clone(), address, config, metrics, health);
                let (store, state) = opening.await?;
                Ok((Self::Nats(store), state))
            }
        }
    }

    /// Writes an entry at the end of the log if the log ends just before it.
    ///
    /// # Errors
    /// [`StoreError::Ambiguous`] when the entry may have been written or not: the writer looks for
    /// its idempotency key before it tries again. After any other error nothing was written.
    pub(crate) async fn append(&self, sealed: &Sealed) -> Result<Appended, StoreError> {
        match self {
            Self::Embedded(store) => store.append(sealed).await,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.append(sealed).await,
        }
    }

    /// The entries from revision `from` (at least 1) on, in order, at most `count`, each with its
    /// hash checked; none when the log ends before.
    /// When they are large, fewer: an answer is no more than a few MiB.
    pub(crate) async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        self.read_within(from, count, READ_BYTES).await
    }

    /// The same, and as few as have no more bytes than these; one has as many as it has.
    pub(crate) async fn read_within(
        &self,
        from: u64,
        count: usize,
        most_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        match self {
            Self::Embedded(store) => store.read(from, count, most_bytes).await,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.read(from, count, most_bytes).await,
        }
    }

    /// Learns whether an entry would be taken now. A stream is asked all the time anyway.
    pub(crate) async fn try_out(&self) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.try_out().await,
            #[cfg(feature = "nats")]
            Self::Nats(_) => Ok(()),
        }
    }

    /// Steps over the entry that cannot be read. In a file such an entry is damage, with which the
    /// log is not opened.
    pub(crate) async fn skip(
        &self,
        revision: u64,
        cause: Cause,
        time: Timestamp,
    ) -> Result<Entry, Error> {
        match self {
            Self::Embedded(_) => {
                let _ = (cause, time);
                Err(PlanError::NotSkippable {
                    revision,
                    problem: "this log is a file, and each of its entries can be read".to_owned(),
                }
                .into())
            }
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.skip(revision, cause, time).await,
        }
    }

    /// Something went wrong with the store before the start: the next trial writes, too.
    pub(crate) fn distrust(&self) {
        match self {
            Self::Embedded(store) => store.distrust(),
            #[cfg(feature = "nats")]
            Self::Nats(_) => {}
        }
    }

    /// The entries after the revision `after`, by any writer, as they become durable.
    pub(crate) fn tail(&self, after: u64) -> Tail {
        let log = self.file();
        Tail {
            durable: log.subscribe(),
            log: Arc::clone(log),
            after,
        }
    }

    /// Writes a snapshot of the state beside the file when the log has grown enough.
    pub(crate) fn save_snapshot(&self, state: &LogState) {
        self.file().save_snapshot(state);
    }

    /// The file that entries are read from: the log itself, or this combiner's copy.
    fn file(&self) -> &Arc<EmbeddedLog> {
        match self {
            Self::Embedded(log) => log,
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.copy(),
        }
    }
}

/// Functions that only a store for many combiners has.
impl Store {
    /// Publishes that this combiner has applied the entry.
    pub(crate) fn applied(&self, revision: u64, hash: &str) {
        match self {
            Self::Embedded(_) => {
                let _ = (revision, hash);
            }
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.replicas().applied(revision, hash),
        }
    }

    /// Stops the background tasks; the last known weights stay in use.
    pub(crate) async fn close(&self) {
        match self {
            Self::Embedded(_) => {}
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.close().await,
        }
    }

    /// The last revision of the log as far as it is known.
    pub(crate) fn last_known(&self) -> u64 {
        match self {
            Self::Embedded(log) => log.last(),
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.last_known(),
        }
    }

    /// The other combiners, by name.
    pub(crate) fn peers(&self) -> Vec<PeerStatus> {
        match self {
            Self::Embedded(_) => Vec::new(),
            #[cfg(feature = "nats")]
            Self::Nats(store) => store.replicas().peers(Instant::now()),
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

/// The entries of a log as they become durable.
#[derive(Debug)]
pub(crate) struct Tail {
    durable: watch::Receiver<u64>,
    log: Arc<EmbeddedLog>,
    after: u64,
}

impl Tail {
    /// Waits for the next entry. Entries come in order.
    pub(crate) async fn next(&mut self) -> Result<Entry, StoreError> {
        let after = self.after;
        let gone = |_| StoreError::Internal {
            what: "the weights store is closed".to_owned(),
        };
        self.durable
            .wait_for(|durable| *durable > after)
            .await
            .map_err(gone)?;
        let mut next = self.log.read(after + 1, 1, READ_BYTES).await?;
        let entry = next.pop().ok_or_else(|| StoreError::Internal {
            what: format!("revision {} is durable and cannot be read", after + 1),
        })?;
        self.after = after + 1;
        Ok(entry)
    }
}
