//! The servers of one model: taken in turn, and one that failed a moment ago is tried last.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use counterweight_proto::{
    Unary, inference::grpc_inference_service_client::GrpcInferenceServiceClient,
};
use tonic::transport::{self, Channel};

use crate::error::CombinerError;

/// How long an endpoint that failed is tried only after the others.
const SUSPECT: Duration = Duration::from_secs(1);
/// Wide enough for thousands of candidates in one flight; the default of 64 KiB is filled by 500 × 32 floats.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// One frame for a whole usual answer.
const MAX_FRAME: u32 = 1 << 20;
/// A dead peer that closes nothing is noticed after interval and timeout.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// One server.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: String,
    client: GrpcInferenceServiceClient<Unary<Channel>>,
    /// Milliseconds since `Endpoints::born`; until then it is tried last.
    suspect_until: AtomicU64,
}

/// All servers of one model.
#[derive(Debug)]
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    next: AtomicUsize,
    born: Instant,
}

impl Endpoints {
    /// Prepares the channels; each connects when it is first used.
    pub(super) fn new(
        addresses: &[String],
        connect_timeout: Duration,
        max_message_bytes: usize,
    ) -> Result<Self, CombinerError> {
        let all = addresses
            .iter()
            .map(|address| {
                let endpoint = transport::Endpoint::from_shared(address.clone())
                    .map_err(|error| CombinerError::Internal {
                        what: format!("{address}: {error}"),
                    })?
                    .tcp_nodelay(true)
                    .connect_timeout(connect_timeout)
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .max_frame_size(MAX_FRAME)
                    .http2_keep_alive_interval(KEEP_ALIVE)
                    .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
                let client = GrpcInferenceServiceClient::new(Unary(endpoint.connect_lazy()))
                    .max_decoding_message_size(max_message_bytes)
                    .max_encoding_message_size(max_message_bytes);
                Ok(Endpoint {
                    address: address.clone(),
                    client,
                    suspect_until: AtomicU64::new(0),
                })
            })
            .collect::<Result<_, CombinerError>>()?;
        Ok(Self {
            all,
            next: AtomicUsize::new(0),
            born: Instant::now(),
        })
    }

    /// Every endpoint once, beginning with the one whose turn it is; suspects come last.
    pub(super) fn in_turn(&self) -> Vec<&Endpoint> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
        let mut order: Vec<&Endpoint> =
            self.all[first..].iter().chain(&self.all[..first]).collect();
        if order.len() > 1 {
            let now = self.now();
            order.sort_by_key(|endpoint| endpoint.suspect_until.load(Ordering::Relaxed) > now);
        }
        order
    }

    /// Says how a call to the endpoint went.
    pub(super) fn report(&self, endpoint: &Endpoint, answered: bool) {
        let before = endpoint.suspect_until.load(Ordering::Relaxed);
        if answered {
            if before != 0 {
                endpoint.suspect_until.store(0, Ordering::Relaxed);
                tracing::info!(
                    endpoint = endpoint.address,
                    "the model server answers again"
                );
            }
        } else {
            if before == 0 {
                tracing::warn!(
                    endpoint = endpoint.address,
                    "the model server does not answer"
                );
            }
            let until = self.now() + u64::try_from(SUSPECT.as_millis()).unwrap_or(u64::MAX);
            endpoint.suspect_until.store(until, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Endpoint {
    /// A client on the endpoint's one channel.
    pub(super) fn client(&self) -> GrpcInferenceServiceClient<Unary<Channel>> {
        self.client.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn endpoints_take_turns_and_suspects_come_last() {
        let addresses = ["http://a:1", "http://b:1", "http://c:1"].map(str::to_owned);
        let endpoints = Endpoints::new(&addresses, Duration::from_secs(1), 1 << 20).unwrap();
        let firsts: Vec<_> = (0..4)
            .map(|_| endpoints.in_turn()[0].address.clone())
            .collect();
        assert_eq!(
            firsts,
            ["http://a:1", "http://b:1", "http://c:1", "http://a:1"]
        );
        let bad = &endpoints.all[1];
        endpoints.report(bad, false);
        for _ in 0..4 {
            let order = endpoints.in_turn();
            assert_eq!(order.len(), 3);
            assert_eq!(order[2].address, "http://b:1");
        }
        endpoints.report(bad, true);
        assert!((0..3).any(|_| endpoints.in_turn()[0].address == "http://b:1"));
    }
}
