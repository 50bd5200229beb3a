//! `counterweight serve-model` and `serve-combiner`: parse, bind, and serve until a stop signal.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use counterweight_combiner::Config;
use counterweight_model_server::ServerConfig;
use counterweight_serving::{
    Exporting, Listener, Listeners, bind_tcp, init_logging, shutdown_signal,
};

use crate::{output::print_lines, runtime::runtime};

/// How a server logs.
#[derive(Args)]
pub(crate) struct Logging {
    /// Log JSON objects instead of text. The variable COUNTERWEIGHT_LOG sets the level, as `info`
    /// or
    /// `warn,counterweight_combiner=debug`.
    #[arg(long, env = "COUNTERWEIGHT_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Export spans to this OpenTelemetry collector (OTLP over gRPC), such as
    /// http://localhost:4317.
    #[cfg(feature = "otlp")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
}

impl Logging {
    /// Starts to log, and to export spans. Call it within the runtime.
    pub(crate) fn start(&self) -> anyhow::Result<Exporting> {
        #[cfg(feature = "otlp")]
        let endpoint = self.otlp_endpoint.as_deref();
        #[cfg(not(feature = "otlp"))]
        let endpoint = None;
        Ok(init_logging(self.log_json, endpoint)?)
    }
}

/// Serve trained models over the Open Inference Protocol.
#[derive(Args)]
pub(crate) struct ServeModel {
    /// The model repository: a folder with one model folder per model, of the name of the model.
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
    /// Where gRPC listens: HOST:PORT (port 0 takes a free port) or unix:/PATH.
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
    /// How often to look for new versions in the repository, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_POLL_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    poll_ms: u64,
    /// The most requests at one time; further ones are answered RESOURCE_EXHAUSTED at once.
    #[arg(long, env = "COUNTERWEIGHT_MAX_IN_FLIGHT", default_value_t = 256)]
    max_in_flight: usize,
    /// The largest request, in MiB.
    #[arg(long, env = "COUNTERWEIGHT_MAX_MESSAGE_MIB", default_value_t = 64)]
    max_message_mib: usize,
    /// How long to take requests after a stop signal, while the health check already says
    /// NOT_SERVING, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_DRAIN_GRACE_MS", default_value_t = 0)]
    drain_grace_ms: u64,
    #[command(flatten)]
    logging: Logging,
}

impl ServeModel {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = ServerConfig {
            models: self.models,
            poll_interval: Duration::from_millis(self.poll_ms),
            max_in_flight: self.max_in_flight,
            max_message_bytes: self.max_message_mib << 20,
            drain_grace: Duration::from_millis(self.drain_grace_ms),
            ..ServerConfig::new(&self.repository)
        };
        runtime()?.block_on(async {
            let exporting = self.logging.start()?;
            let listeners = bind(&self.listen, self.metrics_listen.as_deref()).await?;
            let shutdown = shutdown_signal();
            print_lines(&format!(
                "serving the models of {} on {}",
                self.repository.display(),
                listeners.grpc.address()?
            ))?;
            let outcome = counterweight_model_server::serve(config, listeners, shutdown).await;
            exporting.finish().await;
            Ok(outcome?)
        })
    }
}

/// Binds the sockets of a server.
async fn bind(grpc: &str, metrics: Option<&str>) -> anyhow::Result<Listeners> {
    Ok(Listeners {
        grpc: Listener::bind(grpc).await?,
        metrics: match metrics {
            Some(address) => Some(bind_tcp(address).await?),
            None => None,
        },
    })
}

/// Serve ranking with weights that can be changed while it runs.
#[derive(Args)]
pub(crate) struct ServeCombiner {
    /// The configuration (TOML): objectives, the addresses of their models, profiles, the weights
    /// store.
    #[arg(long, env = "COUNTERWEIGHT_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// The name of this combiner, in place of `replica` in the configuration; combiners that share
    /// a weights store need different names.
    #[arg(long, env = "COUNTERWEIGHT_REPLICA", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    replica: Option<String>,
    /// Where gRPC listens, in place of `listen` in the configuration: HOST:PORT (port 0 takes a
    /// free port) or unix:/PATH.
    #[arg(long, env = "COUNTERWEIGHT_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where /metrics and /healthz listen, in place of `metrics_listen` in the configuration.
    #[arg(long, env = "COUNTERWEIGHT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

impl ServeCombiner {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut config = Config::read(&self.config)?;
        config.replica = self.replica.unwrap_or(config.replica);
        config.listen = self.listen.unwrap_or(config.listen);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        runtime()?.block_on(async {
            let exporting = self.logging.start()?;
            let listeners = bind(&config.listen, config.metrics_listen.as_deref()).await?;
            let shutdown = shutdown_signal();
            print_lines(&format!("ranking on {}", listeners.grpc.address()?))?;
            let outcome = counterweight_combiner::serve(config, listeners, shutdown).await;
            exporting.finish().await;
            Ok(outcome?)
        })
    }
}
