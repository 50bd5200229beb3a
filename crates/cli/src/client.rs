//! Connects to a running combiner, and turns its errors into text for people.

use std::{error::Error as _, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::Args;
use counterweight_proto::{code_name, error_chain};
use tonic::{
    Status, TimeoutExpired,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::{number::parse_number, output::escape};

/// The largest message, in bytes: enough for 100,000 candidates with a few dozen features.
#[cfg(feature = "offline")]
pub(crate) const MESSAGE_LIMIT: usize = 256 << 20;

/// The address on which a combiner listens by default.
pub(crate) const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7000";

/// How to reach the combiner.
#[derive(Args, Clone)]
pub(crate) struct Combiner {
    /// The address of the combiner.
    #[arg(
        long,
        env = "COUNTERWEIGHT_ADDRESS",
        default_value = DEFAULT_ADDRESS,
        value_name = "URL"
    )]
    pub(crate) address: String,
    /// How long to wait for an answer, in seconds.
    #[arg(long, env = "COUNTERWEIGHT_TIMEOUT", default_value_t = 10.0, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: f64,
}

/// A combiner that is asked only where its address is given.
#[cfg(feature = "offline")]
#[derive(Args)]
pub(crate) struct OptionalCombiner {
    /// The address of the combiner [default: no combiner is asked].
    #[arg(long, env = "COUNTERWEIGHT_ADDRESS", value_name = "URL")]
    address: Option<String>,
    /// How long to wait for an answer, in seconds.
    #[arg(long, env = "COUNTERWEIGHT_TIMEOUT", default_value_t = 10.0, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: f64,
}

#[cfg(feature = "offline")]
impl OptionalCombiner {
    /// The combiner, where its address is given.
    pub(crate) fn get(&self) -> Option<Combiner> {
        let address = self.address.clone()?;
        let timeout = self.timeout;
        Some(Combiner { address, timeout })
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    parse_number(text)
        .filter(|&seconds| seconds > 0.0 && seconds <= 86_400.0)
        .ok_or_else(|| "give a number of seconds above 0 and up to 86400".to_owned())
}

impl Combiner {
    /// Connects a channel whose calls end after the timeout.
    pub(crate) async fn connect(&self) -> anyhow::Result<Channel> {
        self.endpoint()?
            .timeout(self.timeout())
            .connect()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// Connects a channel for streams, whose calls have no timeout. If nothing arrives for the
    /// timeout, the client sends a keep-alive ping; without an answer within another timeout, the
    /// connection is lost.
    pub(crate) async fn connect_stream(&self) -> anyhow::Result<Channel> {
        self.endpoint()?
            .http2_keep_alive_interval(self.timeout())
            .keep_alive_timeout(self.timeout())
            .keep_alive_while_idle(true)
            .connect()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// The longest time that an answer may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout)
    }

    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let url = if self.address.contains("://") {
            self.address.clone()
        } else {
            format!("http://{}", self.address)
        };
        Ok(Endpoint::from_shared(url)
            .with_context(|| {
                format!(
                    "--address {:?} is not a URL: write for example http://127.0.0.1:7000",
                    self.address
                )
            })?
            .tcp_nodelay(true)
            .connect_timeout(self.timeout()))
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> anyhow::Error {
        anyhow!(
            "cannot reach the combiner at {}: {}; start it with `counterweight up` or give another address with --address",
            self.address,
            error_chain(error)
        )
    }
}

/// Turns a gRPC status into an error for people: its code, its message and its error details.
pub(crate) fn explain_status(status: &Status) -> anyhow::Error {
    // The client's own timeout, which no server sent.
    let mut causes = std::iter::successors(status.source(), |&cause| cause.source());
    if causes.any(|cause| cause.is::<TimeoutExpired>()) {
        return anyhow!(
            "there was no answer within --timeout; the server may still be starting, or has too much to do: try again, or wait longer"
        );
    }
    let about = status
        .get_details_error_info()
        .map(|info| {
            let mut pairs: Vec<String> = info
                .metadata
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            pairs.sort();
            format!(
                " [{}{}{}]",
                info.reason,
                if pairs.is_empty() { "" } else { ": " },
                pairs.join(", ")
            )
        })
        .unwrap_or_default();
    // The server sent both texts. Escaped, they cannot imitate lines of this program.
    anyhow!(
        "{}: {}{}",
        code_name(status.code()),
        escape(status.message()),
        escape(&about)
    )
}
