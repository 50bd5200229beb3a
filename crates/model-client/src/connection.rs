//! A connection to a model server, made when it is first used and again after it was lost.
//!
//! The channel of tonic resets a call at the deadline that it sends, and a server closes a connection
//! on which too many calls are reset. This one leaves the end of a call to the server.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri, uri::Scheme};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::Mutex,
    time::timeout,
};
use tonic::body::Body;
use tower_service::Service;

/// Wide enough for thousands of candidates in one flight; the default of 64 KiB is filled by
/// 500 × 32 floats.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// One frame for a whole usual answer.
const MAX_FRAME: u32 = 1 << 20;
/// A dead peer that closes nothing is noticed after interval and timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a connection or a call on it failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("cannot connect")]
    Connect(#[from] io::Error),
    #[error("no connection within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the connection failed")]
    Http(#[from] hyper::Error),
    #[error("the address of the call is not valid")]
    Uri(#[from] http::Error),
}

/// Where a server listens.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One connection; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    peer: Peer,
    /// The server, or a proxy before it, is addressed by the name in the configuration.
    authority: String,
    connect_timeout: Duration,
    /// None before the first call. It is locked while a connection is made, so that one is enough.
    sender: Mutex<Option<SendRequest<Body>>>,
}

impl Peer {
    /// The address that stands in a URI; none for a host name or an unknown scheme.
    pub(crate) fn of_uri(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return Some(Self::Unix(path.into()));
        }
        let uri = text.parse::<Uri>().ok()?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return None;
        }
        let address: IpAddr = uri.host()?.trim_matches(['[', ']']).parse().ok()?;
        let port = uri.port_u16().unwrap_or(80);
        Some(Self::Tcp(SocketAddr::new(address, port)))
    }
}

impl Connection {
    /// Prepares a connection to the server that this URI names.
    pub(crate) fn new(peer: Peer, uri: &str, connect_timeout: Duration) -> Self {
        let authority = uri.parse::<Uri>().ok();
        let authority = authority.as_ref().and_then(|uri| uri.authority());
        Self(Arc::new(Shared {
            peer,
            authority: authority.map_or_else(|| "localhost".to_owned(), ToString::to_string),
            connect_timeout,
            sender: Mutex::new(None),
        }))
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Body>, ConnectionError> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.0.authority.as_str())
            .path_and_query(path.map_or_else(|| "/".to_owned(), |path| path.to_string()))
            .build()?;
        let mut sender = self.0.sender().await?;
        Ok(sender.send_request(request).await?.map(Body::new))
    }
}

impl Shared {
    /// A handle of a connection that is open.
    async fn sender(&self) -> Result<SendRequest<Body>, ConnectionError> {
        let mut sender = self.sender.lock().await;
        if let Some(open) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(open.clone());
        }
        let connecting = timeout(self.connect_timeout, self.connect()).await;
        let connected = connecting.map_err(|_| ConnectionError::TimedOut(self.connect_timeout))?;
        Ok(sender.insert(connected?).clone())
    }

    async fn connect(&self) -> Result<SendRequest<Body>, ConnectionError> {
        match &self.peer {
            Peer::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                handshake(stream).await
            }
            Peer::Unix(path) => handshake(UnixStream::connect(path).await?).await,
        }
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Body>, ConnectionError> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a model server ended");
        }
    });
    Ok(sender)
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = ConnectionError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectionError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_an_address_or_a_socket_or_has_to_be_looked_up() {
        let tcp = |uri: &str| match Peer::of_uri(uri) {
            Some(Peer::Tcp(address)) => address.to_string(),
            other => panic!("{uri}: {other:?}"),
        };
        assert_eq!(tcp("http://127.0.0.1:8001"), "127.0.0.1:8001");
        assert_eq!(tcp("http://[::1]"), "[::1]:80");
        for uri in ["unix:/run/m.sock", "unix:///run/m.sock"] {
            let peer = Peer::of_uri(uri);
            assert!(matches!(peer, Some(Peer::Unix(path)) if path.ends_with("run/m.sock")));
        }
        for uri in ["http://models:8001", "https://127.0.0.1:1", "models"] {
            assert!(Peer::of_uri(uri).is_none(), "{uri}");
        }
    }
}
