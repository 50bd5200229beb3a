//! `counterweight feedback`: sends events from files.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use counterweight_dataset::{DatasetBuilder, DatasetError, Role, Rows, whole_number};
use counterweight_model::{Column, DEFAULT_MAX_TEXT_BYTES, Feature, Input, Kind, Schema, Side};
use counterweight_proto::counterweight::v1::{
    Event, EventStatus, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use tonic::{Code, transport::Channel};

use crate::{
    client::{Combiner, explain_status},
    output::Output,
    progress,
    runtime::runtime,
};

/// Events of one request.
const BATCH: usize = 1000;
/// How often a batch is sent before the command gives up, and the first pause between.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Refused events that are shown.
const SHOWN: usize = 5;

/// Send events from files.
#[derive(Subcommand)]
pub(crate) enum Feedback {
    /// Send the events of a file, one per row, to a server that takes them.
    ///
    /// The columns are `event_id`, `ranking_id`, `request_id`, `user_id`, `candidate_id`, `type`,
    /// `value`, `time` and `position`; others are ignored. A row needs `candidate_id`, `time`, a
    /// type, and one of the first ids. `time` is milliseconds since 1970, or ISO 8601 (UTC without
    /// an offset). A row without `event_id` gets one from its content, so that the same file may be
    /// sent again.
    Send(SendEvents),
}

/// Send the events of a file.
#[derive(Args)]
pub(crate) struct SendEvents {
    /// The file of events: .ndjson, .csv or .parquet.
    file: PathBuf,
    /// The type of rows that have none.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    #[command(flatten)]
    server: Combiner,
}

impl Feedback {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Send(send) => runtime()?.block_on(send.run(output)),
        }
    }
}

/// What became of the events of a file.
#[derive(Default)]
struct Sent {
    accepted: u64,
    refused: u64,
    /// The row, from 1, the field and the problem of some that were refused.
    problems: Vec<(u64, String, String)>,
}

impl SendEvents {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let pieces = read(&self.file)?;
        let mut client = FeedbackServiceClient::new(self.server.connect().await?);
        let mut sent = Sent::default();
        let bar = progress::rows(&self.file.display().to_string());
        for piece in pieces {
            let rows = piece?;
            let events = self.events(&rows)?;
            for (events, numbers) in events.chunks(BATCH).zip(rows.numbers.chunks(BATCH)) {
                let statuses = write(&mut client, events).await?;
                for (status, number) in statuses.into_iter().zip(numbers) {
                    sent.count(status, number + 1);
                }
                bar.inc(events.len() as u64);
            }
        }
        bar.finish_and_clear();
        let problems: Vec<_> = sent
            .problems
            .iter()
            .map(|(row, field, problem)| json!({ "row": row, "field": field, "problem": problem }))
            .collect();
        let value = json!({
            "file": self.file,
            "accepted": sent.accepted,
            "refused": sent.refused,
            "problems": problems,
        });
        output.print(&value, |_| sent.summary(&self.file))?;
        match sent.refused {
            0 => Ok(()),
            refused => bail!("{refused} events were refused; correct them and send the file again"),
        }
    }

    fn events(&self, rows: &Rows) -> anyhow::Result<Vec<Event>> {
        let table = Table(rows);
        let event = |row: usize| {
            let number = rows.numbers[row] + 1;
            let time = table.role(Role::Time, row);
            let mut event = Event {
                event_id: table.text("event_id", row),
                ranking_id: table.text("ranking_id", row),
                request_id: table.text("request_id", row),
                unit_id: table.role(Role::User, row).to_owned(),
                candidate_id: table.role(Role::Candidate, row).to_owned(),
                r#type: table.text("type", row),
                value: table.number("value", row),
                time: time_of(time)
                    .with_context(|| format!("row {number}: time: {time:?}"))?
                    .map(Into::into),
                position: match table.role(Role::Position, row) {
                    "" => None,
                    text => Some(text.parse().with_context(|| {
                        format!("row {number}: position: {text:?} is not a whole number")
                    })?),
                },
            };
            if event.r#type.is_empty() {
                event.r#type = self.event_type.clone().unwrap_or_default();
            }
            if event.event_id.is_empty() {
                event.event_id = content_id(&event);
            }
            Ok(event)
        };
        (0..rows.len()).map(event).collect()
    }
}

impl Sent {
    fn count(&mut self, status: EventStatus, row: u64) {
        if status.field.is_empty() {
            self.accepted += 1;
            return;
        }
        self.refused += 1;
        if self.problems.len() < SHOWN {
            self.problems.push((row, status.field, status.problem));
        }
    }

    fn summary(&self, file: &Path) -> String {
        let mut text = format!(
            "{}: {} events are kept, {} were refused",
            file.display(),
            self.accepted,
            self.refused
        );
        for (row, field, problem) in &self.problems {
            text.push_str(&format!("\nrow {row}: {field}: {problem}"));
        }
        text
    }
}

/// The rows of a file, piece by piece.
fn read(file: &Path) -> anyhow::Result<impl Iterator<Item = Result<Rows, DatasetError>>> {
    let path = file
        .canonicalize()
        .with_context(|| format!("cannot read {}", file.display()))?;
    let mut builder = DatasetBuilder::of_file("events", &path)
        .ok_or_else(|| anyhow!("the path {} is not UTF-8; rename it", path.display()))?;
    let columns = builder.clone().build()?.columns()?;
    for needed in ["candidate_id", "time"] {
        if !columns.iter().any(|column| column == needed) {
            bail!(
                "{} has no column {needed}; its columns are {}",
                file.display(),
                columns.join(", ")
            );
        }
    }
    for (role, column) in [
        (Role::User, "user_id"),
        (Role::Candidate, "candidate_id"),
        (Role::Time, "time"),
        (Role::Position, "position"),
    ] {
        if columns.iter().any(|one| one == column) {
            builder = builder.role(role, column);
        }
    }
    let text = ["event_id", "ranking_id", "request_id", "type"].map(|name| (name, Kind::Text));
    let inputs = text.into_iter().chain([("value", Kind::Numeric)]);
    let inputs = inputs.filter(|(name, _)| columns.iter().any(|column| column == name));
    let inputs: Vec<_> = inputs
        .map(|(name, kind)| Input {
            name: name.to_owned(),
            kind,
            side: Side::Candidate,
            optional: true,
            served: None,
        })
        .collect();
    if inputs.is_empty() {
        bail!(
            "{} has no column type and none of event_id, ranking_id, request_id; its columns are {}",
            file.display(),
            columns.join(", ")
        );
    }
    let features = inputs.iter().map(|input| Feature::of_input(&input.name));
    let features = features.collect();
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES)?;
    Ok(builder.build()?.inputs(&schema)?)
}

/// The rows of a piece by the names of their columns.
struct Table<'a>(&'a Rows);

impl Table<'_> {
    fn column(&self, name: &str) -> Option<&Column<'static>> {
        let mut inputs = self.0.schema.inputs().iter();
        let at = inputs.position(|input| input.name == name)?;
        self.0.columns[at].as_ref()
    }

    fn text(&self, name: &str, row: usize) -> String {
        match self.column(name) {
            Some(Column::Text(texts)) => texts[row].clone().into_owned(),
            _ => String::new(),
        }
    }

    fn number(&self, name: &str, row: usize) -> Option<f64> {
        match self.column(name) {
            Some(Column::Numeric(numbers)) => Some(numbers[row]).filter(|value| !value.is_nan()),
            _ => None,
        }
    }

    fn role(&self, role: Role, row: usize) -> &str {
        self.0.id(role).map_or("", |values| &values[row])
    }
}

/// Milliseconds since 1970, or ISO 8601, which is UTC without an offset. None for a missing time.
fn time_of(text: &str) -> anyhow::Result<Option<SystemTime>> {
    if text.is_empty() {
        return Ok(None);
    }
    let millis = match (whole_number(text), text.parse::<Timestamp>()) {
        (Some(millis), _) => millis,
        (None, Ok(time)) => time.as_millisecond(),
        (None, Err(_)) => {
            let time: DateTime = text.parse().map_err(|_| {
                anyhow!(
                    "this is neither milliseconds since 1970 nor a time such as 2026-01-02T03:04:05Z"
                )
            })?;
            TimeZone::UTC.to_timestamp(time)?.as_millisecond()
        }
    };
    let since = u64::try_from(millis).map_err(|_| anyhow!("this is before 1970"))?;
    Ok(Some(UNIX_EPOCH + Duration::from_millis(since)))
}

/// An id that the same content always has: the start of its SHA-256.
fn content_id(event: &Event) -> String {
    let mut hash = Sha256::new();
    let value = event.value.map(f64::to_bits).unwrap_or_default();
    let time = event.time.unwrap_or_default();
    let numbers = format!(
        "{value} {} {} {:?}",
        time.seconds, time.nanos, event.position
    );
    for field in [
        &event.ranking_id,
        &event.request_id,
        &event.unit_id,
        &event.candidate_id,
        &event.r#type,
        &numbers,
    ] {
        // The length keeps the end of one field apart from the start of the next.
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field);
    }
    hex::encode(&hash.finalize()[..16])
}

/// Writes a batch, and again while the server cannot keep it.
async fn write(
    client: &mut FeedbackServiceClient<Channel>,
    events: &[Event],
) -> anyhow::Result<Vec<EventStatus>> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let request = WriteEventsRequest {
            events: events.to_vec(),
        };
        match client.write_events(request).await {
            Ok(answer) => return Ok(answer.into_inner().statuses),
            Err(status) => {
                let passes = [Code::Unavailable, Code::ResourceExhausted].contains(&status.code());
                if attempt == ATTEMPTS || !passes {
                    return Err(explain_status(&status));
                }
            }
        }
        sleep(pause).await;
        pause *= 2;
    }
    bail!("the batch was not sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_milliseconds_or_iso_8601() {
        let millis = |text| {
            let time = time_of(text).unwrap()?;
            Some(time.duration_since(UNIX_EPOCH).unwrap().as_millis())
        };
        assert_eq!(millis("1767323045678"), Some(1_767_323_045_678));
        assert_eq!(millis("2026-01-02T03:04:05.678Z"), Some(1_767_323_045_678));
        assert_eq!(
            millis("2026-01-02T04:04:05.678+01:00"),
            Some(1_767_323_045_678)
        );
        assert_eq!(millis("2026-01-02 03:04:05.678"), Some(1_767_323_045_678));
        assert_eq!(millis(""), None);
        assert!(time_of("yesterday").is_err() && time_of("-1").is_err());
    }

    #[test]
    fn the_same_content_has_the_same_id_and_other_content_another() {
        let event = Event {
            request_id: "ab".to_owned(),
            candidate_id: "c".to_owned(),
            ..Event::default()
        };
        let other = Event {
            request_id: "a".to_owned(),
            unit_id: "b".to_owned(),
            ..event.clone()
        };
        assert_eq!(content_id(&event), content_id(&event.clone()));
        assert_ne!(content_id(&event), content_id(&other));
        assert_eq!(content_id(&event).len(), 32);
    }
}
