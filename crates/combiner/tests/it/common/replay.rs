//! Requests that send their probabilities as columns, with ties, units and attributes; and what a
//! change does to them, computed only from the answers of Rank.

use counterweight_proto::counterweight::v1::{
    CandidateMove, RankRequest, RankResponse, ranking_service_client::RankingServiceClient,
};
use counterweight_ranking::splitmix64;
use counterweight_tensor::{Datatype, encode_f64, encode_strings, tensor};
use tonic::transport::Channel;

use super::{ids, push};

/// Three columns, and the attributes that segments may ask for.
pub const THREE_COLUMNS: &str = r#"
attributes = ["tier", "age"]
[[objective]]
name = "engagement"
column = { name = "p_e" }
[[objective]]
name = "engagement_bait"
column = { name = "p_b" }
[[objective]]
name = "hide"
column = { name = "p_h" }
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5, hide = -0.25 }
[profile.default.bounds]
engagement_bait = { sign = "non_positive", min = -20.0, max_step = 1.0 }
"#;

/// Numbers that are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        let bits = splitmix64(self.0);
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        bits % n
    }

    /// Probabilities in steps of `1 / steps`: few steps make ties.
    pub fn column(&mut self, n: usize, steps: u64) -> Vec<f64> {
        let step = |_| self.below(steps + 1) as f64 / steps as f64;
        (0..n).map(step).collect()
    }
}

/// `count` requests of up to 40 candidates; every third has probabilities with many ties, every
/// fifth has no unit.
pub fn requests(count: usize, seed: u64) -> Vec<RankRequest> {
    let mut random = Random(seed);
    (0..count)
        .map(|i| {
            let n = 1 + random.below(40) as usize;
            let steps = if i % 3 == 0 { 8 } else { 10_000 };
            let mut request = RankRequest {
                request_id: format!("r{i:04}"),
                unit_id: match i % 5 {
                    0 => String::new(),
                    _ => format!("u{}", random.below(60)),
                },
                candidate_ids: ids(n),
                ..Default::default()
            };
            for name in ["p_e", "p_b", "p_h"] {
                let column = random.column(n, steps);
                push(
                    &mut request,
                    tensor(name, Datatype::Fp64, &[n]),
                    encode_f64(&column),
                );
            }
            let tier = ["new", "old", ""][random.below(3) as usize];
            push(
                &mut request,
                tensor("tier", Datatype::Bytes, &[1]),
                encode_strings([tier]),
            );
            let age = match random.below(4) {
                0 => f64::NAN,
                some => some as f64,
            };
            push(
                &mut request,
                tensor("age", Datatype::Fp64, &[1]),
                encode_f64(&[age]),
            );
            request
        })
        .collect()
}

/// One request of n candidates.
pub fn wide(n: usize, seed: u64) -> RankRequest {
    let mut random = Random(seed);
    let mut request = RankRequest {
        candidate_ids: ids(n),
        limit: 10,
        ..Default::default()
    };
    for name in ["p_e", "p_b", "p_h"] {
        let column = random.column(n, 10_000);
        push(
            &mut request,
            tensor(name, Datatype::Fp64, &[n]),
            encode_f64(&column),
        );
    }
    request
}

/// Ranks them all, one after the other.
pub async fn rank_all(
    client: &mut RankingServiceClient<Channel>,
    requests: &[RankRequest],
) -> Vec<RankResponse> {
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(client.rank(request.clone()).await.unwrap().into_inner());
    }
    answers
}

/// What became of the same requests, from all of their candidates in order.
#[derive(Debug)]
pub struct Compared {
    /// Per objective, before and after.
    pub exposures: Vec<(f64, f64)>,
    pub changed_set: f64,
    pub changed_order: f64,
    pub rank_correlation: f64,
    pub moves: Vec<CandidateMove>,
}

/// Compares two rankings of the same requests on pages of k places.
pub fn compare(before: &[RankResponse], after: &[RankResponse], k: usize) -> Compared {
    let count = before.len() as f64;
    let (mut set, mut order) = (0, 0);
    let (mut taus, mut with_pairs) = (0.0, 0.0);
    let mut moves = Vec::new();
    for (request, (before, after)) in before.iter().zip(after).enumerate() {
        let names = |answer: &RankResponse| -> Vec<String> {
            answer.candidates.iter().map(|one| one.id.clone()).collect()
        };
        let (old, new) = (names(before), names(after));
        let places = k.min(old.len());
        let (shown, shows) = (&old[..places], &new[..places]);
        set += usize::from(shows.iter().any(|id| !shown.contains(id)));
        order += usize::from(shown != shows);
        if old.len() > 1 {
            taus += tau(&old, &new);
            with_pairs += 1.0;
        }
        for (from, id) in old.iter().enumerate() {
            let to = new.iter().position(|other| other == id).unwrap();
            if from != to && from.min(to) < places {
                moves.push((request, from, to, &before.candidates[from]));
            }
        }
    }
    moves.sort_by_key(|(request, from, to, one)| {
        (
            std::cmp::Reverse(from.abs_diff(*to)),
            *request,
            one.id.clone(),
        )
    });
    let moves = moves.into_iter().take(10);
    let moves = moves.map(|(request, from, to, one)| CandidateMove {
        request_id: before[request].request_id.clone(),
        candidate_id: one.id.clone(),
        from_place: from as u32 + 1,
        to_place: to as u32 + 1,
        probabilities: one.probabilities.clone(),
    });
    Compared {
        exposures: exposures(before, k)
            .into_iter()
            .zip(exposures(after, k))
            .collect(),
        changed_set: set as f64 / count,
        changed_order: order as f64 / count,
        rank_correlation: taus / with_pairs,
        moves: moves.collect(),
    }
}

/// Per objective, the mean over requests of the mean probability on the page.
pub fn exposures(answers: &[RankResponse], k: usize) -> Vec<f64> {
    let objectives = answers[0].objectives.len();
    let page = |answer: &RankResponse, at: usize| {
        let page = &answer.candidates[..k.min(answer.candidates.len())];
        page.iter().map(|one| one.probabilities[at]).sum::<f64>() / page.len() as f64
    };
    let mean = |at| answers.iter().map(|answer| page(answer, at)).sum::<f64>();
    (0..objectives)
        .map(|at| mean(at) / answers.len() as f64)
        .collect()
}

/// Kendall's τ_a, pair by pair.
fn tau(old: &[String], new: &[String]) -> f64 {
    let place = |id: &String| new.iter().position(|other| other == id).unwrap();
    let places: Vec<usize> = old.iter().map(place).collect();
    let (mut same, mut pairs) = (0_i64, 0_i64);
    for (at, &upper) in places.iter().enumerate() {
        for &lower in &places[at + 1..] {
            pairs += 1;
            same += if upper < lower { 1 } else { -1 };
        }
    }
    same as f64 / pairs as f64
}
