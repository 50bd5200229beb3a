//! `counterweight serve-model`, `serve-combiner` and `serve-journal`: parse, bind, and serve until a
//! stop signal.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use counterweight_combiner::{Combiner, Config};
use counterweight_feedback::FeedbackConfig;
use counterweight_journal::{PartStore, StoreOptions, UnitRule};
use counterweight_model_server::ServerConfig;
use counterweight_serving::{
    Drain, Exporting, Limits, Listener, Listeners, bind_tcp, ignore_file_size_limit, init_logging,
    shutdown_signal,
};

use crate::{output::print_lines, runtime::runtime};

const MIB: usize = 1 << 20;

/// How a server logs.
#[derive(Args)]
pub(crate) struct Logging {
    /// Log JSON objects instead of text. The variable COUNTERWEIGHT_LOG sets the level, such as
    /// `info` or `warn,counterweight_combiner=debug`.
    #[arg(long, env = "COUNTERWEIGHT_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Export spans to this OpenTelemetry collector (OTLP over gRPC), such as
    /// http://localhost:4317.
    #[cfg(feature = "otlp")]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
}

impl Logging {
    /// Starts logging and the export of spans. Call it within the runtime.
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
    /// The model repository: a folder with one folder per model, which has the name of the model.
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
    /// The gRPC address: HOST:PORT (port 0 chooses a free port) or unix:/PATH.
    #[arg(
        long,
        env = "COUNTERWEIGHT_LISTEN",
        default_value = "127.0.0.1:7001",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// The HTTP address of /metrics and /healthz: HOST:PORT [default: they are not served].
    #[arg(long, env = "COUNTERWEIGHT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// How often to look for new versions in the repository, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_POLL_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    poll_ms: u64,
    /// The maximum number of requests in flight; a further one is rejected with RESOURCE_EXHAUSTED.
    #[arg(long, env = "COUNTERWEIGHT_MAX_IN_FLIGHT", default_value_t = 256)]
    max_in_flight: usize,
    /// The largest request, in MiB.
    #[arg(long, env = "COUNTERWEIGHT_MAX_MESSAGE_MIB", default_value_t = 64)]
    max_message_mib: usize,
    /// The memory that requests and answers may use together, in MiB [default: a quarter of the
    /// memory that is available to the process].
    #[arg(long, env = "COUNTERWEIGHT_MEMORY_BUDGET_MIB")]
    memory_budget_mib: Option<usize>,
    /// The maximum number of open connections; a further one is closed at once.
    #[arg(long, env = "COUNTERWEIGHT_MAX_CONNECTIONS", default_value_t = 4096)]
    max_connections: usize,
    /// The maximum number of open response streams, such as watches of the health.
    #[arg(long, env = "COUNTERWEIGHT_MAX_STREAMS", default_value_t = 1024)]
    max_streams: usize,
    /// How long a request may take to arrive, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_READ_TIMEOUT_MS", default_value_t = 10_000)]
    read_timeout_ms: u64,
    /// How long a caller may leave an answer unread before its connection is closed, in
    /// milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_SEND_TIMEOUT_MS", default_value_t = 30_000)]
    send_timeout_ms: u64,
    /// How long requests in flight may take after a stop signal, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_DRAIN_TIMEOUT_MS", default_value_t = 10_000)]
    drain_timeout_ms: u64,
    /// How long to accept requests after a stop signal, while the health check already says
    /// NOT_SERVING, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_DRAIN_GRACE_MS", default_value_t = 0)]
    drain_grace_ms: u64,
    #[command(flatten)]
    logging: Logging,
}

impl ServeModel {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = ServerConfig {
            limits: self.limits(),
            models: self.models,
            poll_interval: Duration::from_millis(self.poll_ms),
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

impl ServeModel {
    fn limits(&self) -> Limits {
        let default = Limits::default();
        let budget = self.memory_budget_mib.map(|mib| mib.saturating_mul(MIB));
        Limits {
            memory_budget: budget.unwrap_or(default.memory_budget),
            max_message_bytes: self.max_message_mib.saturating_mul(MIB),
            max_concurrent_requests: self.max_in_flight,
            max_connections: self.max_connections,
            max_streams: self.max_streams,
            read_timeout: Duration::from_millis(self.read_timeout_ms),
            send_timeout: Duration::from_millis(self.send_timeout_ms),
            drain: Drain {
                grace: Duration::from_millis(self.drain_grace_ms),
                timeout: Duration::from_millis(self.drain_timeout_ms),
            },
        }
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
    /// The configuration file (TOML): objectives, the addresses of their models, profiles, and the
    /// weights store.
    #[arg(long, env = "COUNTERWEIGHT_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// The name of this combiner; it overrides `replica` in the configuration. Combiners that share
    /// a weights store need different names.
    #[arg(long, env = "COUNTERWEIGHT_REPLICA", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    replica: Option<String>,
    /// The gRPC address; it overrides `listen` in the configuration: HOST:PORT (port 0 chooses a
    /// free port) or unix:/PATH [default: that of the configuration, which is 127.0.0.1:7000 if
    /// unset].
    #[arg(long, env = "COUNTERWEIGHT_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// The HTTP address of /metrics and /healthz; it overrides `metrics_listen` in the
    /// configuration.
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
            ignore_file_size_limit()?;
            let listeners = bind(&config.listen, config.metrics_listen.as_deref()).await?;
            let shutdown = shutdown_signal();
            let combiner = Combiner::open(config).await?;
            print_lines(&format!("ranking on {}", listeners.grpc.address()?))?;
            let outcome = combiner.serve(listeners, shutdown).await;
            exporting.finish().await;
            Ok(outcome?)
        })
    }
}

/// Take events on a server of its own, apart from ranking.
#[derive(Args)]
pub(crate) struct ServeJournal {
    /// The folder of the event log.
    #[arg(long, env = "COUNTERWEIGHT_EVENTS", value_name = "DIR")]
    events: PathBuf,
    /// Accept only events of this type; may be given several times [default: all types].
    #[arg(
        long = "type",
        env = "COUNTERWEIGHT_EVENT_TYPES",
        value_name = "TYPE",
        value_delimiter = ','
    )]
    types: Vec<String>,
    /// How units are kept. It must be as in the request log, with the same key, or events that name
    /// only their unit cannot be joined with rankings.
    #[arg(long, env = "COUNTERWEIGHT_UNIT", default_value = "keyed-hash")]
    unit: UnitFlag,
    /// The file with the key of the hash; it is made if it does not exist [default: DIR.key].
    #[arg(long, env = "COUNTERWEIGHT_UNIT_KEY", value_name = "FILE")]
    unit_key: Option<PathBuf>,
    /// Upload the parts of the log to object storage: s3://BUCKET or s3://BUCKET/PREFIX. The
    /// credentials, and the region and the endpoint if they are not the usual ones, are in variables
    /// such as AWS_ACCESS_KEY_ID, AWS_REGION and AWS_ENDPOINT_URL [default: they stay in DIR].
    #[arg(long, env = "COUNTERWEIGHT_STORE", value_name = "URL")]
    store: Option<String>,
    /// The name of this server in the names of files.
    #[arg(long, env = "COUNTERWEIGHT_REPLICA", default_value = "journal", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    replica: String,
    /// The gRPC address: HOST:PORT (port 0 chooses a free port) or unix:/PATH.
    #[arg(
        long,
        env = "COUNTERWEIGHT_LISTEN",
        default_value = "127.0.0.1:7002",
        value_name = "ADDRESS"
    )]
    listen: String,
    /// The HTTP address of /metrics and /healthz: HOST:PORT [default: they are not served].
    #[arg(long, env = "COUNTERWEIGHT_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

/// How units are kept.
#[derive(Clone, Copy, ValueEnum)]
enum UnitFlag {
    /// By HMAC-SHA-256 under a key.
    KeyedHash,
    /// As they are sent.
    Raw,
    /// Not at all.
    None,
}

impl ServeJournal {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let keyed = match self.unit_key {
            Some(key) => UnitRule::KeyedHash(key),
            None => UnitRule::keyed_beside(&self.events),
        };
        let store = self.store.map(|url| {
            PartStore::open(&StoreOptions {
                url,
                ..StoreOptions::default()
            })
        });
        let config = FeedbackConfig {
            store: store.transpose()?,
            types: self.types.into_iter().collect(),
            unit: match self.unit {
                UnitFlag::KeyedHash => keyed,
                UnitFlag::Raw => UnitRule::Raw,
                UnitFlag::None => UnitRule::None,
            },
            ..FeedbackConfig::new(self.events)
        };
        runtime()?.block_on(async {
            let exporting = self.logging.start()?;
            ignore_file_size_limit()?;
            let listeners = bind(&self.listen, self.metrics_listen.as_deref()).await?;
            let shutdown = shutdown_signal();
            print_lines(&format!("taking events on {}", listeners.grpc.address()?))?;
            let limits = Limits::default();
            let serving =
                counterweight_feedback::serve(config, &self.replica, limits, listeners, shutdown);
            let outcome = serving.await;
            exporting.finish().await;
            Ok(outcome?)
        })
    }
}
