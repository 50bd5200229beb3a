//! Sends the requests. Messages are encoded before the run and answers are not decoded, so that a
//! run measures the server and not the generator.

use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use counterweight_proto::{Unary, error_chain};
use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout_at};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

use crate::LoadError;

/// Large enough for the answers of many requests, so that flow control does not limit the run.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Large enough for a typical answer in one frame.
const MAX_FRAME: u32 = 1 << 20;
const LARGEST_ANSWER: usize = 256 << 20;

/// Opens `channels` separate connections.
pub(crate) async fn connect(address: &str, channels: usize) -> Result<Vec<Channel>, LoadError> {
    let uri = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let refuse = |reason: String| LoadError::Address {
        address: address.to_owned(),
        reason,
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|error| refuse(error.to_string()))?;
    if endpoint.uri().scheme_str() != Some("http") {
        return Err(refuse("only http is supported".to_owned()));
    }
    let endpoint = endpoint
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(5))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME);
    let mut connected = Vec::with_capacity(channels);
    for _ in 0..channels {
        let channel = endpoint
            .connect()
            .await
            .map_err(|error| LoadError::Connect {
                address: address.to_owned(),
                reason: error_chain(&error),
            })?;
        connected.push(channel);
    }
    Ok(connected)
}

/// One connection, ready to send encoded messages to one method.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    grpc: Grpc<Unary<Channel>>,
    path: PathAndQuery,
}

impl Caller {
    pub(crate) fn new(channel: Channel, path: PathAndQuery) -> Self {
        let grpc = Grpc::new(Unary(channel)).max_decoding_message_size(LARGEST_ANSWER);
        Self { grpc, path }
    }

    /// Sends one encoded message and returns the encoded answer, or DEADLINE_EXCEEDED if no answer
    /// has arrived by `deadline`.
    pub(crate) async fn call(
        &mut self,
        message: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Status> {
        let exceeded = || Status::deadline_exceeded("no answer within the timeout");
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(exceeded());
        }
        let answer = timeout_at(deadline, self.send(message, left)).await;
        match answer.unwrap_or_else(|_| Err(exceeded())) {
            // If tonic's own clock for `grpc-timeout` expires just before ours, it returns
            // CANCELLED.
            Err(status)
                if status.code() == Code::Cancelled
                    && Instant::now() + Duration::from_millis(2) >= deadline =>
            {
                Err(exceeded())
            }
            answer => answer,
        }
    }

    async fn send(&mut self, message: Bytes, timeout: Duration) -> Result<Bytes, Status> {
        self.grpc
            .ready()
            .await
            .map_err(|error| Status::unavailable(error_chain(&*error)))?;
        let codec = Encoded(message.len());
        let mut request = Request::new(message);
        request.set_timeout(timeout);
        let answer = self.grpc.unary(request, self.path.clone(), codec).await?;
        Ok(answer.into_inner())
    }
}

/// A codec for encoded messages, with the length of the message to send.
#[derive(Debug, Clone, Copy)]
struct Encoded(usize);

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        let header = 5;
        BufferSettings::new(self.0 + header, usize::MAX)
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
