//! An accepted socket. It closes itself when its peer says nothing, does not read, or leaves
//! answers unread: whatever waits for such a peer is freed with it.
//!
//! The transport polls a socket whenever there is something to do, so the socket itself is where
//! the time is watched: no task and no list of connections is needed.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    sync::OwnedSemaphorePermit,
    time::Sleep,
};
use tonic::transport::server::Connected;

use crate::peer::Peer;

/// The preface of HTTP/2 and the head of the first frame, which every client sends at once.
const GREETING_BYTES: usize = 24 + 9;

/// A socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// What a connection must do in time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timeliness {
    /// Begin to speak HTTP/2 within this time.
    Greet(Duration),
    /// Be over within this time, as a connection for one request.
    End(Duration),
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    peer: Peer,
    send_timeout: Duration,
    /// When the connection must have greeted or ended, and how many bytes it must send until then.
    greeting: Option<(Instant, usize)>,
    /// Since when the peer takes no bytes.
    blocked: Option<Instant>,
    /// Rings when the first of these times may be over, or earlier.
    alarm: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(crate) fn new(
        socket: Socket,
        peer: Peer,
        timeliness: Timeliness,
        send_timeout: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (within, bytes) = match timeliness {
            Timeliness::Greet(within) => (within, GREETING_BYTES),
            Timeliness::End(within) => (within, usize::MAX),
        };
        let until = Instant::now() + within;
        Self {
            socket,
            peer,
            send_timeout,
            greeting: Some((until, bytes)),
            blocked: None,
            alarm: Box::pin(tokio::time::sleep_until(until.into())),
            _place: place,
        }
    }

    /// The next time at which the connection may have to close, and why.
    fn due(&self) -> Option<(Instant, &'static str)> {
        let greeting = self.greeting.map(|(until, _)| (until, "sent no request"));
        let blocked = self
            .blocked
            .map(|since| (since + self.send_timeout, "does not read"));
        let unsent = self
            .peer
            .answers_due()
            .map(|due| (due, "does not read its answers"));
        [greeting, blocked, unsent].into_iter().flatten().min()
    }

    /// Fails when the peer has been too slow, and sees to it that the task is woken when it will
    /// have been.
    fn check_time(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while let Some((due, why)) = self.due() {
            if due <= Instant::now() {
                tracing::debug!(connection = self.peer.id(), why, "closing the connection");
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    format!("the peer {why}"),
                ));
            }
            // An alarm that rings early is set again then. Setting it for every answer would cost
            // more than sending the answer.
            if due < self.alarm.deadline().into_std() || self.alarm.is_elapsed() {
                self.alarm.as_mut().reset(due.into());
            }
            if self.alarm.as_mut().poll(context).is_pending() {
                break;
            }
        }
        Ok(())
    }

    /// Notes whether the peer takes bytes.
    fn wrote<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match outcome.is_pending() {
            true => {
                self.blocked.get_or_insert_with(Instant::now);
                self.check_time(context)?;
            }
            false => self.blocked = None,
        }
        outcome
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
        };
        if let Some((_, missing)) = &mut self.greeting {
            *missing = missing.saturating_sub(buffer.filled().len() - before);
            if *missing == 0 {
                self.greeting = None;
            }
        }
        self.check_time(context)?;
        outcome
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
        };
        self.wrote(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Socket::Unix(socket) => Pin::new(socket).poll_write_vectored(context, slices),
        };
        self.wrote(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp(socket) => socket.is_write_vectored(),
            Socket::Unix(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
