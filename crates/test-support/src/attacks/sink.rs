//! A server that does no work: an attack on it costs what sending the same bytes costs.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use h2::{
    RecvStream,
    server::{Builder, SendResponse},
};
use http::Response;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Reads every request to its end and answers it RESOURCE_EXHAUSTED. It ends when this is dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Ok(Self { address, task })
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

async fn serve(stream: TcpStream) {
    let mut builder = Builder::new();
    builder
        .initial_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .max_frame_size(1 << 20)
        .max_pending_accept_reset_streams(1 << 20)
        .max_local_error_reset_streams(None);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(refuse(request.into_body(), respond));
    }
}

/// A failure is not reported: the attacker has gone.
async fn refuse(mut body: RecvStream, mut respond: SendResponse<Bytes>) {
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
    }
    let answer = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", "8")
        .body(())
        .unwrap();
    let _ = respond.send_response(answer, true);
}
