//! An accepted socket. It closes itself when its peer says nothing, does not read, or leaves
//! answers unread: whatever waits for such a peer is freed with it.
//!
//! The transport polls a socket whenever there is something to do, so the socket itself is where
//! the time is watched: no task and no list of connections is needed.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
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

/// Writes of at most this many bytes are gathered until the transport flushes or writes more: an
/// answer and its trailers then go out in one system call, and wake the peer once.
const SMALL_WRITE: usize = 2 << 10;
/// Gathered bytes after which they are written at once.
const MOST_GATHERED: usize = 2 * SMALL_WRITE;

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
    /// Small writes that were accepted and are not sent yet.
    gathered: Vec<u8>,
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
            gathered: Vec::new(),
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

impl Socket {
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(context, slices),
        }
    }
}

impl Connection {
    /// Sends what was gathered, and as much of `more` as the socket takes in the same call. Returns
    /// how much of `more` that was; 0 only when it is empty.
    fn poll_send(&mut self, context: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        while !self.gathered.is_empty() {
            let slices = [IoSlice::new(&self.gathered), IoSlice::new(more)];
            let outcome = self.socket.poll_write(context, &slices);
            let sent = ready!(self.wrote(context, outcome))?;
            if sent == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            let of_gathered = sent.min(self.gathered.len());
            self.gathered.drain(..of_gathered);
            if sent > of_gathered {
                return Poll::Ready(Ok(sent - of_gathered));
            }
        }
        if more.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let outcome = self.socket.poll_write(context, &[IoSlice::new(more)]);
        self.wrote(context, outcome)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gathered = self.gathered.len() + bytes.len();
        if bytes.len() > SMALL_WRITE || gathered > MOST_GATHERED {
            return self.poll_send(context, bytes);
        }
        self.gathered.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Always false: the transport then copies short messages behind their headers, where the
    /// trailers can follow them. A long one is sent with what was gathered before it anyway.
    fn is_write_vectored(&self) -> bool {
        false
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets have nothing to flush themselves.
        self.poll_send(context, &[]).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context, &[]))?;
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus::IntGauge;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::Semaphore,
    };

    use super::*;
    use crate::budget::Budget;

    fn connection() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let budget = Budget::new(1 << 30, IntGauge::new("charged", "Bytes.").unwrap());
        let limit = Duration::from_secs(10);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let connection = Connection::new(
            Socket::Unix(ours),
            Peer::new(&budget, limit),
            Timeliness::Greet(limit),
            limit,
            place,
        );
        (connection, theirs)
    }

    #[tokio::test]
    async fn small_writes_are_sent_together_when_they_are_flushed() {
        let (mut connection, mut peer) = connection();
        connection
            .write_all(b"headers and message, ")
            .await
            .unwrap();
        connection.write_all(b"trailers").await.unwrap();
        let mut first = [0; 100];
        let early = tokio::time::timeout(Duration::ZERO, peer.read(&mut first)).await;
        assert!(early.is_err(), "nothing is sent before the flush");
        connection.flush().await.unwrap();
        let length = peer.read(&mut first).await.unwrap();
        assert_eq!(&first[..length], b"headers and message, trailers");
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_whatever_the_sizes_and_a_slow_reader() {
        let (mut connection, mut peer) = connection();
        let sizes = [
            1, 5000, 10, 2048, 2049, 3, 2000, 2000, 2000, 1_048_576, 7, 300_000, 0, 9,
        ];
        let mut sent = Vec::new();
        for (seed, size) in (0_u8..).zip(sizes) {
            sent.extend((0..size).map(|at| seed.wrapping_mul(31).wrapping_add(at as u8)));
        }
        let expected = sent.clone();
        let writing = tokio::spawn(async move {
            let mut rest = &sent[..];
            for (at, size) in sizes.into_iter().enumerate() {
                let (bytes, after) = rest.split_at(size);
                connection.write_all(bytes).await.unwrap();
                if at % 3 == 0 {
                    connection.flush().await.unwrap();
                }
                rest = after;
            }
            connection.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        while peer.read_buf(&mut received).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
        writing.await.unwrap();
        assert!(received == expected, "{} bytes arrived", received.len());
    }
}
