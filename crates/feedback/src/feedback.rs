//! The log of events, and the service in front of it.

use std::{fmt, sync::Arc};

use counterweight_clock::Clock;
use counterweight_journal::{
    DropReason, Durability, EVENT_SCHEMA, EventsRecord, Kind, Log, LogMetrics, LogOptions, OsDisk,
    PartOptions, Units, WalOptions,
};
use counterweight_proto::counterweight::v1::{
    EventStatus, WriteEventsRequest, WriteEventsResponse, feedback_service_server::FeedbackService,
};
use counterweight_serving::{
    Register, lower_thread_priority,
    prometheus::{IntCounter, Registry},
    status,
};
use tonic::{Code, Request, Response, Status};

use crate::{check, config::FeedbackConfig, error::FeedbackError};

/// The most events of a batch, and their bytes as they are kept.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 8 << 20;

/// The log of events.
pub struct Feedback {
    config: FeedbackConfig,
    clock: Arc<dyn Clock>,
    log: Arc<Log>,
    units: Units,
    accepted: IntCounter,
    refused: IntCounter,
}

impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Feedback").field(&self.config.path).finish()
    }
}

impl Feedback {
    /// Starts the log. A folder or a key that cannot be used is not an error: the log tries it again,
    /// and refuses events until then.
    ///
    /// # Errors
    /// An option is out of its range, a thread cannot start, or a metric cannot be registered.
    pub fn start(
        config: FeedbackConfig,
        replica: &str,
        clock: Arc<dyn Clock>,
        registry: &Registry,
    ) -> Result<Self, FeedbackError> {
        let options = LogOptions {
            path: config.path.clone(),
            wal: WalOptions {
                kind: Kind::Events,
                queue_bytes: config.queue_bytes,
                segment_bytes: config.part_bytes,
                segment_age: config.part_age,
            },
            parts: PartOptions::new(replica, EVENT_SCHEMA),
            retention: config.retention,
            store: config.store.clone(),
            decode: EventsRecord::rows,
            on_thread: lower_thread_priority,
        };
        let log = Log::start(Arc::new(OsDisk), Arc::clone(&clock), options)?;
        let log = Arc::new(log);
        let events = Register(registry).counters(
            "counterweight_events_total",
            "Events, by whether they were accepted.",
            &["outcome"],
        )?;
        registry.register(Box::new(LogMetrics::new("event_log", Arc::clone(&log))?))?;
        Ok(Self {
            units: Units::new(config.unit.clone()),
            accepted: events.with_label_values(&["accepted"]),
            refused: events.with_label_values(&["refused"]),
            config,
            clock,
            log,
        })
    }

    /// Reads the key of the units as soon as it can be read.
    pub async fn find_key(&self) {
        self.units.find_key().await;
    }

    /// What an operator should know.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.log.status().notes("the event log")
    }

    /// The log itself.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Writes the events that are valid, and says of each whether it is.
    ///
    /// # Errors
    /// The batch is empty or too large, or its events cannot be made durable.
    async fn write(&self, request: WriteEventsRequest) -> Result<WriteEventsResponse, Status> {
        let count = request.events.len();
        if !(1..=MOST_EVENTS).contains(&count) {
            return Err(refused(&format!(
                "has {count} events; send 1 to {MOST_EVENTS}"
            )));
        }
        let received_ms = self.clock.now_ms();
        let mut events = Vec::with_capacity(count);
        let mut statuses = Vec::with_capacity(count);
        for event in request.events {
            let checked = check::check(event, &self.config.types, &self.units, received_ms);
            match checked {
                Ok(event) => {
                    events.push(event);
                    statuses.push(EventStatus::default());
                }
                Err(problem) => statuses.push(problem),
            }
        }
        let accepted = events.len() as u64;
        if accepted > 0 {
            let record = EventsRecord {
                received_ms,
                events,
            }
            .to_record();
            let bytes = record.payload.len();
            if bytes > MOST_BYTES {
                let problem = format!("take {bytes} bytes; send at most {MOST_BYTES} in a batch");
                return Err(refused(&problem));
            }
            let durable = self.log.write(record, Durability::Request).await;
            durable.map_err(not_kept)?;
        }
        self.accepted.inc_by(accepted);
        self.refused.inc_by(count as u64 - accepted);
        Ok(WriteEventsResponse { statuses })
    }
}

fn refused(problem: &str) -> Status {
    let facts = [("field", "events".to_owned())];
    let message = format!("events: {problem}");
    status(Code::InvalidArgument, &message, "FIELD", facts)
}

fn not_kept(reason: DropReason) -> Status {
    let message = format!("the events could not be kept: {reason}; send them again");
    let facts = [("reason", reason.name().to_owned())];
    status(Code::Unavailable, &message, "NOT_KEPT", facts)
}

/// Feedback over gRPC.
#[derive(Debug, Clone)]
pub struct FeedbackApi(pub Arc<Feedback>);

#[tonic::async_trait]
impl FeedbackService for FeedbackApi {
    async fn write_events(
        &self,
        request: Request<WriteEventsRequest>,
    ) -> Result<Response<WriteEventsResponse>, Status> {
        let answer = self.0.write(request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
