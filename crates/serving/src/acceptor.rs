//! Accepts connections: as many as the limit allows, and without ever failing or spinning when the
//! process is out of descriptors or memory.

use std::{
    fs::File,
    io::{self, ErrorKind},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use prometheus::IntCounter;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    time::sleep,
};

use crate::{
    budget::Budget,
    connection::{Connection, Socket, Timeliness},
    peer::Peer,
};

/// How long nothing is accepted after an error.
const PAUSE: Duration = Duration::from_millis(50);
/// How often errors are logged.
const LOG_INTERVAL: Duration = Duration::from_secs(1);
/// Connections that one round closes at most when descriptors are out.
const CLOSED_AT_ONCE: usize = 64;

/// The listening sockets that can be accepted from.
#[derive(Debug)]
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl ListeningSocket {
    async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (socket, _) = listener.accept().await?;
                // It fails for a connection that is gone already, which the first read reports.
                let _ = socket.set_nodelay(true);
                Ok(Socket::Tcp(socket))
            }
            Self::Unix(listener) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }
}

/// What is asked of the connections of a listener.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The most connections at one time; one more is closed at once.
    pub(crate) max_connections: usize,
    pub(crate) timeliness: Timeliness,
    pub(crate) send_timeout: Duration,
    pub(crate) budget: Budget,
    /// Counts the connections that were closed at once.
    pub(crate) refused: IntCounter,
}

/// Accepts the connections of a listener.
#[derive(Debug)]
pub(crate) struct Acceptor {
    socket: ListeningSocket,
    terms: Terms,
    places: Arc<Semaphore>,
    /// A descriptor to give up when there is no other, so that a connection can be accepted and
    /// closed. Otherwise it would wait in the queue of the kernel, and its caller with it.
    reserve: Option<File>,
    logged: Option<Instant>,
}

impl Acceptor {
    pub(crate) fn new(socket: ListeningSocket, terms: Terms) -> Self {
        Self {
            places: Arc::new(Semaphore::new(
                terms.max_connections.min(Semaphore::MAX_PERMITS),
            )),
            socket,
            terms,
            reserve: open_reserve(),
            logged: None,
        }
    }

    /// The next connection.
    pub(crate) async fn accept(&mut self) -> Connection {
        loop {
            match self.socket.accept().await {
                Ok(socket) => match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(place) => {
                        let terms = &self.terms;
                        let peer = Peer::new(&terms.budget, terms.send_timeout);
                        return Connection::new(
                            socket,
                            peer,
                            terms.timeliness,
                            terms.send_timeout,
                            place,
                        );
                    }
                    Err(_) => self.refuse("the limit of connections is reached"),
                },
                // The peer has gone before it was accepted.
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    self.close_waiting(&error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Accepts and closes connections that wait although there is no descriptor for them.
    fn close_waiting(&mut self, error: &io::Error) {
        self.refuse(&error.to_string());
        drop(self.reserve.take());
        for _ in 0..CLOSED_AT_ONCE {
            match self.socket.accept().now_or_never() {
                Some(Ok(socket)) => {
                    drop(socket);
                    self.terms.refused.inc();
                }
                _ => break,
            }
        }
        self.reserve = open_reserve();
    }

    /// Counts a connection that is not served, and logs why from time to time.
    fn refuse(&mut self, why: &str) {
        self.terms.refused.inc();
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            self.logged = Some(Instant::now());
            tracing::warn!(
                why,
                max_connections = self.terms.max_connections,
                refused = self.terms.refused.get(),
                "connections are refused"
            );
        }
    }
}

impl axum::serve::Listener for Acceptor {
    type Io = Connection;
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        (Self::accept(self).await, ())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    )
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}
