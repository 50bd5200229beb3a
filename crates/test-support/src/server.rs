//! A server in this process on free ports, and the ways in which tests ask it.

use std::{fmt::Debug, future::Future, pin::Pin};

use counterweight_serving::{Listener, Listeners, bind_tcp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tonic::transport::{Channel, Endpoint};

/// Resolves when the test wants the server to stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Running<E> {
    /// `host:port` of the gRPC services.
    pub address: String,
    /// `host:port` of `/metrics` and `/healthz`.
    pub metrics: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), E>>,
}

impl<E: Debug + Send + 'static> Running<E> {
    /// Starts a server on free ports. The sockets are bound when this returns, so that calls wait
    /// until the server is ready.
    pub async fn start<F>(serve: impl FnOnce(Listeners, Shutdown) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let grpc = Listener::bind("127.0.0.1:0").await.unwrap();
        let metrics = bind_tcp("127.0.0.1:0").await.unwrap();
        let address = grpc.address().unwrap();
        let metrics_address = metrics.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let listeners = Listeners {
            grpc,
            metrics: Some(metrics),
        };
        // A sender that was dropped is a stop too.
        let shutdown = Box::pin(async { drop(stopped.await) });
        Self {
            address,
            metrics: metrics_address,
            stop: Some(stop),
            task: tokio::spawn(serve(listeners, shutdown)),
        }
    }

    /// Opens a separate connection.
    pub async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// What the HTTP listener answers for a path: the status line, headers and body.
    pub async fn http(&self, path: &str) -> String {
        http_get(&self.metrics, path).await
    }

    /// Tells the server to stop, and does not wait.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// True once the server has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits until the server has stopped, and returns how.
    pub async fn stopped(self) -> Result<(), E> {
        self.task.await.unwrap()
    }

    /// Stops the server and waits until it has stopped without an error.
    pub async fn stop(mut self) {
        self.begin_stop();
        self.stopped().await.unwrap();
    }
}

/// What a plain HTTP server answers: the status line, headers and body.
pub async fn http_get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
