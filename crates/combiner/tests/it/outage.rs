//! Ways out of an outage: an objective of weight 0 is ranked without when its model is down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Mode, Model, PROFILES, assert_recomputes, info, objective, request, two_models,
    weights::{bait, cause},
};
use counterweight_proto::counterweight::v1::{KillWeightsRequest, RankRequest, RankResponse};
use tonic::Code;

const CALM: &str = "[profile.calm]\nweights = { engagement = 1.0, engagement_bait = 0.0 }\n";

fn calm() -> RankRequest {
    RankRequest {
        profile: "calm".into(),
        ..request(&[0.9, 0.5], &[0.2, 0.3])
    }
}

fn without_bait(answer: &RankResponse) {
    assert_eq!(answer.objectives.len(), 1);
    assert_eq!(answer.objectives[0].name, "engagement");
    assert_eq!(answer.degraded.len(), 1);
    assert_eq!(answer.degraded[0].objective, "engagement_bait");
    assert!(!answer.degraded[0].reason.is_empty());
    assert_recomputes(answer);
}

#[tokio::test]
async fn an_objective_of_weight_zero_is_ranked_without_when_its_model_fails() {
    let (_e, b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let mut weights = combiner.weights().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    client.rank(query.clone()).await.unwrap();
    weights.set_weights(bait(0.0, None)).await.unwrap();
    let answer = client.rank(query.clone()).await.unwrap().into_inner();
    assert!(answer.degraded.is_empty() && answer.objectives.len() == 2);
    for mode in [
        Mode::Nan,
        Mode::Status(Code::Internal),
        Mode::Status(Code::Unavailable),
    ] {
        b.state.set(mode);
        without_bait(&client.rank(query.clone()).await.unwrap().into_inner());
    }
    b.kill();
    without_bait(&client.rank(query.clone()).await.unwrap().into_inner());
    weights.set_weights(bait(-0.1, None)).await.unwrap();
    let status = client.rank(query).await.unwrap_err();
    assert_eq!(info(&status).0, "MODEL_UNAVAILABLE");
}

#[tokio::test]
async fn a_model_that_never_spoke_does_not_stop_a_profile_that_gives_it_no_weight() {
    // The kernel accepts for a listener that nobody serves.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let e = Model::start("xe");
    let config = format!(
        "{}{}{PROFILES}{CALM}",
        objective("engagement", &[e.url()], ""),
        objective(
            "engagement_bait",
            &[format!("http://{}", silent.local_addr().unwrap())],
            "timeout_ms = 200"
        )
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    for _ in 0..3 {
        without_bait(&client.rank(calm()).await.unwrap().into_inner());
    }
}

#[tokio::test]
async fn a_safe_set_with_zero_is_a_way_out() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}{}[profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -0.5 }}\n\
         safe = {{ engagement = 1.0, engagement_bait = 0.0 }}\n",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    client.rank(query.clone()).await.unwrap();
    b.kill();
    client.rank(query.clone()).await.unwrap_err();
    let kill = KillWeightsRequest {
        profile: "default".into(),
        cause: cause("the bait model is down"),
        local: false,
    };
    combiner.weights().await.kill_weights(kill).await.unwrap();
    without_bait(&client.rank(query).await.unwrap().into_inner());
}

#[tokio::test]
async fn a_held_version_that_is_gone_does_not_matter_at_weight_zero() {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}{}[profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -0.5 }}\n\
         on_model_change = \"hold\"\n",
        objective("engagement", &[e.url()], ""),
        objective("engagement_bait", &[b.url()], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.ranking().await;
    let mut weights = combiner.weights().await;
    let query = request(&[0.9, 0.5], &[0.2, 0.3]);
    weights.set_weights(bait(-1.0, None)).await.unwrap();
    b.state.replace("v2", false);
    let status = client.rank(query.clone()).await.unwrap_err();
    assert_eq!(info(&status).0, "WEIGHTS_NOT_BOUND");
    weights.set_weights(bait(0.0, None)).await.unwrap();
    without_bait(&client.rank(query).await.unwrap().into_inner());
}

#[tokio::test]
async fn probabilities_just_outside_are_clamped_and_counted() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[1.000_000_1, -1e-6]);
    let answer = client.rank(query).await.unwrap().into_inner();
    assert_recomputes(&answer);
    let bait: Vec<f64> = answer
        .candidates
        .iter()
        .map(|one| one.probabilities[1])
        .collect();
    assert!(
        answer.degraded.is_empty() && bait.contains(&1.0) && bait.contains(&0.0),
        "{bait:?}"
    );
    let metrics = combiner.metrics_text().await;
    let counted = "counterweight_objective_clamped_total{objective=\"engagement_bait\"} 2";
    assert!(metrics.contains(counted), "{metrics}");

    // Farther outside the model is wrong, and would be so again.
    let status = client.rank(request(&[0.9], &[1.001])).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "MODEL_WRONG_ANSWER")
    );
}

#[tokio::test]
async fn a_probability_column_follows_the_same_rule() {
    let config = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"xe\" }\n\
        [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"xb\" }\n";
    let combiner = Combiner::start(&format!("{config}{PROFILES}")).await;
    let mut client = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[1.000_000_1, -1e-6]);
    let answer = client.rank(query).await.unwrap().into_inner();
    let bait: Vec<f64> = answer
        .candidates
        .iter()
        .map(|one| one.probabilities[1])
        .collect();
    assert!(bait.contains(&1.0) && bait.contains(&0.0), "{bait:?}");
    let metrics = combiner.metrics_text().await;
    let counted = "counterweight_objective_clamped_total{objective=\"engagement_bait\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    let status = client.rank(request(&[0.9], &[1.001])).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::InvalidArgument, "NOT_A_PROBABILITY")
    );
}
