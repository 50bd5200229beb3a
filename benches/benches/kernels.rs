//! What the steps of a request cost on one core, without the network.
//!
//! ```text
//! cargo bench -p counterweight-benches --no-default-features --bench kernels
//! ```
#![allow(missing_docs, clippy::expect_used)] // a bench ends where its input cannot be made

use std::{borrow::Cow, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use counterweight_benches::{numeric_model, title_model};
use counterweight_model::{Batch, Column, Model};
use counterweight_proto::counterweight::v1::{RankRequest, RankResponse, RankedCandidate};
use counterweight_ranking::{
    Weights, combine,
    preview::{Preview, Replay, Summary},
    solve::{Goal, Solved, Solver},
    stability::{ranges, staying},
    top_k,
};
use counterweight_tensor::{Datatype, encode_f32, tensor, views};
use divan::{Bencher, black_box, counter::ItemsCount};
use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

// As in the servers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CANDIDATES: usize = 500;
const FEATURES: usize = 32;
const LIMIT: usize = 50;

fn main() {
    divan::main();
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn random(count: usize) -> Vec<f64> {
    let mut rng = rng();
    (0..count).map(|_| rng.random()).collect()
}

fn ids() -> Vec<String> {
    (0..CANDIDATES)
        .map(|index| format!("c{index:06}"))
        .collect()
}

/// A Rank request of 32 FP32 tensors of 500, as it is on the wire.
fn request() -> Bytes {
    let mut rng = rng();
    let mut column = || -> Vec<f32> { (0..CANDIDATES).map(|_| rng.random()).collect() };
    let request = RankRequest {
        candidate_ids: ids(),
        inputs: (0..FEATURES)
            .map(|index| tensor(&format!("x{index:02}"), Datatype::Fp32, &[CANDIDATES]))
            .collect(),
        raw_input_contents: (0..FEATURES).map(|_| encode_f32(&column())).collect(),
        ..RankRequest::default()
    };
    request.encode_to_vec().into()
}

fn response() -> RankResponse {
    let probabilities = random(2 * CANDIDATES);
    let candidates = ids().into_iter().zip(probabilities.chunks(2));
    RankResponse {
        request_id: "0198c0de-0000-7000-8000-000000000000".to_owned(),
        candidates: candidates
            .map(|(id, p)| RankedCandidate {
                id,
                score: p[0] - p[1],
                probabilities: p.to_vec(),
                contributions: vec![p[0], -p[1]],
                ..RankedCandidate::default()
            })
            .collect(),
        ..RankResponse::default()
    }
}

fn titles(count: usize) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "You", "Won't", "BELIEVE", "what", "happened", "next", "the", "best", "way", "to", "cook",
        "rice", "tutorial", "2024", "comment", "below", "tag", "a", "friend", "official", "video",
        "live", "share", "now!!!",
    ];
    let mut rng = rng();
    let mut title = || {
        let words = (0..10).map(|_| WORDS[rng.random_range(0..WORDS.len())]);
        words.collect::<Vec<_>>().join(" ")
    };
    (0..count).map(|_| title()).collect()
}

/// A snapshot of two profiles, as the combiner publishes it.
fn profiles() -> Vec<Arc<Weights>> {
    let weights = || Weights::new(vec![1.0, -0.5]).expect("finite weights");
    vec![Arc::new(weights()), Arc::new(weights())]
}

/// The weights of a request: one snapshot of what may change at any time.
#[divan::bench(sample_size = 1000)]
fn weights_snapshot(bencher: Bencher<'_, '_>) {
    let live = ArcSwap::from_pointee(profiles());
    bencher.bench(|| black_box(Arc::clone(&live.load()[0])));
}

/// The same with two threads that read and one that publishes about a thousand times a second.
#[divan::bench(threads = [2], sample_size = 1000)]
fn weights_snapshot_under_publication(bencher: Bencher<'_, '_>) {
    let live = Arc::new(ArcSwap::from_pointee(profiles()));
    let alive = Arc::new(());
    let (publisher, watch) = (Arc::clone(&live), Arc::downgrade(&alive));
    let thread = std::thread::spawn(move || {
        while watch.upgrade().is_some() {
            publisher.store(Arc::new(profiles()));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    bencher.bench(|| black_box(Arc::clone(&live.load()[0])));
    drop(alive);
    thread.join().expect("the publisher ends");
}

/// The weighted sum of two objectives.
#[divan::bench]
fn combine_500(bencher: Bencher<'_, '_>) {
    let probabilities = [random(CANDIDATES), random(CANDIDATES)];
    bencher
        .counter(ItemsCount::new(CANDIDATES))
        .bench(|| combine(black_box(&[1.0, -0.5]), black_box(&probabilities)));
}

/// The weighted sum, and the best 50 or all in order.
#[divan::bench(args = [LIMIT, CANDIDATES])]
fn combine_and_top_k_of_500(bencher: Bencher<'_, '_>, k: usize) {
    let probabilities = [random(CANDIDATES), random(CANDIDATES)];
    let ids = ids();
    bencher.counter(ItemsCount::new(CANDIDATES)).bench(|| {
        let scores = combine(black_box(&[1.0, -0.5]), black_box(&probabilities));
        top_k(&scores, &ids, k)
    });
}

/// The ranges of both weights for a page, and of the second one for each candidate on it.
#[divan::bench(args = [10, LIMIT])]
fn stability_of_500(bencher: Bencher<'_, '_>, k: usize) {
    let probabilities: Vec<Vec<f64>> = random(2 * CANDIDATES)
        .chunks(CANDIDATES)
        .map(<[f64]>::to_vec)
        .collect();
    let weights = [1.0, -0.5];
    let page = top_k(&combine(&weights, &probabilities), &ids(), k);
    bencher.bench(|| {
        let page = black_box(&page);
        let ranges = ranges(&weights, &probabilities, page);
        (ranges, staying(&weights, &probabilities, 1, page))
    });
}

/// Recent requests as they are replayed: 10,000 of 100 candidates, two objectives, one after the
/// other.
fn recent() -> Vec<f64> {
    random(RECENT * PER_REQUEST * 2)
}

const RECENT: usize = 10_000;
const PER_REQUEST: usize = 100;

fn replayed(recent: &[f64]) -> impl Iterator<Item = [&[f64]; 2]> {
    let requests = recent.chunks_exact(2 * PER_REQUEST);
    requests.map(|request| {
        let (engagement, bait) = request.split_at(PER_REQUEST);
        [engagement, bait]
    })
}

/// What a change of the second weight does to a million candidates, on one thread, k = 10.
#[divan::bench(args = [-0.55, -2.0], sample_count = 20, sample_size = 1)]
fn preview_of_a_million(bencher: Bencher<'_, '_>, after: f64) {
    let recent = recent();
    let preview = || -> Result<Summary, counterweight_ranking::RankingError> {
        let mut preview = Preview::new(10, 2)?;
        for (probabilities, unit) in replayed(&recent).zip(0..) {
            preview.push(&Replay {
                unit,
                probabilities: &probabilities,
                before: &[1.0, -0.5],
                after: &[1.0, after],
            })?;
        }
        preview.finish()
    };
    bencher
        .counter(ItemsCount::new(RECENT * PER_REQUEST))
        .bench(|| preview().expect("good requests"));
}

/// The second weight that keeps a budget on a million candidates, on one thread, k = 10.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn solve_on_a_million(bencher: Bencher<'_, '_>) {
    let recent = recent();
    let solve = || -> Result<Solved, counterweight_ranking::RankingError> {
        let mut solver = Solver::new(10, 2, 1, 0)?;
        for probabilities in replayed(&recent) {
            solver.push(&probabilities, &[1.0, -0.5], true)?;
        }
        solver.solve(Goal::Budget(0.3), (-10.0, 0.0))
    };
    bencher
        .counter(ItemsCount::new(RECENT * PER_REQUEST))
        .bench(|| solve().expect("a budget within reach"));
}

/// From the bytes of a request to its message; tensor bytes are not copied.
#[divan::bench]
fn decode_rank_request_500x32(bencher: Bencher<'_, '_>) {
    let request = request();
    bencher.bench(|| RankRequest::decode(black_box(request.clone())).expect("it decodes"));
}

/// From a message to checked columns of doubles.
#[divan::bench]
fn tensors_to_columns_500x32(bencher: Bencher<'_, '_>) {
    let request = RankRequest::decode(request()).expect("it decodes");
    bencher.bench(|| {
        let views = views(black_box(&request.inputs), &request.raw_input_contents);
        let views = views.expect("they are well formed");
        let columns = views
            .iter()
            .map(|view| view.to_f64().expect("they are numbers"));
        columns.collect::<Vec<_>>()
    });
}

/// From columns to a checked batch.
#[divan::bench(args = [100, CANDIDATES])]
fn check_batch_x32(bencher: Bencher<'_, '_>, rows: usize) {
    let model = numeric_model("engagement", FEATURES, 1).expect("a model");
    bencher
        .counter(ItemsCount::new(rows))
        .with_inputs(|| numeric_columns(rows))
        .bench_values(|columns| Batch::new(model.schema(), rows, columns).expect("a batch"));
}

/// Scores a checked batch.
#[divan::bench(args = [100, CANDIDATES])]
fn score_x32(bencher: Bencher<'_, '_>, rows: usize) {
    let model = numeric_model("engagement", FEATURES, 1).expect("a model");
    let batch = numeric_batch(&model, rows);
    bencher
        .counter(ItemsCount::new(rows))
        .bench(|| model.score(black_box(&batch)).expect("it scores"));
}

fn numeric_batch(model: &Model, rows: usize) -> Batch<'static> {
    Batch::new(model.schema(), rows, numeric_columns(rows)).expect("a batch")
}

fn numeric_columns(rows: usize) -> Vec<Option<Column<'static>>> {
    let values = random(rows * FEATURES);
    let columns = values.chunks(rows);
    columns
        .map(|column| Some(Column::Numeric(column.to_vec())))
        .collect()
}

/// Encodes and scores titles of ten words.
#[divan::bench(args = [1, CANDIDATES])]
fn score_titles(bencher: Bencher<'_, '_>, rows: usize) {
    let titles = titles(2000);
    let model = title_model(&titles, 1).expect("a model");
    let texts = titles[..rows].iter().map(|title| Cow::from(title.as_str()));
    let column = Column::Text(texts.collect());
    let batch = Batch::new(model.schema(), rows, vec![Some(column)]).expect("a batch");
    bencher
        .counter(ItemsCount::new(rows))
        .bench(|| model.score(black_box(&batch)).expect("it scores"));
}

/// The answer of a Rank that returns all 500 candidates explained: what the combiner pays.
#[divan::bench]
fn encode_rank_response_500(bencher: Bencher<'_, '_>) {
    let response = response();
    bencher.bench(|| black_box(&response).encode_to_vec());
}

/// The same answer decoded: what a client pays, and what the load generator leaves out.
#[divan::bench]
fn decode_rank_response_500(bencher: Bencher<'_, '_>) {
    let bytes = Bytes::from(response().encode_to_vec());
    bencher.bench(|| RankResponse::decode(black_box(bytes.clone())).expect("it decodes"));
}
