//! Live weights: what a thousand changes a second do to Rank.
//!
//! Cases take turns, so that drift falls on all.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use counterweight_benches::{Combiner, Figure, p50_and_p99, program::print};
use counterweight_proto::counterweight::v1::{
    Cause, ObjectiveWeight, ProfileChange, SetWeightsRequest,
    weights_service_client::WeightsServiceClient,
};
use tokio::time::MissedTickBehavior;
use tonic::transport::Channel;

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = match &options.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let combiner = Combiner::start(folder.path(), "").await?;
    let (mut calm, mut busy, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let rankings = || combiner.rankings("default", options.rankings, options.candidates);
        calm.push(p50_and_p99(rankings().await?));
        let publisher = Publisher::start(combiner.channel().await?, options.rate);
        busy.push(p50_and_p99(rankings().await?));
        rates.push(publisher.stop().await?);
    }
    print(&table(&options, &calm, &busy, &rates));
    Ok(())
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
        cause: Some(Cause {
            author: "bench".to_owned(),
            reason: "bench".to_owned(),
            ..Cause::default()
        }),
        ..SetWeightsRequest::default()
    }
}

/// Publishes at a rate until it is stopped.
struct Publisher {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    begun: Instant,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Publisher {
    fn start(channel: Channel, rate: u64) -> Self {
        let mut client = WeightsServiceClient::new(channel);
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
        Self {
            stop,
            published,
            begun: Instant::now(),
            task,
        }
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
        let cell = |at: usize| Figure::from_runs(runs.iter().map(|run| run[at])).cell(3);
        format!("| {name} | {} | {} |", cell(0), cell(1))
    };
    let rank = format!(
        "Rank {} candidates, probability columns",
        options.candidates
    );
    let reached = Figure::from_runs(rates.iter().copied()).cell(1);
    format!(
        "Medians of {} runs (lowest–highest)\n\n| | p50, ms | p99, ms |\n|---|---|---|\n{}\n{}",
        options.runs,
        row(&rank, calm),
        row(&format!("{rank}, {reached} publications/s"), busy)
    )
}
