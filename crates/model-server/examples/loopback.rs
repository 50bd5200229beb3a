//! How many ModelInfer calls a second one server answers on loopback when client and server share the machine:
//! `cargo run --release -p counterweight-model-server --example loopback [seconds]`, 100 candidates × 32 FP32 columns each.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement on a terminal"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use counterweight_proto::inference::ModelInferRequest;
use counterweight_tensor::{Datatype, encode_f32};
use support::{MODEL, Running, numeric_model, put};
use tokio::task::JoinSet;

// As the `counterweight` binary does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: usize = 100;
const COLUMNS: usize = 32;

#[tokio::main]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .map_or(5, |text| text.parse().unwrap());
    let (server, _) = Running::with_model(numeric_model(COLUMNS, 0.1)).await;
    let mut request = ModelInferRequest {
        model_name: MODEL.to_owned(),
        ..Default::default()
    };
    for at in 0..COLUMNS {
        let values: Vec<f32> = (0..ROWS)
            .map(|row| ((row * 7 + at) % 50) as f32 / 50.0)
            .collect();
        put(
            &mut request,
            &format!("x{at}"),
            Datatype::Fp32,
            &[ROWS],
            encode_f32(&values),
        );
    }
    println!("{ROWS} × {COLUMNS} FP32");
    for in_flight in [1, 4, 16, 64] {
        measure(&server, &request, in_flight, Duration::from_secs(seconds)).await;
    }
}

async fn measure(server: &Running, request: &ModelInferRequest, in_flight: usize, time: Duration) {
    let done = Arc::new(AtomicBool::new(false));
    let channels = [server.client().await, server.client().await];
    let mut callers = JoinSet::new();
    let started = Instant::now();
    for caller in 0..in_flight {
        let (mut client, request, done) = (
            channels[caller % 2].clone(),
            request.clone(),
            Arc::clone(&done),
        );
        callers.spawn(async move {
            let mut latencies = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                client.model_infer(request.clone()).await.unwrap();
                latencies.push(started.elapsed());
            }
            latencies
        });
    }
    tokio::time::sleep(time).await;
    done.store(true, Ordering::Relaxed);
    let mut latencies = callers.join_all().await.concat();
    let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{in_flight:>3} in flight: {rate:>7.0} requests/s, p50 {:?}, p99 {:?}",
        at(0.5),
        at(0.99)
    );
}
