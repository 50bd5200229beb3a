//! `counterweight serve-model` and `serve-combiner`: parse, bind, and serve until Ctrl-C or SIGTERM.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use counterweight_combiner::Config;
use counterweight_model_server::{Listener, Listeners, ServerConfig};
use counterweight_telemetry::{init_logging, shutdown_signal};

use crate::{output::line, runtime};

/// How a server logs.
#[derive(Args)]
pub(crate) struct Logging {
    /// Log JSON objects instead of text. COUNTERWEIGHT_LOG sets the level, as `info` or `warn,counterweight_combiner=debug`.
    #[arg(long, env = "COUNTERWEIGHT_LOG_JSON")]
    pub(crate) log_json: bool,
}

/// Serve trained models over the Open Inference Protocol.
#[derive(Args)]
pub(crate) struct ServeModel {
    /// The model repository: a folder that holds one model folder per model, named as the model.
    #[arg(long, env = "COUNTERWEIGHT_REPOSITORY", value_name = "DIR")]
    repository: PathBuf,
    /// Serve only this model of the repository; may be given several times [default: all].
    #[arg(
        long = "model",
        env = "COUNTERWEIGHT_MODEL",
        value_name = "NAME",
        value_delimiter = ','
    )]
    models: Vec<String>,
    /// Where gRPC listens: HOST:PORT (port 0 takes a free one) or unix:/PATH.
    #[arg(
        long,
        env = "COUNTERWEIGHT_LISTEN",
        default_value = "127.0.0.1:7001",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// Where /metrics and /healthz listen: HOST:PORT [default: nowhere].
    #[arg(long, env = "COUNTERWEIGHT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// How often the repository is looked through for new versions, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_POLL_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    poll_ms: u64,
    /// Requests in work at one time; one more is answered RESOURCE_EXHAUSTED at once.
    #[arg(long, env = "COUNTERWEIGHT_MAX_IN_FLIGHT", default_value_t = 256)]
    max_in_flight: usize,
    /// Largest request, in MiB.
    #[arg(long, env = "COUNTERWEIGHT_MAX_MESSAGE_MIB", default_value_t = 64)]
    max_message_mib: usize,
    /// How long requests are still taken after a stop signal while health says NOT_SERVING, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_DRAIN_GRACE_MS", default_value_t = 0)]
    drain_grace_ms: u64,
    #[command(flatten)]
    logging: Logging,
}

impl ServeModel {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        init_logging(self.logging.log_json)?;
        let config = ServerConfig {
            models: self.models,
            poll_interval: Duration::from_millis(self.poll_ms),
            max_in_flight: self.max_in_flight,
            max_message_bytes: self.max_message_mib << 20,
            drain_grace: Duration::from_millis(self.drain_grace_ms),
            ..ServerConfig::new(&self.repository)
        };
        runtime()?.block_on(async {
            let listeners = Listeners {
                grpc: Listener::bind(&self.listen).await?,
                metrics: match &self.metrics_listen {
                    Some(address) => Some(bind(address).await?),
                    None => None,
                },
            };
            line(&format!(
                "serving the models of {} on {}",
                self.repository.display(),
                listeners.grpc.address()?
            ))?;
            Ok(counterweight_model_server::serve(config, listeners, shutdown_signal()).await?)
        })
    }
}

/// Binds a TCP port, or says why not and what to do.
pub(crate) async fn bind(address: &str) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {address}: {error}; choose another address, or port 0 for a free one"))
}

/// Serve ranking and live weights.
#[derive(Args)]
pub(crate) struct ServeCombiner {
    /// The combiner's configuration (TOML): objectives, where their models are, profiles, the weights store.
    #[arg(long, env = "COUNTERWEIGHT_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// This combiner's name, over the configuration's `replica`; each that shares a weights store needs its own.
    #[arg(long, env = "COUNTERWEIGHT_REPLICA", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    replica: Option<String>,
    /// Where gRPC listens, over the configuration's `listen`; port 0 takes a free one.
    #[arg(long, env = "COUNTERWEIGHT_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where /metrics and /healthz listen, over the configuration's `metrics_listen`.
    #[arg(long, env = "COUNTERWEIGHT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    logging: Logging,
}

impl ServeCombiner {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        init_logging(self.logging.log_json)?;
        let mut config = Config::read(&self.config)?;
        config.replica = self.replica.unwrap_or(config.replica);
        config.listen = self.listen.unwrap_or(config.listen);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        runtime()?.block_on(async {
            let listeners = counterweight_combiner::Listeners {
                grpc: bind(&config.listen.to_string()).await?,
                metrics: match config.metrics_listen {
                    Some(address) => Some(bind(&address.to_string()).await?),
                    None => None,
                },
            };
            line(&format!("ranking on {}", listeners.grpc.local_addr()?))?;
            Ok(counterweight_combiner::serve(config, listeners, shutdown_signal()).await?)
        })
    }
}
