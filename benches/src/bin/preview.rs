//! Seeing a change before it is made: how long a preview and a solution over all kept requests
//! take, and what they do to Rank.
//!
//! The recent requests are ranked over the socket by Rank itself. Rankings are timed alone and with
//! one preview after another beside them, in turns.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Parser;
use counterweight_benches::{
    Combiner, Figure, p50_and_p99,
    program::{note, print},
    rank_request,
};
use counterweight_proto::counterweight::v1::{
    ObjectiveWeight, PreviewWeightsRequest, ProfileChange, SolveWeightsRequest,
    ranking_service_client::RankingServiceClient, solve_weights_request::Goal,
    weights_service_client::WeightsServiceClient,
};
use tokio::task::JoinHandle;
use tonic::transport::Channel;

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The longest that a preview of a million candidates and a solution may take, in milliseconds.
const PREVIEW_AIM: f64 = 50.0;
const SOLVE_AIM: f64 = 500.0;

/// Measures previews and solutions.
#[derive(Parser)]
struct Options {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Requests that are kept.
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// Candidates of each.
    #[arg(long, default_value_t = 100)]
    candidates: usize,
    /// Places of the page.
    #[arg(long, default_value_t = 10)]
    k: u32,
    /// Rankings of 500 candidates that a run times, with and without previews.
    #[arg(long, default_value_t = 4000)]
    rankings: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let candidates = options.requests * options.candidates as u64;
    let recent_requests = format!("[recent_requests]\ncandidates = {candidates}\n");
    let combiner = Combiner::start(folder.path(), &recent_requests).await?;
    fill(&combiner, &options).await?;
    let mut client = WeightsServiceClient::new(combiner.channel().await?);
    let (mut preview_times, mut solve_times) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let begun = Instant::now();
        ensure!(preview(&mut client, options.k).await? == candidates);
        preview_times.push(milliseconds(begun));
        let begun = Instant::now();
        ensure!(solve(&mut client, options.k).await? == candidates);
        solve_times.push(milliseconds(begun));
    }
    let (mut calm, mut busy, mut previews) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=options.runs {
        note(&format!("round {run} of {}", options.runs));
        calm.push(p50_and_p99(
            combiner.rankings("other", options.rankings, 500).await?,
        ));
        let previewer = Previewer::start(client.clone(), options.k);
        busy.push(p50_and_p99(
            combiner.rankings("other", options.rankings, 500).await?,
        ));
        previews.push(previewer.stop().await?);
    }
    let (preview, solve) = (Figure::from_runs(preview_times), Figure::from_runs(solve_times));
    print(&table(
        &options,
        &preview,
        &solve,
        [&calm, &busy],
        &previews,
    ));
    ensure!(
        preview.median <= PREVIEW_AIM && solve.median <= SOLVE_AIM,
        "an aim is missed"
    );
    Ok(())
}

async fn fill(combiner: &Combiner, options: &Options) -> anyhow::Result<()> {
    let mut client = RankingServiceClient::new(combiner.channel().await?);
    for number in 0..options.requests {
        let mut request = rank_request(options.candidates, number + 1);
        request.limit = options.k;
        request.unit_id = format!("u{}", number % 3000);
        client.rank(request).await?;
    }
    Ok(())
}

/// The candidates that a preview of another β replays.
async fn preview(client: &mut WeightsServiceClient<Channel>, k: u32) -> anyhow::Result<u64> {
    let change = ProfileChange {
        weights: vec![ObjectiveWeight {
            objective: "engagement_bait".to_owned(),
            weight: -0.7,
        }],
        ..ProfileChange::default()
    };
    let request = PreviewWeightsRequest {
        change: Some(change),
        k,
    };
    let preview = client.preview_weights(request).await?.into_inner().preview;
    Ok(preview
        .and_then(|preview| preview.replayed)
        .context("an empty preview")?
        .candidates)
}

/// The candidates over which β is solved for a bait budget.
async fn solve(client: &mut WeightsServiceClient<Channel>, k: u32) -> anyhow::Result<u64> {
    let request = SolveWeightsRequest {
        goal: Some(Goal::BaitBudget(0.3)),
        k,
        ..SolveWeightsRequest::default()
    };
    let preview = client.solve_weights(request).await?.into_inner().preview;
    Ok(preview
        .and_then(|preview| preview.replayed)
        .context("an empty preview")?
        .candidates)
}

/// Asks for one preview after another until it is stopped.
struct Previewer {
    stop: Arc<AtomicBool>,
    begun: Instant,
    task: JoinHandle<anyhow::Result<u64>>,
}

impl Previewer {
    fn start(mut client: WeightsServiceClient<Channel>, k: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut done = 0;
            while !ends.load(Ordering::Relaxed) {
                preview(&mut client, k).await?;
                done += 1;
            }
            Ok(done)
        });
        Self {
            stop,
            begun: Instant::now(),
            task,
        }
    }

    /// Previews a second.
    async fn stop(self) -> anyhow::Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let seconds = self.begun.elapsed().as_secs_f64();
        Ok(self.task.await?? as f64 / seconds)
    }
}

fn milliseconds(begun: Instant) -> f64 {
    Duration::as_secs_f64(&begun.elapsed()) * 1e3
}

fn table(
    options: &Options,
    preview: &Figure,
    solve: &Figure,
    [calm, busy]: [&[[f64; 2]]; 2],
    previews: &[f64],
) -> String {
    let row = |name: &str, runs: &[[f64; 2]]| {
        let cell = |at: usize| Figure::from_runs(runs.iter().map(|run| run[at])).cell(3);
        format!("| {name} | {} | {} |", cell(0), cell(1))
    };
    let rank = "Rank 500 candidates, probability columns";
    let rate = Figure::from_runs(previews.iter().copied()).cell(1);
    format!(
        "Medians of {} runs (lowest–highest); {} requests of {} candidates kept, k = {}\n\n\
         | | ms | aim |\n|---|---|---|\n| PreviewWeights | {} | {PREVIEW_AIM} |\n| SolveWeights, its preview included | {} | {SOLVE_AIM} |\n\n\
         | | p50, ms | p99, ms |\n|---|---|---|\n{}\n{}",
        options.runs,
        options.requests,
        options.candidates,
        options.k,
        preview.cell(1),
        solve.cell(1),
        row(rank, calm),
        row(&format!("{rank}, {rate} previews/s beside it"), busy)
    )
}
