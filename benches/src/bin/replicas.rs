//! What a change of weights costs: until it is acknowledged, and from then until a watcher has it.
//! Over the embedded store with one combiner; and over NATS with three, where it is written at the
//! first and watched at the last.
//!
//! Every server is a process of the release binary on a free port; `docs/performance.md` has the
//! command.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use counterweight_benches::{
    Figure, Process, p50_and_p99,
    program::{self, print},
    spawn,
};
use counterweight_proto::counterweight::v1::{
    Cause, ObjectiveWeight, ProfileChange, SetWeightsRequest, WatchWeightsRequest,
    WatchWeightsResponse, weights_service_client::WeightsServiceClient,
};
use tempfile::TempDir;
use tonic::{Streaming, transport::Channel};

/// What a change may take from its acknowledgement until a watcher has it, at the 99th percentile,
/// in milliseconds.
const AIM_MS: f64 = 10.0;
const COMBINERS: usize = 3;

/// Measures changes of weights.
#[derive(Debug, Parser)]
struct Args {
    /// The `counterweight` binary [default: beside this program].
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A NATS server, 2.15 or newer [default: only the embedded store is measured].
    #[arg(long, value_name = "FILE")]
    nats_server: Option<PathBuf>,
    /// Runs; the table shows their median and extremes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Changes of one run, one after the other, after a tenth as many to warm up.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(10..))]
    changes: u32,
}

fn main() -> ExitCode {
    program::run(bench(&Args::parse()))
}

/// Whether the aim is met.
async fn bench(args: &Args) -> Result<bool> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("counterweight"),
    };
    let mut places = vec![("embedded, one combiner", Place::embedded(&binary)?)];
    if let Some(server) = &args.nats_server {
        places.push(("NATS, three combiners", Place::nats(&binary, server)?));
    }
    print(
        "| store | acknowledged p50, ms | p99, ms | visible after that p50, ms | p99, ms |\n|---|---:|---:|---:|---:|",
    );
    let mut met = true;
    for (name, place) in &places {
        let mut line = Line::open(place).await?;
        line.run(args.changes / 10).await?;
        let mut runs = Vec::new();
        for _ in 0..args.runs {
            let (acknowledged, visible) = line.run(args.changes).await?;
            runs.push([p50_and_p99(acknowledged), p50_and_p99(visible)].concat());
        }
        let figures = [0, 1, 2, 3].map(|at| Figure::from_runs(runs.iter().map(|run| run[at])));
        let cells = figures.map(|figure| figure.cell(3));
        print(&format!("| {name} | {} |", cells.join(" | ")));
        met &= figures[3].median <= AIM_MS;
    }
    if !met {
        print(&format!(
            "missed: a change is to be visible within {AIM_MS} ms at p99"
        ));
    }
    Ok(met)
}

/// The servers of one case. They end when this is dropped.
struct Place {
    combiners: Vec<SocketAddr>,
    _processes: Vec<Process>,
    _nats: Option<Nats>,
    _folder: TempDir,
}

struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    fn embedded(binary: &Path) -> Result<Self> {
        Self::start(binary, 1, "", None, tempfile::tempdir()?)
    }

    fn nats(binary: &Path, server: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let configuration = folder.path().join("nats.conf");
        let at = folder.path();
        let text = format!(
            "listen: \"127.0.0.1:-1\"\nports_file_dir: {at:?}\njetstream {{ store_dir: {:?}, sync_interval: always }}\n",
            at.join("nats")
        );
        fs::write(&configuration, text)?;
        let child = Command::new(server)
            .arg("-c")
            .arg(&configuration)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", server.display()))?;
        let ports = at.join(format!("nats-server_{}.ports", child.id()));
        let nats = Nats(child);
        let begun = Instant::now();
        let url = loop {
            let text = fs::read_to_string(&ports).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(url) = ports["nats"][0].as_str() {
                break url.to_owned();
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(30),
                "nats-server does not listen"
            );
            thread::sleep(Duration::from_millis(10));
        };
        let store = format!("nats = {url:?}\n");
        Self::start(binary, COMBINERS, &store, Some(nats), folder)
    }

    fn start(
        binary: &Path,
        combiners: usize,
        store: &str,
        nats: Option<Nats>,
        folder: TempDir,
    ) -> Result<Self> {
        let (mut addresses, mut processes) = (Vec::new(), Vec::new());
        for combiner in 0..combiners {
            let configuration = folder.path().join(format!("{combiner}.toml"));
            let text = format!(
                "replica = \"{combiner}\"\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{combiner}.log\"\n{store}\
                 [[objective]]\nname = \"engagement\"\n[objective.column]\nname = \"p\"\n[profile.default]\nweights = {{ engagement = 1.0 }}\n"
            );
            fs::write(&configuration, text)?;
            let mut command = Command::new(binary);
            let command = command
                .args(["serve-combiner", "--config"])
                .arg(&configuration);
            let (process, address) = spawn(command)?;
            addresses.push(address);
            processes.push(process);
        }
        Ok(Self {
            combiners: addresses,
            _processes: processes,
            _nats: nats,
            _folder: folder,
        })
    }
}

/// A writer at the first combiner and a watcher at the last.
struct Line {
    writer: WeightsServiceClient<Channel>,
    watcher: Streaming<WatchWeightsResponse>,
}

impl Line {
    async fn open(place: &Place) -> Result<Self> {
        let (first, last) = (
            place.combiners[0],
            place.combiners[place.combiners.len() - 1],
        );
        let mut watcher = client(last).await?;
        let from_now = WatchWeightsRequest { from_revision: 1 };
        Ok(Self {
            writer: client(first).await?,
            watcher: watcher.watch_weights(from_now).await?.into_inner(),
        })
    }

    /// Times until the acknowledgement, and from there until the watcher has the change; none where
    /// it had it before.
    async fn run(&mut self, changes: u32) -> Result<(Vec<Duration>, Vec<Duration>)> {
        let (mut acknowledged, mut visible) = (Vec::new(), Vec::new());
        for number in 0..changes {
            let begun = Instant::now();
            let set = async {
                let done = self.writer.set_weights(request(number)).await?;
                let entry = done
                    .into_inner()
                    .entry
                    .context("an answer without an entry")?;
                anyhow::Ok((entry.revision, Instant::now()))
            };
            let seen = async {
                let message = self.watcher.message().await?.context("the stream ended")?;
                let entry = message.entry.context("a message without an entry")?;
                anyhow::Ok((entry.revision, Instant::now()))
            };
            let ((set, at), (seen, seen_at)) = tokio::try_join!(set, seen)?;
            ensure!(set == seen, "revision {set} was set, and {seen} was seen");
            acknowledged.push(at - begun);
            visible.push(seen_at.saturating_duration_since(at));
        }
        Ok((acknowledged, visible))
    }
}

async fn client(address: SocketAddr) -> Result<WeightsServiceClient<Channel>> {
    let endpoint = Channel::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(WeightsServiceClient::new(endpoint.connect().await?))
}

fn request(number: u32) -> SetWeightsRequest {
    SetWeightsRequest {
        changes: vec![ProfileChange {
            profile: "default".to_owned(),
            weights: vec![ObjectiveWeight {
                objective: "engagement".to_owned(),
                weight: 1.0 + f64::from(number),
            }],
            ..ProfileChange::default()
        }],
        cause: Some(Cause {
            author: "bench".to_owned(),
            reason: "measures a change".to_owned(),
            ..Cause::default()
        }),
        ..SetWeightsRequest::default()
    }
}
