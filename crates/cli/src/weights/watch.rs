//! `weights watch`: prints every change as it happens, and reconnects after a lost connection.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use counterweight_proto::{
    counterweight::v1::{
        WatchWeightsRequest, WatchWeightsResponse, WeightsEntry,
        weights_service_client::WeightsServiceClient,
    },
    to_json,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};

use super::{
    session::{connect, read_weights},
    text::entry_line,
};
use crate::{
    client::{Combiner, explain_status},
    output::{Output, print_note},
};

/// The pause before the first attempt to reconnect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Print every change as it happens.
///
/// A connection that is silent for twice the --timeout counts as lost. The command then reconnects,
/// continues with the next revision, and reports this on standard error.
#[derive(Args)]
pub(crate) struct Watch {
    /// The first revision to print, 1 for the whole history; 0 prints only new changes.
    #[arg(long, default_value_t = 0, value_name = "REVISION")]
    from: u64,
    /// Stop after this many changes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    combiner: Combiner,
}

/// Why a stream failed.
enum Failure {
    /// The connection or the server is down; another attempt may succeed.
    Lost(anyhow::Error),
    /// The server rejected the request; another attempt would be rejected, too.
    Refused(anyhow::Error),
}

impl Watch {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut next = self.first_revision().await?;
        let mut left = self.count;
        let opened = self.open(next).await;
        let mut stream =
            opened.map_err(|(Failure::Lost(error) | Failure::Refused(error))| error)?;
        while left != Some(0) {
            let lost = match stream.message().await {
                Ok(Some(message)) => {
                    if let Some(entry) = message.entry {
                        print_entry(output, &entry)?;
                        next = entry.revision + 1;
                        left = left.map(|left| left - 1);
                    }
                    continue;
                }
                Ok(None) => anyhow!("the combiner closed the stream"),
                Err(status) => match failure(&status) {
                    Failure::Refused(error) => return Err(error),
                    Failure::Lost(error) => error,
                },
            };
            stream = self.reopen(next, &lost).await?;
        }
        Ok(())
    }

    /// The first revision to request. For new changes only, this is the one after the applied
    /// revision, so that no change is missed if the connection is lost before the first change.
    async fn first_revision(&self) -> anyhow::Result<u64> {
        if self.from > 0 {
            return Ok(self.from);
        }
        let mut client = connect(&self.combiner).await?;
        let weights = read_weights(&mut client, String::new()).await?;
        Ok(weights.applied_revision + 1)
    }

    async fn open(&self, next: u64) -> Result<Streaming<WatchWeightsResponse>, Failure> {
        let channel = self.combiner.connect_stream().await;
        let mut client = WeightsServiceClient::new(channel.map_err(Failure::Lost)?);
        let request = WatchWeightsRequest {
            from_revision: next,
        };
        match timeout(self.combiner.timeout(), client.watch_weights(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(failure(&status)),
            Err(_) => Err(Failure::Lost(anyhow!("no answer within --timeout"))),
        }
    }

    /// Reconnects; it tries until it succeeds or the server rejects the request.
    async fn reopen(
        &self,
        next: u64,
        lost: &anyhow::Error,
    ) -> anyhow::Result<Streaming<WatchWeightsResponse>> {
        print_note(&format!(
            "lost the connection to {}: {lost:#}; reconnecting to continue with revision {next}",
            self.combiner.address
        ));
        let mut pause = FIRST_PAUSE;
        let mut printed = String::new();
        loop {
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
            match self.open(next).await {
                Ok(stream) => {
                    print_note(&format!("reconnected to {}", self.combiner.address));
                    return Ok(stream);
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lost(error)) => {
                    // Print a reason once, not at every attempt.
                    let reason = format!("{error:#}");
                    if reason != printed {
                        print_note(&format!("not connected yet: {reason}"));
                        printed = reason;
                    }
                }
            }
        }
    }
}

/// Decides by the status whether another attempt can succeed. OUT_OF_RANGE can: a replica that is
/// behind answers it until it has caught up.
fn failure(status: &Status) -> Failure {
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => Failure::Refused(explain_status(status)),
        _ => Failure::Lost(explain_status(status)),
    }
}

fn print_entry(output: Output, entry: &WeightsEntry) -> anyhow::Result<()> {
    output.print_element(&to_json(entry)?, |_| entry_line(entry))
}
