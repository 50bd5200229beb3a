//! Attacks that do not read what they are sent.

use h2::client::ResponseFuture;
use tokio::task::JoinSet;
use tonic::Status;

use super::{
    connection::{Call, Connection},
    control::Control,
    seen::{Answer, Seen},
};

/// Keeps `streams` calls open on a connection whose windows are closed; a call that is ended is
/// replaced.
pub(super) async fn unread(
    mut connection: Connection,
    call: &Call,
    streams: usize,
    control: &Control,
    seen: &mut Seen,
) {
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(outcome) = calls.join_next() => {
                if !seen.record(outcome.unwrap()) {
                    return;
                }
            }
            begun = connection.begin(call), if calls.len() < streams => {
                let sent = begun.and_then(|(response, mut body)| {
                    body.send_data(call.body.clone(), true)?;
                    Ok(response)
                });
                match sent {
                    Ok(response) => drop(calls.spawn(never_read(response))),
                    Err(error) => {
                        seen.record(Err(error));
                        return;
                    }
                }
                control.pace().await;
            }
        }
    }
}

/// Waits for an answer of which nothing can be sent, as the window is closed, until it is refused
/// or reset.
async fn never_read(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let response = response.await?;
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Ok(status.into());
    }
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        data?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let status = Status::from_header_map(&trailers);
    Ok(status.map_or_else(Answer::ok, Answer::from))
}
