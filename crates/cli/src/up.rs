//! `counterweight up`: trains models from a dataset and serves the whole system on one machine.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use counterweight_combiner::{Combiner, Config};
use counterweight_dataset::Dataset;
use counterweight_files::write_file;
use counterweight_model::Artefact;
use counterweight_model_server::ServerConfig;
use counterweight_serving::{Listener, Listeners, bind_tcp, shutdown_signal};
use counterweight_trainer::TrainOptions;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    data::DatasetFile,
    output::{Output, print_lines, print_note},
    runtime::runtime,
    serve::Logging,
    train::{TrainingFlags, parts_table, train_into},
    usage::WrongUse,
};

/// Start the whole system on this machine; first train the models that are missing.
#[derive(Args)]
pub(crate) struct Up {
    /// The dataset file to train on (TOML).
    #[arg(
        long,
        env = "COUNTERWEIGHT_DATASET",
        default_value = "data/sample/dataset.toml",
        value_name = "FILE"
    )]
    dataset: PathBuf,
    /// The folder of the dataset's rows [default: the folder of the dataset file].
    #[arg(long, env = "COUNTERWEIGHT_DATA_DIR", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder of the models, with one model folder per objective [default: models/DATASET].
    #[arg(long, env = "COUNTERWEIGHT_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,
    /// The folder of the weights log and the combiner's configuration [default: var/DATASET].
    #[arg(long, env = "COUNTERWEIGHT_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// The address of the combiner; port 0 chooses a free port. The model servers listen on the
    /// ports that follow.
    #[arg(
        long,
        env = "COUNTERWEIGHT_LISTEN",
        default_value = "127.0.0.1:7000",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// The HTTP address of the combiner's /metrics and /healthz; port 0 chooses a free port.
    #[arg(
        long,
        env = "COUNTERWEIGHT_METRICS_LISTEN",
        default_value = "127.0.0.1:7080",
        value_name = "ADDRESS"
    )]
    metrics_listen: SocketAddr,
    /// Train all models again, even those that exist.
    #[arg(long)]
    retrain: bool,
    #[command(flatten)]
    training: TrainingFlags,
    #[command(flatten)]
    logging: Logging,
}

impl Up {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let dataset = Dataset::open(&self.dataset, self.data.as_deref()).with_context(|| {
            format!("cannot use the dataset {}; run this in the folder of the project, or give a dataset file with --dataset", self.dataset.display())
        })?;
        let objectives: Vec<String> = dataset
            .objectives()
            .into_iter()
            .map(str::to_owned)
            .collect();
        if objectives.is_empty() {
            return Err(WrongUse(format!(
                "{} has no [[objective]]; add at least one",
                self.dataset.display()
            ))
            .into());
        }
        let models = self
            .models
            .clone()
            .unwrap_or_else(|| Path::new("models").join(dataset.name()));
        let state = self
            .state
            .clone()
            .unwrap_or_else(|| Path::new("var").join(dataset.name()));
        runtime()?.block_on(async {
            // Bind before training, so that a port in use is reported at once.
            let ports = Ports::bind(self.listen, self.metrics_listen, objectives.len()).await?;
            let trained =
                tokio::task::block_in_place(|| self.train_missing(&dataset, &objectives, &models))?;
            let exporting = self.logging.start()?;
            fs::create_dir_all(&state)
                .with_context(|| format!("cannot create {}", state.display()))?;
            let system = System {
                objectives,
                models,
                state,
                ports,
                trained,
            };
            let outcome = system.serve(&self, output).await;
            exporting.finish().await;
            outcome
        })
    }

    /// Trains the objectives that have no model; returns the names of those that were trained.
    fn train_missing(
        &self,
        dataset: &Dataset,
        objectives: &[String],
        models: &Path,
    ) -> anyhow::Result<Vec<String>> {
        let mut trained = Vec::new();
        for objective in objectives {
            let folder = models.join(objective);
            if !self.retrain && folder.exists() {
                let artefact = Artefact::load(&folder).with_context(|| {
                    format!(
                        "cannot use the model in {}; repair it, remove it, or train again with --retrain",
                        folder.display()
                    )
                })?;
                print_note(&format!(
                    "{objective}: version {} is in {}",
                    artefact.version,
                    folder.display()
                ));
                continue;
            }
            let flag = DatasetFile::described(self.dataset.clone(), None).flag();
            let options: TrainOptions = self.training.options(&flag, objective)?;
            let artefact = train_into(dataset, objective, &options, &folder)?;
            print_note(&format!(
                "{objective}: trained version {} into {}\n{}",
                artefact.version,
                folder.display(),
                parts_table(&artefact.report.parts)
            ));
            trained.push(objective.clone());
        }
        Ok(trained)
    }
}

/// The sockets of all servers, already bound.
struct Ports {
    combiner: Listener,
    metrics: TcpListener,
    models: Vec<Listener>,
}

impl Ports {
    async fn bind(listen: SocketAddr, metrics: SocketAddr, models: usize) -> anyhow::Result<Self> {
        let combiner = Listener::bind(&listen.to_string()).await?;
        let metrics = bind_tcp(&metrics.to_string()).await?;
        let mut listeners = Vec::with_capacity(models);
        for offset in 1..=models {
            let port = match listen.port() {
                0 => 0,
                port => u16::try_from(usize::from(port) + offset).context(
                    "the model servers need the ports after that of --listen; give a lower port",
                )?,
            };
            let address = SocketAddr::new(listen.ip(), port).to_string();
            listeners.push(Listener::bind(&address).await?);
        }
        Ok(Self {
            combiner,
            metrics,
            models: listeners,
        })
    }
}

/// Everything that serving needs.
struct System {
    objectives: Vec<String>,
    models: PathBuf,
    state: PathBuf,
    ports: Ports,
    trained: Vec<String>,
}

impl System {
    async fn serve(self, up: &Up, output: Output) -> anyhow::Result<()> {
        let combiner = self.ports.combiner.address()?;
        let metrics = self.ports.metrics.local_addr()?;
        let addresses = self
            .ports
            .models
            .iter()
            .map(Listener::address)
            .collect::<Result<Vec<_>, _>>()?;
        let text = combiner_config(&combiner, &self.objectives, &addresses)?;
        let path = self.state.join("combiner.toml");
        write_file(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut config = Config::read(&path)?;
        // All servers run in this process and share its memory.
        let memory_budget = config.limits.memory_budget / (1 + self.objectives.len());
        config.limits.memory_budget = memory_budget;

        let (stop, stopped) = watch::channel(false);
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                // An error means that the sender was dropped, which also means stop.
                let _ = stopped.wait_for(|stop| *stop).await;
            }
        };
        let mut servers: JoinSet<anyhow::Result<()>> = JoinSet::new();
        for (grpc, objective) in self.ports.models.into_iter().zip(&self.objectives) {
            let listeners = Listeners {
                grpc,
                metrics: None,
            };
            let mut config = ServerConfig::new(&self.models);
            config.models = vec![objective.clone()];
            config.limits.memory_budget = memory_budget;
            let serving = counterweight_model_server::serve(config, listeners, until_stopped());
            servers.spawn(async { Ok(serving.await?) });
        }
        let listeners = Listeners {
            grpc: self.ports.combiner,
            metrics: Some(self.ports.metrics),
        };
        let combiner_open = Combiner::open(config).await?;
        let serving = combiner_open.serve(listeners, until_stopped());
        servers.spawn(async { Ok(serving.await?) });

        let welcome = json!({
            "combiner": combiner,
            "metrics": format!("http://{metrics}/metrics"),
            "models": self.objectives.iter().cloned().zip(addresses.iter().map(|a| json!(a))).collect::<serde_json::Map<_, _>>(),
            "trained": self.trained,
            "config": path,
        });
        let shutdown = shutdown_signal();
        announce(&welcome, up, &self.objectives, output)?;

        let failed = tokio::select! {
            () = shutdown => None,
            ended = servers.join_next() => ended,
        };
        let _ = stop.send(true);
        let mut result = failed.map_or(Ok(()), |ended| match ended? {
            Ok(()) => bail!("a server stopped unexpectedly"),
            error => error,
        });
        while let Some(ended) = servers.join_next().await {
            result = result.and(ended?);
        }
        result
    }
}

/// The configuration of the combiner that `up` starts; `serve-combiner` accepts it, too.
fn combiner_config(
    listen: &str,
    objectives: &[String],
    addresses: &[String],
) -> anyhow::Result<String> {
    let sources = objectives.iter().zip(addresses).map(|(name, address)| {
        let endpoint = format!("http://{address}");
        json!({
            "name": name,
            "model": { "name": name, "endpoints": [endpoint], "timeout_ms": 10_000 },
        })
    });
    // Start with α = 1 and β = −1. Further objectives start at 0, which turns them off.
    let first = |position: usize| [1.0, -1.0].get(position).copied().unwrap_or(0.0);
    let weights: serde_json::Map<_, _> = objectives
        .iter()
        .enumerate()
        .map(|(position, name)| (name.clone(), json!(first(position))))
        .collect();
    let config = toml::to_string(&json!({
        "listen": listen,
        "store": { "path": "weights.log" },
        // Parts that can be joined come after a minute.
        "request_log": { "path": "request-log", "part_minutes": 1 },
        "feedback": { "path": "event-log", "part_minutes": 1 },
        "objective": sources.collect::<Vec<_>>(),
        // `weights kill` restores these first weights.
        "profile": { "default": { "weights": weights, "safe": weights } },
    }))?;
    Ok(format!(
        "# `counterweight up` writes this file at each start. Copy it to change it: counterweight serve-combiner --config FILE\n\
         # α is the weight of the first objective, β that of the second.\n{config}"
    ))
}

/// Prints the addresses of all servers, and commands to try.
fn announce(welcome: &Value, up: &Up, objectives: &[String], output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        return print_lines(&welcome.to_string());
    }
    let text = |key: &str| welcome[key].as_str().unwrap_or_default().to_owned();
    let combiner = text("combiner");
    let address = if up.listen.port() == 7000 {
        String::new()
    } else {
        format!(" --address http://{combiner}")
    };
    let models: Vec<String> = objectives
        .iter()
        .map(|objective| {
            format!(
                "  {:<18} {} (Open Inference Protocol)",
                objective,
                welcome["models"][objective].as_str().unwrap_or_default()
            )
        })
        .collect();
    let sample = Path::new("data/sample/candidates.ndjson");
    let file = if up.dataset.starts_with("data/sample") {
        sample.display().to_string()
    } else {
        "FILE --id COLUMN".to_owned()
    };
    print_lines(&format!(
        "\nCounterweight is up.\n  {:<18} {combiner} (counterweight.v1, reflection on)\n{}\n  {:<18} {}\n\n\
         Rank candidates, move β, rank again:\n  \
         counterweight rank {file}{address}\n  \
         counterweight weights set β=0{address}\n  \
         counterweight rank {file}{address}\n\n\
         Or with grpcurl:\n  \
         grpcurl -plaintext {combiner} counterweight.v1.WeightsService/GetWeights\n  \
         grpcurl -plaintext -d @ {combiner} counterweight.v1.RankingService/Rank < examples/grpcurl/rank.json\n\n\
         Ctrl-C stops everything; the weights are kept in {}.",
        "combiner",
        models.join("\n"),
        "metrics",
        text("metrics"),
        Path::new(&text("config"))
            .with_file_name("weights.log")
            .display(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_combiner_accepts_the_configuration_that_up_writes() {
        let objectives =
            ["engagement", "engagement_bait", "a \"third\" \u{301}\u{7f}"].map(str::to_owned);
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned);
        let text = combiner_config("127.0.0.1:7000", &objectives, &addresses).unwrap();
        let config = Config::parse(&text, "combiner.toml", Path::new("var")).unwrap();
        assert_eq!(config.objectives.len(), 3);
        assert_eq!(config.profiles[0].weights.as_slice(), [1.0, -1.0, 0.0]);
    }
}
