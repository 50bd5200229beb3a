//! Connections of the command line to a running system, and what their errors say to a person.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use counterweight_proto::code_name;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

/// Large enough for 100,000 candidates with a few dozen features.
#[cfg(feature = "offline")]
pub(crate) const MESSAGE_LIMIT: usize = 256 << 20;

/// Where a combiner listens that was not told otherwise.
pub(crate) const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7000";

/// Where the combiner is.
#[derive(Args)]
pub(crate) struct Combiner {
    /// Address of the combiner.
    #[arg(
        long,
        env = "COUNTERWEIGHT_ADDRESS",
        default_value = DEFAULT_ADDRESS,
        value_name = "URL"
    )]
    pub(crate) address: String,
    /// How long to wait for an answer, in seconds.
    #[arg(long, env = "COUNTERWEIGHT_TIMEOUT", default_value_t = 10.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(seconds),
        _ => Err("give a number of seconds above 0 and up to 86400".to_owned()),
    }
}

impl Combiner {
    /// A connected channel whose calls end after the time-out.
    pub(crate) async fn connect(&self) -> anyhow::Result<Channel> {
        let timeout = Duration::from_secs_f64(self.timeout);
        self.endpoint()?
            .timeout(timeout)
            .connect()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// A connected channel for streams, which have no end.
    pub(crate) async fn connect_stream(&self) -> anyhow::Result<Channel> {
        self.endpoint()?
            .connect()
            .await
            .map_err(|error| self.unreachable(&error))
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
                    "--address {:?} is no URL; write for example http://127.0.0.1:7000",
                    self.address
                )
            })?
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs_f64(self.timeout)))
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> anyhow::Error {
        let cause =
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        anyhow!(
            "cannot reach the combiner at {}: {cause}; start it with `counterweight up` or name another with --address",
            self.address
        )
    }
}

/// An answer's error for a person: its code, its message, and the field or objective that it names.
pub(crate) fn explain(status: &Status) -> anyhow::Error {
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
    anyhow!("{}: {}{about}", code_name(status.code()), status.message())
}
