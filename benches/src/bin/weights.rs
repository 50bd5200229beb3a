//! Live weights: how soon a watcher sees a change, and what a thousand changes a second do to Rank.
//!
//! The combiner runs in this process with its embedded store, on loopback sockets; the objectives are probability columns, so
//! that nothing but the combiner is measured. Cases take turns, so that drift falls on all.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Parser;
use counterweight_combiner::{Config, Listeners, serve};
use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, ProfileChange, RankRequest, SetWeightsRequest, WatchWeightsRequest,
    ranking_service_client::RankingServiceClient, weights_service_client::WeightsServiceClient,
};
use counterweight_tensor::{Datatype, encode_f32, tensor};
use tokio::{net::TcpListener, sync::mpsc, time::MissedTickBehavior};
use tonic::transport::{Channel, Endpoint};

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONFIG: &str = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"e\" }\n\
                      [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"b\" }\n\
                      [profile.default]\nweights = { engagement = 1.0, engagement_bait = -0.5 }\n";
/// What a change visible to every watcher may take, at the 99th percentile.
const AIM_MS: f64 = 10.0;

/// Measures live weights.
#[derive(Parser)]
struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Changes that a run times until a watcher sees them.
    #[arg(long, default_value_t = 2000)]
    changes: usize,
    /// Rankings that a run times, with and without publications.
    #[arg(long, default_value_t = 4000)]
    rankings: usize,
    /// Candidates of a ranking.
    #[arg(long, default_value_t = 500)]
    candidates: usize,
    /// Publications a second.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// Where the store is kept [default: a temporary folder].
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(options))
}

async fn run(options: Options) -> anyhow::Result<()> {
    let folder = match &options.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let text = format!("{CONFIG}[store]\npath = \"weights.log\"\n");
    let config = Config::parse(&text, "bench.toml", folder.path())?;
    let grpc = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", grpc.local_addr()?);
    let listeners = Listeners {
        grpc,
        metrics: None,
    };
    let server = tokio::spawn(serve(config, listeners, std::future::pending()));
    let mut visible = Vec::new();
    let (mut calm, mut busy, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        visible.push(Times::of(until_visible(&address, options.changes).await?));
        calm.push(Times::of(
            rankings(&address, options.rankings, options.candidates).await?,
        ));
        let publisher = Publisher::start(&address, options.rate).await?;
        busy.push(Times::of(
            rankings(&address, options.rankings, options.candidates).await?,
        ));
        rates.push(publisher.stop().await?);
    }
    server.abort();
    print(&options, &visible, &calm, &busy, &rates);
    let worst = visible.iter().map(|times| times.p99).fold(0.0, f64::max);
    ensure!(
        worst <= AIM_MS,
        "a change took {worst:.3} ms at p99 until a watcher saw it; the aim is {AIM_MS} ms"
    );
    Ok(())
}

/// The 50th and 99th percentile in milliseconds.
struct Times {
    p50: f64,
    p99: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: usize| {
            let place = (times.len() * share / 100).min(times.len() - 1);
            times[place].as_secs_f64() * 1e3
        };
        Self {
            p50: at(50),
            p99: at(99),
        }
    }
}

async fn channel(address: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true);
    Ok(endpoint.connect().await?)
}

fn change(number: u64) -> SetWeightsRequest {
    SetWeightsRequest {
        changes: vec![ProfileChange {
            profile: "default".to_owned(),
            weights: vec![ObjectiveWeight {
                objective: "engagement_bait".to_owned(),
                weight: -1.0 - (number % 1000) as f64 / 1000.0,
            }],
            ..ProfileChange::default()
        }],
        author: "bench".to_owned(),
        reason: "bench".to_owned(),
        ..SetWeightsRequest::default()
    }
}

/// From the acknowledgement of a change until a watcher on another connection has it; nothing where it has it before.
async fn until_visible(address: &str, changes: usize) -> anyhow::Result<Vec<Duration>> {
    let mut writer = WeightsServiceClient::new(channel(address).await?);
    let mut stream = WeightsServiceClient::new(channel(address).await?)
        .watch_weights(WatchWeightsRequest { from_revision: 0 })
        .await?
        .into_inner();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let watcher = tokio::spawn(async move {
        while let Ok(Some(message)) = stream.message().await {
            let revision = message.entry.map_or(0, |entry| entry.revision);
            if sender.send((revision, Instant::now())).is_err() {
                break;
            }
        }
    });
    let mut times = Vec::with_capacity(changes);
    for number in 0..changes {
        let done = writer
            .set_weights(change(number as u64))
            .await?
            .into_inner();
        let acknowledged = Instant::now();
        let (revision, when) = seen.recv().await.context("the watcher's stream ended")?;
        ensure!(revision == done.revision, "a watcher missed a revision");
        times.push(when.saturating_duration_since(acknowledged));
    }
    watcher.abort();
    Ok(times)
}

/// The time of so many rankings, one after another.
async fn rankings(address: &str, count: usize, candidates: usize) -> anyhow::Result<Vec<Duration>> {
    let mut client = RankingServiceClient::new(channel(address).await?);
    let column = |seed: usize| {
        let values: Vec<f32> = (0..candidates)
            .map(|at| ((at * 7919 + seed) % 1000) as f32 / 1000.0)
            .collect();
        encode_f32(&values)
    };
    let request = RankRequest {
        candidate_ids: (0..candidates).map(|at| format!("c{at:06}")).collect(),
        inputs: vec![
            tensor("e", Datatype::Fp32, &[candidates]),
            tensor("b", Datatype::Fp32, &[candidates]),
        ],
        raw_input_contents: vec![column(1), column(77)],
        ..RankRequest::default()
    };
    for _ in 0..count / 10 {
        client.rank(request.clone()).await?;
    }
    let mut times = Vec::with_capacity(count);
    let mut last = 0;
    for _ in 0..count {
        let request = request.clone();
        let begun = Instant::now();
        let answer = client.rank(request).await?.into_inner();
        times.push(begun.elapsed());
        ensure!(answer.revision >= last, "a revision went back");
        last = answer.revision;
    }
    Ok(times)
}

/// Publishes at a rate until it is stopped.
struct Publisher {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    begun: Instant,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Publisher {
    async fn start(address: &str, rate: u64) -> anyhow::Result<Self> {
        let mut client = WeightsServiceClient::new(channel(address).await?);
        let stop = Arc::new(AtomicBool::new(false));
        let published = Arc::new(AtomicU64::new(0));
        let (ends, counts) = (Arc::clone(&stop), Arc::clone(&published));
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !ends.load(Ordering::Relaxed) {
                ticks.tick().await;
                let number = counts.fetch_add(1, Ordering::Relaxed);
                client.set_weights(change(number)).await?;
            }
            Ok(())
        });
        Ok(Self {
            stop,
            published,
            begun: Instant::now(),
            task,
        })
    }

    /// Publications a second that were reached.
    async fn stop(self) -> anyhow::Result<f64> {
        let rate =
            self.published.load(Ordering::Relaxed) as f64 / self.begun.elapsed().as_secs_f64();
        self.stop.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(rate)
    }
}

#[expect(clippy::print_stdout, reason = "a program that prints its result")]
fn print(options: &Options, visible: &[Times], calm: &[Times], busy: &[Times], rates: &[f64]) {
    println!("Medians of {} runs (lowest–highest)\n", options.runs);
    println!("| | p50, ms | p99, ms |\n|---|---|---|");
    let row = |name: &str, times: &[Times]| {
        let p50 = spread(times.iter().map(|times| times.p50));
        let p99 = spread(times.iter().map(|times| times.p99));
        println!("| {name} | {p50} | {p99} |");
    };
    row(
        "acknowledged write → visible to a watcher, embedded store",
        visible,
    );
    let rank = format!(
        "Rank {} candidates, probability columns",
        options.candidates
    );
    row(&rank, calm);
    let reached = spread(rates.iter().copied());
    row(&format!("{rank}, {reached} publications/s"), busy);
}

fn spread(values: impl Iterator<Item = f64>) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    match values.as_slice() {
        [] => "–".to_owned(),
        all => format!(
            "{:.3} ({:.3}–{:.3})",
            all[all.len() / 2],
            all[0],
            all[all.len() - 1]
        ),
    }
}
