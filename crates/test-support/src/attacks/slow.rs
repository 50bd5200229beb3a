//! Attacks that begin calls and do not end them.

use std::{future::pending, time::Duration};

use bytes::Bytes;
use h2::SendStream;
use tokio::{task::JoinSet, time::sleep};

use super::{
    connection::{Call, Connection, answer},
    control::Control,
    seen::{Answer, Seen},
};

/// What follows the headers of a call that is never finished.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unfinished {
    /// Nothing.
    Headers,
    /// The message, one byte a second.
    OneByteASecond,
    /// The announcement of a message of this length, and nothing of it.
    Promise(u32),
}

/// Keeps `streams` unfinished calls open; a call that is ended is replaced.
pub(super) async fn unfinished(
    mut connection: Connection,
    call: &Call,
    kind: Unfinished,
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
            begun = connection.begin(call), if calls.len() < streams => match begun {
                Ok((response, body)) => {
                    calls.spawn(hold(answer(response, false), body, call.body.clone(), kind));
                    control.pace().await;
                }
                Err(error) => {
                    seen.record(Err(error));
                    return;
                }
            },
        }
    }
}

/// Waits for the answer while the call is kept unfinished.
async fn hold(
    answer: impl Future<Output = Result<Answer, h2::Error>>,
    mut body: SendStream<Bytes>,
    message: Bytes,
    kind: Unfinished,
) -> Result<Answer, h2::Error> {
    let sending = async {
        match kind {
            Unfinished::Headers => {}
            Unfinished::OneByteASecond => {
                for at in 0..message.len() {
                    sleep(Duration::from_secs(1)).await;
                    // A failure shows in the answer.
                    let _ = body.send_data(message.slice(at..=at), false);
                }
            }
            Unfinished::Promise(length) => {
                let head = [&[0], &length.to_be_bytes()[..]].concat();
                let _ = body.send_data(head.into(), false);
            }
        }
        pending().await
    };
    tokio::select! {
        answer = answer => answer,
        never = sending => never,
    }
}
