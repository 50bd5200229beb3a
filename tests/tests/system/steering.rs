//! Steering on recent traffic, as it is called: preview, solve, segments, experiments, exploration,
//! and the log of it all.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use counterweight_proto::counterweight::v1::{
    RankRequest, RankResponse, ranking_service_client::RankingServiceClient,
};
use counterweight_tensor::{Datatype, encode_f64, encode_strings, tensor};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Server, combiner, json, run};

mod audience;
mod export;
mod preview;

pub(crate) const CONFIG: &str = r#"
attributes = ["user_country", "user_sessions_7d"]
[store]
path = "weights.log"
[[objective]]
name = "engagement"
[objective.column]
name = "p_click"
[[objective]]
name = "engagement_bait"
[objective.column]
name = "p_bait"
[profile.default]
weights = { engagement = 1.0, engagement_bait = -1.0 }
[profile.default.bounds]
engagement_bait = { sign = "non_positive", min = -4.0 }
"#;

/// Candidates of a request.
const CANDIDATES: usize = 20;
/// Places of its page.
const K: u32 = 5;

/// A combiner of probability columns on a free port.
struct Combiner {
    _server: Server,
    address: String,
    folder: TempDir,
}

impl Combiner {
    fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (server, address) = combiner(folder.path(), config);
        Self {
            address: format!("http://{address}"),
            _server: server,
            folder,
        }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let address = ["--address", &self.address];
        json(arguments.iter().copied().chain(address))
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let address = ["--address", &self.address];
        run(arguments.iter().copied().chain(address))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ranks requests as a feed would, of users in two countries.
    async fn rank(&self, requests: u64) -> Vec<RankResponse> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut client = RankingServiceClient::connect(self.address.clone())
            .await
            .unwrap();
        let mut answers = Vec::new();
        for _ in 0..requests {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let answer = client.rank(request(number)).await.unwrap();
            answers.push(answer.into_inner());
        }
        answers
    }
}

/// Numbers in [0, 1) that repeat with nothing.
fn noise(seed: u64) -> f64 {
    let mixed = (seed + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(31)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

pub(crate) fn request(number: u64) -> RankRequest {
    let column = |m: u64| -> Vec<f64> {
        let candidates = 0..CANDIDATES as u64;
        candidates
            .map(|at| noise(7919 * number + 2 * at + m))
            .collect()
    };
    let country = if number.is_multiple_of(4) { "DE" } else { "FR" };
    RankRequest {
        request_id: format!("r{number}"),
        unit_id: format!("u{}", number % 50),
        candidate_ids: (0..CANDIDATES).map(|at| format!("c{at:02}")).collect(),
        limit: K,
        inputs: vec![
            tensor("p_click", Datatype::Fp64, &[CANDIDATES]),
            tensor("p_bait", Datatype::Fp64, &[CANDIDATES]),
            tensor("user_country", Datatype::Bytes, &[1]),
            tensor("user_sessions_7d", Datatype::Fp64, &[1]),
        ],
        raw_input_contents: vec![
            encode_f64(&column(0)),
            encode_f64(&column(1)),
            encode_strings([country.as_bytes()]),
            encode_f64(&[(number % 10) as f64]),
        ],
        ..RankRequest::default()
    }
}
