//! `counterweight feedback`: sends events and labels of posts from files.

mod events;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Event, EventStatus, WriteEventsRequest, feedback_service_client::FeedbackServiceClient,
};
use serde_json::json;
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
    /// Send labels of posts, which raters or other systems gave, one per row.
    ///
    /// The columns are `candidate_id`, `objective`, `value` (0 or 1), `time` (when the label was given),
    /// and, where posts were chosen at random, `sampling_probability`: the probability with which this
    /// post was chosen. `event_id` may name the label; without it, its content does. The join gives a
    /// label to the rankings that showed the post within a period around its time.
    Labels(SendLabels),
}

/// Send labels of posts.
#[derive(Args)]
pub(crate) struct SendLabels {
    /// The file of labels: .ndjson, .csv or .parquet.
    file: PathBuf,
    #[command(flatten)]
    server: Combiner,
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
            Self::Send(send) => {
                let file = EventFile {
                    file: &send.file,
                    needed: &["candidate_id", "time"],
                    event_type: send.event_type.as_deref(),
                    noun: "events",
                };
                runtime()?.block_on(file.send(&send.server, output))
            }
            Self::Labels(labels) => {
                let file = EventFile {
                    file: &labels.file,
                    needed: &["candidate_id", "objective", "value", "time"],
                    event_type: None,
                    noun: "labels",
                };
                runtime()?.block_on(file.send(&labels.server, output))
            }
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

/// A file to send.
struct EventFile<'a> {
    file: &'a Path,
    /// Columns that it must have.
    needed: &'a [&'a str],
    /// The type of rows that have none.
    event_type: Option<&'a str>,
    /// What its rows are.
    noun: &'a str,
}

impl EventFile<'_> {
    async fn send(self, server: &Combiner, output: Output) -> anyhow::Result<()> {
        let pieces = events::read(self.file, self.needed)?;
        let mut client = FeedbackServiceClient::new(server.connect().await?);
        let mut sent = Sent::default();
        let bar = progress::rows(&self.file.display().to_string());
        for piece in pieces {
            let rows = piece?;
            let events = events::events(&rows, self.event_type)?;
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
        output.print(&value, |_| sent.summary(self.file, self.noun))?;
        match sent.refused {
            0 => Ok(()),
            refused => bail!(
                "{refused} {} were refused; correct them and send the file again",
                self.noun
            ),
        }
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

    fn summary(&self, file: &Path, noun: &str) -> String {
        let mut text = format!(
            "{}: {} {noun} are kept, {} were refused",
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
