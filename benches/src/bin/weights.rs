//! Live weights: what a thousand changes a second do to Rank.
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

use anyhow::ensure;
use clap::Parser;
use counterweight_benches::{Figure, p50_and_p99, program::print};
use counterweight_combiner::{Config, Listeners, serve};
use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, ProfileChange, RankRequest, SetWeightsRequest,
    ranking_service_client::RankingServiceClient, weights_service_client::WeightsServiceClient,
};
use counterweight_tensor::{Datatype, encode_f32, tensor};
use tokio::{net::TcpListener, time::MissedTickBehavior};
use tonic::transport::{Channel, Endpoint};

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONFIG: &str = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"e\" }\n\
                      [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"b\" }\n\
                      [profile.default]\nweights = { engagement = 1.0, engagement_bait = -0.5 }\n";

/// Measures live weights.
#[derive(Parser)]
struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
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
    let (mut calm, mut busy, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        calm.push(p50_and_p99(
            rankings(&address, options.rankings, options.candidates).await?,
        ));
        let publisher = Publisher::start(&address, options.rate).await?;
        busy.push(p50_and_p99(
            rankings(&address, options.rankings, options.candidates).await?,
        ));
        rates.push(publisher.stop().await?);
    }
    server.abort();
    print(&table(&options, &calm, &busy, &rates));
    Ok(())
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

fn table(options: &Options, calm: &[[f64; 2]], busy: &[[f64; 2]], rates: &[f64]) -> String {
    let row = |name: &str, runs: &[[f64; 2]]| {
        let cell = |at: usize| Figure::of(runs.iter().map(|run| run[at])).cell(3);
        format!("| {name} | {} | {} |", cell(0), cell(1))
    };
    let rank = format!(
        "Rank {} candidates, probability columns",
        options.candidates
    );
    let reached = Figure::of(rates.iter().copied()).cell(1);
    format!(
        "Medians of {} runs (lowest–highest)\n\n| | p50, ms | p99, ms |\n|---|---|---|\n{}\n{}",
        options.runs,
        row(&rank, calm),
        row(&format!("{rank}, {reached} publications/s"), busy)
    )
}
