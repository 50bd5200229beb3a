//! `counterweight up`: the whole system on one machine, from a log to a ranked feed.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use counterweight_combiner::Config;
use counterweight_dataset::Dataset;
use counterweight_model::Artefact;
use counterweight_model_server::{Listener, ServerConfig};
use counterweight_ranking::symbol;
use counterweight_telemetry::{init_logging, shutdown_signal};
use counterweight_trainer::TrainOptions;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    WrongUse,
    output::{Output, line, note},
    runtime,
    serve::{Logging, bind},
    train::{How, parts_table, train_into},
};

/// Train the models if there are none, then serve them and the combiner on this machine.
#[derive(Args)]
pub(crate) struct Up {
    /// The dataset to train on (TOML).
    #[arg(
        long,
        env = "COUNTERWEIGHT_DATASET",
        default_value = "data/sample/dataset.toml",
        value_name = "FILE"
    )]
    dataset: PathBuf,
    /// The folder that the dataset's files are in [default: the description's folder].
    #[arg(long, env = "COUNTERWEIGHT_DATA_DIR", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the models are kept, one model folder per objective [default: models/ and the dataset's name].
    #[arg(long, env = "COUNTERWEIGHT_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,
    /// Where the weights log and the combiner's configuration are kept [default: var/ and the dataset's name].
    #[arg(long, env = "COUNTERWEIGHT_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where the combiner listens; port 0 takes a free one. The models listen on the ports after it.
    #[arg(
        long,
        env = "COUNTERWEIGHT_LISTEN",
        default_value = "127.0.0.1:7000",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Where the combiner's /metrics and /healthz listen; port 0 takes a free one.
    #[arg(
        long,
        env = "COUNTERWEIGHT_METRICS_LISTEN",
        default_value = "127.0.0.1:7080",
        value_name = "ADDRESS"
    )]
    metrics_listen: SocketAddr,
    /// Train again even where models are there.
    #[arg(long, env = "COUNTERWEIGHT_RETRAIN")]
    retrain: bool,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    logging: Logging,
}

impl Up {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let dataset = Dataset::open(&self.dataset, self.data.as_deref()).with_context(|| {
            format!("cannot use the dataset {}; run this in the project's folder or name one with --dataset", self.dataset.display())
        })?;
        let objectives: Vec<String> = dataset
            .objectives()
            .into_iter()
            .map(str::to_owned)
            .collect();
        if objectives.is_empty() {
            return Err(
                WrongUse(format!("{} has no [[objective]]", self.dataset.display())).into(),
            );
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
            // Bound before any training, so that a port in use is told at once.
            let bound = Bound::new(self.listen, self.metrics_listen, objectives.len()).await?;
            let trained =
                tokio::task::block_in_place(|| self.train_missing(&dataset, &objectives, &models))?;
            init_logging(self.logging.log_json)?;
            fs::create_dir_all(&state)
                .with_context(|| format!("cannot create {}", state.display()))?;
            let system = System {
                objectives,
                models,
                state,
                bound,
                trained,
            };
            system.serve(&self, output).await
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
                        "cannot use the model in {}; repair it, remove it, or call with --retrain",
                        folder.display()
                    )
                })?;
                note(&format!(
                    "{objective}: version {} is in {}",
                    artefact.version,
                    folder.display()
                ));
                continue;
            }
            let options: TrainOptions = self.how.options(&self.dataset, objective)?;
            let artefact = train_into(dataset, objective, &options, &folder)?;
            note(&format!(
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

/// The ports, all bound.
struct Bound {
    combiner: TcpListener,
    metrics: TcpListener,
    models: Vec<Listener>,
}

impl Bound {
    async fn new(listen: SocketAddr, metrics: SocketAddr, models: usize) -> anyhow::Result<Self> {
        let combiner = bind(&listen.to_string()).await?;
        let metrics = bind(&metrics.to_string()).await?;
        let mut listeners = Vec::with_capacity(models);
        for offset in 1..=models {
            let port = match listen.port() {
                0 => 0,
                port => u16::try_from(usize::from(port) + offset)
                    .context("--listen leaves no ports for the models")?,
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

/// All that is needed to serve.
struct System {
    objectives: Vec<String>,
    models: PathBuf,
    state: PathBuf,
    bound: Bound,
    trained: Vec<String>,
}

impl System {
    async fn serve(self, up: &Up, output: Output) -> anyhow::Result<()> {
        let combiner = self.bound.combiner.local_addr()?;
        let metrics = self.bound.metrics.local_addr()?;
        let addresses = self
            .bound
            .models
            .iter()
            .map(Listener::address)
            .collect::<Result<Vec<_>, _>>()?;
        let text = combiner_config(combiner, &self.objectives, &addresses);
        let path = self.state.join("combiner.toml");
        fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        let config = Config::read(&path)?;

        let (stop, stopped) = watch::channel(false);
        let until_stopped = || {
            let mut stopped = stopped.clone();
            async move {
                // An error means that whoever would say stop is gone, which is a stop too.
                let _ = stopped.wait_for(|stop| *stop).await;
            }
        };
        let mut servers: JoinSet<anyhow::Result<()>> = JoinSet::new();
        for (grpc, objective) in self.bound.models.into_iter().zip(&self.objectives) {
            let listeners = counterweight_model_server::Listeners {
                grpc,
                metrics: None,
            };
            let config = ServerConfig {
                models: vec![objective.clone()],
                ..ServerConfig::new(&self.models)
            };
            let serving = counterweight_model_server::serve(config, listeners, until_stopped());
            servers.spawn(async { Ok(serving.await?) });
        }
        let listeners = counterweight_combiner::Listeners {
            grpc: self.bound.combiner,
            metrics: Some(self.bound.metrics),
        };
        let serving = counterweight_combiner::serve(config, listeners, until_stopped());
        servers.spawn(async { Ok(serving.await?) });

        let welcome = json!({
            "combiner": combiner.to_string(),
            "metrics": format!("http://{metrics}/metrics"),
            "models": self.objectives.iter().cloned().zip(addresses.iter().map(|a| json!(a))).collect::<serde_json::Map<_, _>>(),
            "trained": self.trained,
            "config": path,
        });
        announce(&welcome, up, &self.objectives, output)?;

        let failed = tokio::select! {
            () = shutdown_signal() => None,
            ended = servers.join_next() => ended,
        };
        let _ = stop.send(true);
        let mut result = failed.map_or(Ok(()), |ended| match ended? {
            Ok(()) => bail!("a server stopped by itself"),
            error => error,
        });
        while let Some(ended) = servers.join_next().await {
            result = result.and(ended?);
        }
        result
    }
}

/// The configuration that `up` serves by, and that `serve-combiner` takes.
fn combiner_config(listen: SocketAddr, objectives: &[String], addresses: &[String]) -> String {
    let mut text = format!(
        "# Written by `counterweight up`; copy it and start from here: counterweight serve-combiner --config FILE\nlisten = \"{listen}\"\n\n[store]\npath = \"weights.log\"\n"
    );
    for (objective, address) in objectives.iter().zip(addresses) {
        let name = Value::from(objective.as_str());
        text.push_str(&format!(
            "\n[[objective]]\nname = {name}\n[objective.model]\nname = {name}\nendpoints = [\"http://{address}\"]\ntimeout_ms = 10000\n"
        ));
    }
    // The kill switch takes the default profile back to where it began.
    for set in ["weights", "safe"] {
        text.push_str(&format!("\n[profile.default.{set}]\n"));
        for (position, objective) in objectives.iter().enumerate() {
            // α = 1 and β = −1 until somebody who knows better turns them; a third objective waits to be turned on.
            let weight = match position {
                0 => "1.0",
                1 => "-1.0",
                _ => "0.0",
            };
            text.push_str(&format!(
                "{} = {weight} # {}\n",
                Value::from(objective.as_str()),
                symbol(position)
            ));
        }
    }
    text
}

/// Says what is served where, and how to use it.
fn announce(welcome: &Value, up: &Up, objectives: &[String], output: Output) -> anyhow::Result<()> {
    if output.is_json() {
        return line(&welcome.to_string());
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
    line(&format!(
        "\nCounterweight is up.\n  {:<18} {combiner} (counterweight.v1, reflection on)\n{}\n  {:<18} {}\n\n\
         Rank candidates, move β, rank again:\n  \
         counterweight rank {file}{address}\n  \
         counterweight weights set β=0{address}\n  \
         counterweight rank {file}{address}\n\n\
         Or with grpcurl:\n  \
         grpcurl -plaintext {combiner} counterweight.v1.WeightsService/GetWeights\n  \
         grpcurl -plaintext -d @ {combiner} counterweight.v1.RankingService/Rank < examples/grpcurl/rank.json\n\n\
         Ctrl-C stops all of it; the weights are kept in {}.",
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
    fn the_configuration_that_up_writes_is_one_that_the_combiner_takes() {
        let objectives = ["engagement", "engagement_bait", "a \"third\""].map(str::to_owned);
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned);
        let text = combiner_config("127.0.0.1:7000".parse().unwrap(), &objectives, &addresses);
        let config = Config::parse(&text, "combiner.toml", Path::new("var")).unwrap();
        assert_eq!(config.objectives.len(), 3);
        assert_eq!(config.profiles[0].weights.as_slice(), [1.0, -1.0, 0.0]);
    }
}
