//! The ranges that Rank answers, held against Rank itself: at both ends the same page, just outside
//! another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Model, assert_recomputes, info, objective, push, request,
    weights::{change, set},
};
use counterweight_proto::counterweight::v1::{
    RankRequest, RankResponse, WeightRange, ranking_service_client::RankingServiceClient,
    weights_service_client::WeightsServiceClient,
};
use counterweight_tensor::{Datatype, encode_f64, tensor};
use tonic::{Code, transport::Channel};

/// Numbers that look random, the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 * 0.5_f64.powi(53)
    }
}

struct Served {
    _models: [Model; 2],
    _combiner: Combiner,
    ranking: RankingServiceClient<Channel>,
    weights: WeightsServiceClient<Channel>,
    names: Vec<&'static str>,
}

impl Served {
    async fn start(third: bool) -> Self {
        let (e, b) = (Model::start("xe"), Model::start("xb"));
        let hide = "[[objective]]\nname = \"hide\"\n[objective.column]\nname = \"p_hide\"\n";
        let (hide, weight) = if third {
            (hide, ", hide = -0.8")
        } else {
            ("", "")
        };
        let config = format!(
            "{}{}{hide}[profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -0.5{weight} }}\n",
            objective("engagement", &[e.url()], ""),
            objective("engagement_bait", &[b.url()], "")
        );
        let combiner = Combiner::start(&config).await;
        let names = ["engagement", "engagement_bait", "hide"];
        Self {
            ranking: combiner.ranking().await,
            weights: combiner.weights().await,
            _models: [e, b],
            _combiner: combiner,
            names: names[..if third { 3 } else { 2 }].to_vec(),
        }
    }

    /// Candidates in no order of their ids, two of them alike.
    fn request(&self, numbers: &mut Numbers, n: usize, k: u32) -> RankRequest {
        let mut column = || -> Vec<f32> { (0..n).map(|_| numbers.next() as f32).collect() };
        let (mut e, mut b) = (column(), column());
        let mut hide: Vec<f64> = column().into_iter().map(f64::from).collect();
        (e[1], b[1], hide[1]) = (e[0], b[0], hide[0]);
        let mut request = request(&e, &b);
        request.candidate_ids = (0..n).map(|at| format!("c{:03}", at * 37 % 101)).collect();
        if self.names.len() == 3 {
            push(
                &mut request,
                tensor("p_hide", Datatype::Fp64, &[n]),
                encode_f64(&hide),
            );
        }
        (request.limit, request.stability) = (k, true);
        request
    }

    async fn rank(&mut self, request: &RankRequest) -> RankResponse {
        let answer = self
            .ranking
            .rank(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_recomputes(&answer);
        answer
    }

    /// The page under another weight of one objective.
    async fn page(&mut self, request: &RankRequest, objective: usize, weight: f64) -> Vec<String> {
        let mut set = set(vec![change(
            "default",
            &[(self.names[objective], weight)],
            None,
        )]);
        set.force = true;
        self.weights.set_weights(set).await.unwrap();
        ids(&self.rank(request).await)
    }
}

fn ids(answer: &RankResponse) -> Vec<String> {
    let candidates = answer.candidates.iter();
    candidates.map(|candidate| candidate.id.clone()).collect()
}

/// Each finite end, and a point just outside of it.
fn ends(range: WeightRange) -> Vec<(f64, f64)> {
    let ends = [(range.low, -1.0), (range.high, 1.0)].into_iter();
    ends.filter(|(end, _)| end.is_finite())
        .map(|(end, side)| (end, end + side * 1e-7 * (1.0 + end.abs())))
        .collect()
}

#[tokio::test]
async fn at_both_ends_the_page_is_the_same_and_just_outside_another() {
    let (mut pages, mut leaving) = (0, 0);
    for third in [false, true] {
        let mut served = Served::start(third).await;
        let mut numbers = Numbers(5);
        for (n, k) in [(6, 2), (30, 4), (60, 3)] {
            let request = served.request(&mut numbers, n, k);
            let answer = served.rank(&request).await;
            let page = ids(&answer);
            for objective in 0..served.names.len() {
                let now = answer.objectives[objective].weight;
                let stable = answer.objectives[objective].page_range.unwrap();
                assert!(stable.low <= now && now <= stable.high);
                for (end, outside) in ends(stable) {
                    assert_eq!(
                        served.page(&request, objective, end).await,
                        page,
                        "at {end} of {stable:?}"
                    );
                    assert_ne!(
                        served.page(&request, objective, outside).await,
                        page,
                        "outside, at {outside} of {stable:?}"
                    );
                    pages += 1;
                }
                for candidate in &answer.candidates {
                    assert_eq!(candidate.page_ranges.len(), served.names.len());
                    let stays = candidate.page_ranges[objective];
                    assert!(
                        stays.low <= stable.low && stable.high <= stays.high,
                        "who stays in place stays"
                    );
                    for (end, outside) in ends(stays) {
                        assert!(
                            served
                                .page(&request, objective, end)
                                .await
                                .contains(&candidate.id),
                            "at {end} of {stays:?}"
                        );
                        assert!(
                            !served
                                .page(&request, objective, outside)
                                .await
                                .contains(&candidate.id),
                            "outside, at {outside} of {stays:?}"
                        );
                        leaving += 1;
                    }
                }
                served.page(&request, objective, now).await;
            }
        }
    }
    assert!(
        pages >= 15 && leaving >= 30,
        "{pages} and {leaving} ends were looked at"
    );
}

#[tokio::test]
async fn it_is_answered_only_when_asked_and_nobody_leaves_a_page_of_all() {
    let mut served = Served::start(false).await;
    let mut request = served.request(&mut Numbers(1), 10, 0);
    let all = served.rank(&request).await;
    assert_eq!(all.candidates.len(), 10);
    let everywhere = WeightRange {
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };
    assert!(
        all.candidates
            .iter()
            .all(|candidate| candidate.page_ranges == [everywhere; 2])
    );
    assert!(
        all.objectives
            .iter()
            .all(|objective| objective.page_range.is_some())
    );
    request.stability = false;
    let quiet = served.rank(&request).await;
    assert!(
        quiet
            .candidates
            .iter()
            .all(|candidate| candidate.page_ranges.is_empty())
    );
    assert!(
        quiet
            .objectives
            .iter()
            .all(|objective| objective.page_range.is_none())
    );
    assert_eq!(ids(&quiet), ids(&all));

    let n = 5_000;
    let column: Vec<f32> = (0..n).map(|at| at as f32 / n as f32).collect();
    let mut large = common::request(&column, &column);
    (large.limit, large.stability) = (1_000, true);
    let status = served.ranking.rank(large).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).1["field"].as_str()),
        (Code::InvalidArgument, "stability")
    );
    assert!(
        status.message().contains("1000 places of 5000 candidates"),
        "{}",
        status.message()
    );
}
