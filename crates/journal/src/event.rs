//! Events as the log has them: the record of a batch, and a row for each event.

use bytes::Bytes;
use prost::Message as _;

use crate::{
    queue::Record,
    table::{Column, Columns, Values},
};

/// The version of the rows, in the metadata of parts.
pub const EVENT_SCHEMA: &str = "1";

/// Events that arrived together.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventsRecord {
    /// When they arrived, in milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "1")]
    pub received_ms: i64,
    /// The events.
    #[prost(message, repeated, tag = "2")]
    pub events: Vec<LoggedEvent>,
}

/// One event.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LoggedEvent {
    /// Its id, by which repetitions are recognised.
    #[prost(string, tag = "1")]
    pub event_id: String,
    /// The ranking; empty for none.
    #[prost(string, tag = "2")]
    pub ranking_id: String,
    /// The request; empty for none.
    #[prost(string, tag = "3")]
    pub request_id: String,
    /// The unit as it is logged; empty for none.
    #[prost(string, tag = "4")]
    pub unit: String,
    /// The candidate.
    #[prost(string, tag = "5")]
    pub candidate_id: String,
    /// What happened.
    #[prost(string, tag = "6")]
    pub event_type: String,
    /// How much of it.
    #[prost(double, optional, tag = "7")]
    pub value: Option<f64>,
    /// When, in milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "8")]
    pub time_ms: i64,
    /// The place at which the candidate was shown, from 1.
    #[prost(int32, optional, tag = "9")]
    pub position: Option<i32>,
    /// For a label of a post: the objective; else empty.
    #[prost(string, tag = "10")]
    pub objective: String,
    /// For a label of a post: the probability with which the post was chosen to be labelled.
    #[prost(double, optional, tag = "11")]
    pub sampling_probability: Option<f64>,
}

impl EventsRecord {
    /// The record as the log takes it. Events are kept by the hour of their arrival, since they may
    /// come in any order.
    #[must_use]
    pub fn to_record(&self) -> Record {
        Record {
            time_ms: self.received_ms,
            payload: self.encode_to_vec(),
        }
    }

    /// The rows of an encoded record.
    ///
    /// # Errors
    /// Why it has none: it is damaged.
    pub fn rows(payload: &[u8]) -> Result<Columns, String> {
        let Self {
            received_ms,
            events,
        } = Self::decode(payload).map_err(|error| error.to_string())?;
        let text = |of: fn(&LoggedEvent) -> &String| {
            let text = |event| Some(of(event)).filter(|text| !text.is_empty());
            let bytes = |text: &String| Bytes::copy_from_slice(text.as_bytes());
            Values::Text(events.iter().map(|event| text(event).map(bytes)).collect())
        };
        let columns = [
            ("event_id", text(|event| &event.event_id)),
            ("ranking_id", text(|event| &event.ranking_id)),
            ("request_id", text(|event| &event.request_id)),
            ("user_id", text(|event| &event.unit)),
            ("candidate_id", text(|event| &event.candidate_id)),
            ("type", text(|event| &event.event_type)),
            (
                "value",
                Values::Float64(events.iter().map(|event| event.value).collect()),
            ),
            (
                "time",
                Values::Int64(events.iter().map(|event| Some(event.time_ms)).collect()),
            ),
            (
                "position",
                Values::Int32(events.iter().map(|event| event.position).collect()),
            ),
            (
                "received",
                Values::Int64(vec![Some(received_ms); events.len()]),
            ),
            ("objective", text(|event| &event.objective)),
            (
                "sampling_probability",
                Values::Float64(events.iter().map(|event| event.sampling_probability).collect()),
            ),
        ];
        let columns = columns.into_iter();
        Ok(Columns(
            columns
                .map(|(name, values)| Column::new(name, values))
                .collect(),
        ))
    }
}
