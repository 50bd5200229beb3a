//! One HTTP/2 connection that sends any bytes, also wrong ones.

use std::{future::poll_fn, io, time::Duration};

use bytes::Bytes;
use h2::{
    SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::Request;
use tokio::task::JoinHandle;
use tonic::Status;

use super::{control::Control, seen::Answer, socket::Socket};

/// One call as it goes over the wire.
#[derive(Debug, Clone)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The gRPC frames of the body.
    pub body: Bytes,
    /// The value of `grpc-encoding`; empty sends none.
    pub encoding: &'static str,
    /// The deadline that is sent.
    pub timeout: Option<Duration>,
    /// True for a method that answers with a stream; only its start is waited for.
    pub streams: bool,
}

impl Call {
    /// A unary call without a deadline.
    #[must_use]
    pub fn new(path: &'static str, message: &[u8]) -> Self {
        Self {
            path,
            body: frame(false, message),
            encoding: "",
            timeout: None,
            streams: false,
        }
    }

    /// The same call with a deadline.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }
}

/// A message as a gRPC frame.
pub(super) fn frame(compressed: bool, message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    let head = [u8::from(compressed)];
    [&head[..], &length.to_be_bytes(), message].concat().into()
}

/// A connection; it is closed when this is dropped.
#[derive(Debug)]
pub struct Connection {
    requests: SendRequest<Bytes>,
    address: String,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// How many bytes of each answer the server may send before they are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    Open,
    Closed,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// The server does not accept the connection or does not speak HTTP/2.
    pub async fn open(address: &str, control: &Control) -> io::Result<Self> {
        Self::with_window(address, control, Window::Open).await
    }

    pub(super) async fn with_window(
        address: &str,
        control: &Control,
        window: Window,
    ) -> io::Result<Self> {
        let socket = Socket::connect(address, control).await?;
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .max_send_buffer_size(64 << 20)
            .max_concurrent_reset_streams(1 << 16)
            .initial_connection_window_size(64 << 20)
            .initial_window_size(match window {
                Window::Open => 4 << 20,
                Window::Closed => 0,
            });
        let (requests, connection) = builder.handshake(socket).await.map_err(io::Error::other)?;
        let driver = tokio::spawn(async move {
            // The calls see the error.
            let _ = connection.await;
        });
        Ok(Self {
            requests,
            address: address.to_owned(),
            driver,
        })
    }

    /// Sends the headers of a call, once the server allows another stream.
    pub(super) async fn begin(
        &mut self,
        call: &Call,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        poll_fn(|context| self.requests.poll_ready(context)).await?;
        let mut request = Request::post(format!("http://{}{}", self.address, call.path))
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        if !call.encoding.is_empty() {
            request = request.header("grpc-encoding", call.encoding);
        }
        if let Some(timeout) = call.timeout {
            request = request.header("grpc-timeout", format!("{}m", timeout.as_millis()));
        }
        self.requests.send_request(request.body(()).unwrap(), false)
    }

    /// Sends a whole call, and returns the answer that is to come.
    pub(super) async fn send(
        &mut self,
        call: &Call,
    ) -> Result<impl Future<Output = Result<Answer, h2::Error>> + Send + 'static, h2::Error> {
        let (response, mut body) = self.begin(call).await?;
        let sent = body.send_data(call.body.clone(), true);
        let streams = call.streams;
        Ok(async move {
            // The server may answer before it has read the body; then the answer counts.
            let answer = answer(response, streams).await;
            match (answer, sent) {
                (Err(_), Err(error)) => Err(error),
                (answer, _) => answer,
            }
        })
    }

    /// Makes a whole call and waits for its answer.
    ///
    /// # Errors
    /// The stream was reset or the connection ended.
    pub async fn call(&mut self, call: &Call) -> Result<Answer, h2::Error> {
        self.send(call).await?.await
    }
}

/// Waits for the status of an answer and reads over its messages. The first headers of a stream
/// are enough.
pub(super) async fn answer(response: ResponseFuture, streams: bool) -> Result<Answer, h2::Error> {
    let response = response.await?;
    if let Some(status) = Status::from_header_map(response.headers()) {
        return Ok(status_answer(status));
    }
    if streams {
        return Ok(Answer::ok());
    }
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let status = Status::from_header_map(&trailers);
    Ok(status_answer(status.unwrap_or_else(|| {
        Status::unknown("the answer has no status")
    })))
}

fn status_answer(status: Status) -> Answer {
    match status.code() {
        tonic::Code::Ok => Answer::ok(),
        _ => status.into(),
    }
}
