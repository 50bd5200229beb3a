//! The connection to NATS and the stream that is the log. Only this file and `replicas` name
//! `async_nats`.
//!
//! The sequence number of a message is the revision and its payload is the entry's line, so all
//! messages in a row are the embedded file, byte for byte. The stream keeps everything: no limit,
//! no deletion, no purge.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, Event, Subscriber,
    connection::State,
    jetstream::{
        self, Context, ErrorCode,
        context::{ContextBuilder, GetStreamErrorKind, PublishError, PublishErrorKind},
        message::PublishMessage,
        stream::{
            Config, DiscardPolicy, Info, LastRawMessageErrorKind, PersistenceMode,
            RawMessageErrorKind, Republish, RetentionPolicy, StorageType, Stream,
        },
    },
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{config::Config as CombinerConfig, error::StoreError};

/// Pause between attempts to reach the stream at the start.
pub(super) const START_PAUSE: Duration = Duration::from_millis(50);
/// Entries that are fetched before they are written to the copy. It bounds the memory.
pub(crate) const CHUNK: u64 = 256;
/// How long one attempt to connect may take, and the pause before the next. Both bound the time to
/// reconnect after an outage.
const CONNECT: Duration = Duration::from_millis(750);
const RECONNECT: Duration = Duration::from_millis(100);
/// The client reconnects when the server has answered no ping for three of these.
const PING: Duration = Duration::from_millis(500);
/// How long a read of the stream may take.
const REQUEST: Duration = Duration::from_millis(500);
/// How long the acknowledgement of an entry may take; it is synced to disk before.
const ACKNOWLEDGE: Duration = Duration::from_millis(1500);
/// Entries per request of a combiner that catches up.
const READ_AHEAD: usize = 64;

/// Where the stream is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address<'a> {
    /// The servers, comma separated.
    pub(crate) url: &'a str,
    pub(crate) stream: &'a str,
}

/// A connection that heals itself.
#[derive(Debug)]
pub(super) struct Link {
    /// The name of the store in errors.
    pub(super) store: String,
    /// The stream's name, and the first token of every subject.
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) context: Context,
    publishing: Context,
    /// A handle; making it sends nothing.
    stream: Stream<()>,
    last_error: Arc<Mutex<String>>,
}

/// The outcome of sending an entry.
#[derive(Debug)]
pub(super) enum Published {
    /// It is synced to disk, under the expected revision.
    Stored,
    /// The stream does not end where it was expected to; nothing was stored.
    Conflict,
    /// The server rejected it.
    Rejected(String),
    /// No answer came; the entry may have been stored, or may be stored later.
    Unknown(String),
}

impl Link {
    /// Starts to connect, and tries until it succeeds.
    pub(super) async fn connect(
        address: Address<'_>,
        config: &CombinerConfig,
    ) -> Result<Self, StoreError> {
        let store = config.store.to_string();
        let last_error = Arc::new(Mutex::new("no connection yet".to_owned()));
        let event_error = Arc::clone(&last_error);
        let unreachable = |reason: String| StoreError::Unavailable {
            store: store.clone(),
            reason,
        };
        let client = ConnectOptions::new()
            .name(format!("counterweight combiner {}", config.replica))
            .retry_on_initial_connect()
            .connection_timeout(CONNECT)
            .reconnect_delay_callback(|_| RECONNECT)
            .ping_interval(PING)
            .request_timeout(Some(REQUEST))
            .event_callback(move |event| {
                if let Event::ClientError(_) | Event::ServerError(_) | Event::Disconnected = event {
                    *event_error.lock().unwrap_or_else(PoisonError::into_inner) = event.to_string();
                }
                std::future::ready(())
            })
            .connect(address.url)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let context = |timeout| ContextBuilder::new().timeout(timeout).build(client.clone());
        let asking = context(REQUEST);
        let stream = asking
            .get_stream_no_info(address.stream)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(Self {
            store,
            name: address.stream.to_owned(),
            publishing: context(ACKNOWLEDGE),
            context: asking,
            stream,
            client,
            last_error,
        })
    }

    /// How often it has connected. After another connection the server may be another one.
    pub(super) fn connections(&self) -> u64 {
        self.client
            .statistics()
            .connects
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// An error without a connection. Nothing may be sent then: the client would buffer it and send
    /// it later, when nobody waits for the answer.
    pub(super) fn connected(&self) -> Result<(), StoreError> {
        if self.client.connection_state() == State::Connected {
            return Ok(());
        }
        let error = self.last_error.lock();
        Err(self.unreachable(&*error.unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn unreachable(&self, reason: &dyn Display) -> StoreError {
        StoreError::Unavailable {
            store: self.store.clone(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn broken(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Broken {
            store: self.store.clone(),
            problem: problem.into(),
        }
    }

    /// A signal after every new entry. It is only a signal: any number of them may be lost.
    pub(super) async fn news(&self) -> Result<Subscriber, StoreError> {
        let subscribed = self.client.subscribe(self.news_subject()).await;
        subscribed.map_err(|error| self.unreachable(&error))
    }

    /// Checks that the stream keeps everything; with `create`, makes a missing stream.
    pub(super) async fn check(&self, create: bool) -> Result<(), StoreError> {
        self.connected()?;
        let wanted = self.wanted();
        let info = match self.context.get_stream(&self.name).await {
            Ok(stream) => stream.cached_info().clone(),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND && create =>
                {
                    let made = self.context.create_stream(wanted.clone()).await;
                    let stream = made
                        .map_err(|error| self.broken(format!("it cannot be created: {error}")))?;
                    tracing::info!(stream = self.name, "created the stream of the weights log");
                    stream.cached_info().clone()
                }
                GetStreamErrorKind::JetStream(error) => return Err(self.refused(&error)),
                _ => return Err(self.unreachable(&error)),
            },
        };
        match unfit(&info, &wanted) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(self.broken(problems.join("; "))),
        }
    }

    /// The last entry's revision and line, from the server that accepts the writes.
    pub(super) async fn last(&self) -> Result<Option<(u64, Bytes)>, StoreError> {
        self.connected()?;
        match self
            .stream
            .get_last_raw_message_by_subject(&self.subject())
            .await
        {
            Ok(message) => Ok(Some((message.sequence, message.payload))),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(error) => Err(self.refused(&error)),
                _ => Err(self.unreachable(&error)),
            },
        }
    }

    /// The lines of these revisions, in order.
    pub(super) async fn lines(
        &self,
        revisions: std::ops::RangeInclusive<u64>,
    ) -> Result<Vec<Bytes>, StoreError> {
        stream::iter(revisions)
            .map(|revision| self.line(revision))
            .buffered(READ_AHEAD)
            .try_collect()
            .await
    }

    async fn line(&self, revision: u64) -> Result<Bytes, StoreError> {
        match self.stream.get_raw_message(revision).await {
            Ok(message) => Ok(message.payload),
            Err(error) => Err(match error.kind() {
                RawMessageErrorKind::NoMessageFound => {
                    self.broken(format!("revision {revision} is missing"))
                }
                RawMessageErrorKind::JetStream(error) => self.refused(&error),
                _ => self.unreachable(&error),
            }),
        }
    }

    /// Stores an entry right after the revision `after`, or not at all.
    ///
    /// # Errors
    /// Nothing was stored.
    pub(super) async fn publish(&self, after: u64, line: Vec<u8>) -> Result<Published, StoreError> {
        self.connected()?;
        let message = PublishMessage::build()
            .payload(line.into())
            .expected_stream(&self.name)
            .expected_last_sequence(after);
        let acknowledged = match self.publishing.send_publish(self.subject(), message).await {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match acknowledged {
            Ok(stored) if stored.sequence == after + 1 => Ok(Published::Stored),
            Ok(stored) => Err(self.broken(format!(
                "it stored revision {} instead of {}",
                stored.sequence,
                after + 1
            ))),
            Err(error) => match error.kind() {
                PublishErrorKind::WrongLastSequence => Ok(Published::Conflict),
                PublishErrorKind::StreamNotFound => Err(self.broken("it is gone")),
                PublishErrorKind::MaxPayloadExceeded => Err(self.broken(error.to_string())),
                _ if is_rejection(&error) => Ok(Published::Rejected(error.to_string())),
                _ => Ok(Published::Unknown(error.to_string())),
            },
        }
    }

    fn subject(&self) -> String {
        format!("{}.log", self.name)
    }

    fn news_subject(&self) -> String {
        format!("{}.new", self.name)
    }

    fn wanted(&self) -> Config {
        Config {
            name: self.name.clone(),
            description: Some("the weights log of Counterweight".to_owned()),
            subjects: vec![self.subject()],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            deny_delete: true,
            deny_purge: true,
            num_replicas: 1,
            republish: Some(Republish {
                source: self.subject(),
                destination: self.news_subject(),
                headers_only: true,
            }),
            ..Config::default()
        }
    }

    fn refused(&self, error: &jetstream::Error) -> StoreError {
        match error.error_code() {
            ErrorCode::STREAM_NOT_FOUND => self.broken("it is gone"),
            _ => self.unreachable(error),
        }
    }
}

/// The settings by which the stream could lose or reorder entries, each with the value it must
/// have.
fn unfit(info: &Info, wanted: &Config) -> Vec<String> {
    let (found, state) = (&info.config, &info.state);
    let checks = [
        (
            found.subjects == wanted.subjects,
            format!(
                "subjects is {:?} and has to be {:?}",
                found.subjects, wanted.subjects
            ),
        ),
        (
            found.republish == wanted.republish,
            format!(
                "republish has to be from {:?} to {:?}, headers only",
                wanted.subjects[0],
                wanted.republish.as_ref().map_or("", |to| &to.destination)
            ),
        ),
        (
            found.storage == StorageType::File,
            "storage has to be file".to_owned(),
        ),
        (
            found.retention == RetentionPolicy::Limits,
            "retention has to be limits".to_owned(),
        ),
        (
            found.discard == DiscardPolicy::New,
            "discard has to be new".to_owned(),
        ),
        (found.max_age.is_zero(), "max_age has to be 0".to_owned()),
        (
            found.max_messages_per_subject <= 0,
            "max_msgs_per_subject has to be -1".to_owned(),
        ),
        (
            found.deny_delete && found.deny_purge,
            "deny_delete and deny_purge have to be set".to_owned(),
        ),
        (
            !found.allow_rollup,
            "allow_rollup_hdrs has to be off".to_owned(),
        ),
        (!found.no_ack, "no_ack has to be off".to_owned()),
        (
            found
                .persist_mode
                .is_none_or(|mode| mode == PersistenceMode::Default),
            "persist_mode has to be default".to_owned(),
        ),
        (
            found.mirror.is_none() && found.sources.is_none(),
            "it mirrors another stream".to_owned(),
        ),
        (
            state.messages == state.last_sequence,
            format!(
                "it has {} entries up to revision {}: some are missing",
                state.messages, state.last_sequence
            ),
        ),
    ];
    checks
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, problem)| problem)
        .collect()
}

/// True for an explicit rejection, false when no reply arrived.
fn is_rejection(error: &PublishError) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<jetstream::Error>())
}
