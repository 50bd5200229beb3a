//! The log in a NATS stream, for many combiners, and this combiner's copy of it in a file.
//!
//! The stream is the truth: it accepts an entry right after the one its writer knew, or not at all.
//! The copy has the format of the embedded log and contains what this combiner has read. So a
//! combiner starts while NATS is down, and notices when the stream was truncated or replaced. One
//! task keeps the copy up to date: after every signal and on every tick it asks for the last entry,
//! checks it against the chain of hashes, and fetches what lies between. Signals may be lost;
//! entries are not.

use std::{
    mem::take,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::pending};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use tokio_util::sync::CancellationToken;

use super::{
    first,
    link::{Address, CHUNK, Link, Published, START_PAUSE},
    replicas::{self, Replicas},
};
use crate::{
    config::Config,
    entry::{Entry, Sealed},
    error::StoreError,
    log_state::LogState,
    metrics::LogEnd,
    store::{
        answers::Appended,
        embedded::EmbeddedLog,
        health::StoreHealth,
        line::{decode_line, encode_line},
    },
};

/// How long the start waits for NATS before it continues with the copy or gives up.
const START: Duration = Duration::from_secs(5);
/// How often the end of the log is read without a signal. It bounds how late a lost signal or a
/// lost server is noticed.
const TICK: Duration = Duration::from_millis(250);
/// How long a writer waits for others of this combiner.
const TURN: Duration = Duration::from_secs(1);

/// The log in a NATS stream.
#[derive(Debug)]
pub(crate) struct Nats {
    link: Arc<Link>,
    copy: Arc<EmbeddedLog>,
    health: Arc<StoreHealth>,
    end: Mutex<End>,
    /// Whether the stream was in reach since the start.
    seen: AtomicBool,
    /// The last revision of the stream, as it was last seen.
    known: LogEnd,
    replicas: Arc<Replicas>,
    /// Ends the tasks.
    closing: CancellationToken,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// Where the copy ends.
#[derive(Debug)]
struct End {
    revision: u64,
    hash: String,
    /// The connection on which the stream was last checked.
    checked: Option<u64>,
}

impl Nats {
    /// Connects and catches up with the stream; when it is out of reach, starts with the copy.
    ///
    /// # Errors
    /// No copy exists and the stream is out of reach for five seconds: a combiner that never saw the
    /// log does not know the weights.
    pub(crate) async fn open(
        path: PathBuf,
        address: Address<'_>,
        config: &Config,
        known: LogEnd,
        health: Arc<StoreHealth>,
    ) -> Result<(Arc<Self>, LogState), StoreError> {
        let deadline = Instant::now() + START;
        let link = Arc::new(Link::connect(address, config).await?);
        if !path.exists() {
            first::copy(&link, &path, deadline).await?;
        }
        let (copy, state) = EmbeddedLog::open_copy(path, config.key_horizon).await?;
        let store = Arc::new(Self {
            replicas: Arc::new(Replicas::new(&config.replica)),
            known,
            end: Mutex::new(End {
                revision: state.last,
                hash: state.last_hash.clone(),
                checked: None,
            }),
            closing: CancellationToken::new(),
            tasks: std::sync::Mutex::default(),
            seen: AtomicBool::new(false),
            link,
            copy,
            health,
        });
        while let Err(error) = store.catch_up(&mut *store.end.lock().await).await {
            if Instant::now() >= deadline || matches!(error, StoreError::Broken { .. }) {
                break;
            }
            sleep(START_PAUSE).await;
        }
        store.start_tasks();
        Ok((store, state))
    }

    fn start_tasks(self: &Arc<Self>) {
        let follow = tokio::spawn(follow(Arc::downgrade(self), self.closing.clone()));
        let (link, replicas) = (Arc::clone(&self.link), Arc::clone(&self.replicas));
        let exchange = tokio::spawn(replicas::exchange(link, replicas, self.closing.clone()));
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.extend([follow, exchange]);
        }
    }

    /// Ends the tasks; after that only the callers use the copy.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        let tasks = self.tasks.lock().map(|mut tasks| take(&mut *tasks));
        for task in tasks.unwrap_or_default() {
            // A task that was cancelled or panicked has ended, too.
            let _ = task.await;
        }
    }

    /// As [`super::super::Store::append`].
    pub(crate) async fn append(&self, sealed: &Sealed) -> Result<Appended, StoreError> {
        let mut end = self.turn().await?;
        let entry = &sealed.entry;
        // The stream may have been replaced since it was last read. A new entry must continue the log
        // that this combiner knows.
        self.catch_up(&mut end).await?;
        if entry.revision != end.revision + 1 {
            return Ok(Appended::Conflict);
        }
        let line = encode_line(&entry.hash, &sealed.payload);
        let (reason, certain) = match self.link.publish(end.revision, line.clone()).await? {
            Published::Stored => {
                if let Err(error) = self.take(&mut end, &line.into()).await {
                    // It is durable; only this combiner's copy lags.
                    self.health.mark_down(&error);
                }
                return Ok(Appended::Committed);
            }
            Published::Conflict => (String::new(), true),
            Published::Rejected(reason) => (reason, true),
            Published::Unknown(reason) => (reason, false),
        };
        let read = self.catch_up(&mut end).await;
        if end.revision >= entry.revision {
            // The log has an entry at this place: this one, or another that will never change.
            let taken = self.copy.read(entry.revision, 1).await?;
            let ours = taken.first().is_some_and(|taken| taken.hash == entry.hash);
            return Ok(if ours {
                Appended::Committed
            } else {
                Appended::Conflict
            });
        }
        match read {
            Ok(()) if certain => Err(self.link.broken(format!("it rejects the entry: {reason}"))),
            Err(error) if certain => Err(error),
            _ => Err(StoreError::Ambiguous {
                store: self.link.store.clone(),
                reason,
                key: entry.cause.idempotency_key.clone(),
            }),
        }
    }

    async fn turn(&self) -> Result<MutexGuard<'_, End>, StoreError> {
        let turn = timeout(TURN, self.end.lock()).await;
        turn.map_err(|_| self.link.unreachable(&"other writes still wait for it"))
    }

    /// As [`super::super::Store::read`], from the copy. At its end, the stream is read too; but not
    /// before the stream was reached once, so that the start works without NATS.
    pub(crate) async fn read(&self, from: u64, count: usize) -> Result<Vec<Entry>, StoreError> {
        if from > self.copy.last() && self.seen.load(Ordering::Relaxed) {
            self.catch_up(&mut *self.turn().await?).await?;
        }
        self.copy.read(from, count).await
    }

    /// The file that the stream is copied to.
    pub(crate) fn copy(&self) -> &Arc<EmbeddedLog> {
        &self.copy
    }

    /// The last revision of the stream, as far as it is known.
    pub(crate) fn last_known(&self) -> u64 {
        self.known.last_revision()
    }

    /// The known combiners.
    pub(crate) fn replicas(&self) -> &Replicas {
        &self.replicas
    }

    /// Copies the entries of the stream that the copy lacks.
    ///
    /// # Errors
    /// The stream is out of reach, or it is not the one that was copied.
    async fn catch_up(&self, end: &mut End) -> Result<(), StoreError> {
        let outcome = self.copy_what_is_new(end).await;
        match &outcome {
            Ok(()) => self.health.mark_up(),
            Err(error) => self.health.mark_down(error),
        }
        outcome
    }

    async fn copy_what_is_new(&self, end: &mut End) -> Result<(), StoreError> {
        self.link.connected()?;
        let connection = self.link.connections();
        if end.checked != Some(connection) {
            self.link.check(end.revision == 0).await?;
            end.checked = Some(connection);
        }
        let (last, newest) = match self.link.last().await? {
            Some(last) => last,
            None => (0, Bytes::new()),
        };
        if last < end.revision {
            return Err(self.link.broken(format!(
                "it ends at revision {last}, but this combiner has revision {}",
                end.revision
            )));
        }
        self.known.set_last_revision(last);
        self.seen.store(true, Ordering::Relaxed);
        if last == end.revision {
            if last > 0 && !newest.starts_with(end.hash.as_bytes()) {
                return Err(self.replaced(last));
            }
            return Ok(());
        }
        while end.revision + 1 < last {
            let until = (last - 1).min(end.revision + CHUNK);
            for line in self.link.lines(end.revision + 1..=until).await? {
                self.take(end, &line).await?;
            }
        }
        self.take(end, &newest).await
    }

    /// Appends the next line of the stream to the copy.
    async fn take(&self, end: &mut End, line: &Bytes) -> Result<(), StoreError> {
        let revision = end.revision + 1;
        let entry = decode_line(Path::new(&self.link.store), revision, line)?;
        if entry.follows(revision, &end.hash).is_err() {
            return Err(self.replaced(revision));
        }
        self.copy.append_line(revision, line.to_vec()).await?;
        end.revision = revision;
        end.hash = entry.hash;
        Ok(())
    }

    fn replaced(&self, revision: u64) -> StoreError {
        self.link.broken(format!(
            "its revision {revision} does not belong to the history that this combiner has applied: the stream was replaced"
        ))
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// Keeps the copy up to date until the store is closed.
async fn follow(store: Weak<Nats>, closing: CancellationToken) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut news = None;
    loop {
        let Some(store) = store.upgrade() else { return };
        if news.is_none() {
            news = store.link.news().await.ok();
        }
        // The outcome is kept as the health of the store.
        let _ = store.catch_up(&mut *store.end.lock().await).await;
        drop(store);
        let signal = async {
            match &mut news {
                Some(signals) => signals.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = tick.tick() => {}
            _ = signal => {}
            () = closing.cancelled() => return,
        }
        while let Some(Some(_)) = news
            .as_mut()
            .and_then(|signals| signals.next().now_or_never())
        {}
    }
}
