//! What weights are bound to, over real sockets: models that are replaced under a profile that
//! warns and one that holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Model, assert_recomputes, info, objective, request, two_objectives,
    weights::{Weights, at, bait, cause, change, get, set, values},
};
use counterweight_proto::counterweight::v1::{
    ModelBinding, ProfileChange, ProfileWeights, RollbackWeightsRequest, SetWeightsRequest,
};
use counterweight_test_support::{eventually, eventually_some};
use tonic::Code;

/// Two models and a profile with that policy.
async fn with_policy(policy: &str) -> (Model, Model, Combiner) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!(
        "{}[objective.calibrator]\nmethod = \"platt\"\nslope = 1.0\nintercept = 0.0\n[profile.default]\n\
         weights = {{ engagement = 1.0, engagement_bait = -0.5 }}\non_model_change = {policy:?}\n",
        two_objectives(&e, &b)
    );
    let combiner = Combiner::start(&config).await;
    (e, b, combiner)
}

fn confirm() -> SetWeightsRequest {
    set(vec![ProfileChange {
        confirm_models: true,
        ..change("default", &[], None)
    }])
}

fn named(objective: &str, version: &str) -> SetWeightsRequest {
    let mut request = bait(-2.0, None);
    request.changes[0].bindings = vec![ModelBinding {
        objective: objective.into(),
        model_version: version.into(),
        calibrator: String::new(),
    }];
    request
}

/// The default profile, once the combiner has heard that another version is served: a model is not
/// asked again at once.
async fn until_reported(client: &mut Weights, version: &str) -> ProfileWeights {
    eventually_some("another version is noticed", async || {
        let now = get(client, "default").await;
        let mut unconfirmed = now.unconfirmed.iter();
        let noticed = unconfirmed.any(|one| one.served_model_version == version);
        noticed.then_some(now)
    })
    .await
}

#[tokio::test]
async fn a_set_is_bound_to_what_is_served_and_warns_when_that_is_replaced() {
    let (_e, b, combiner) = with_policy("warn").await;
    let mut client = combiner.weights().await;
    let mut ranking = combiner.ranking().await;
    // The configured defaults are bound to nothing.
    assert!(get(&mut client, "default").await.bindings.is_empty());
    client.set_weights(bait(-1.0, None)).await.unwrap();
    let bound = get(&mut client, "default").await.bindings;
    let versions: Vec<_> = bound
        .iter()
        .map(|b| (b.objective.as_str(), b.model_version.as_str()))
        .collect();
    assert_eq!(versions, [("engagement", "v1"), ("engagement_bait", "v1")]);
    assert!(bound[0].calibrator.is_empty() && bound[1].calibrator.starts_with("platt-"));
    let query = request(&[0.9], &[0.5]);
    let answer = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert!(answer.unconfirmed.is_empty());
    assert_eq!(answer.objectives[1].calibrator, bound[1].calibrator);

    b.state.replace("v2", false);
    let answer = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert_recomputes(&answer);
    assert_eq!(answer.objectives[1].model_version, "v2", "it ranks on");
    let unconfirmed = &answer.unconfirmed[..];
    assert_eq!(unconfirmed.len(), 1);
    assert_eq!(unconfirmed[0].tuned_for.as_ref(), Some(&bound[1]));
    assert_eq!(unconfirmed[0].served_model_version, "v2");
    // The metric needs no caller.
    eventually("the metric", async || {
        combiner
            .metrics_text()
            .await
            .contains("counterweight_weights_unconfirmed{profile=\"default\"} 1")
    })
    .await;
    let reported = until_reported(&mut client, "v2").await;
    assert_eq!(reported.unconfirmed, answer.unconfirmed);

    client.set_weights(confirm()).await.unwrap();
    let answer = ranking.rank(query).await.unwrap().into_inner();
    assert!(answer.unconfirmed.is_empty());
    let now = get(&mut client, "default").await;
    assert_eq!(values(&now), [1.0, -1.0], "the weights are as they were");
    assert_eq!(now.bindings[1].model_version, "v2");
}

#[tokio::test]
async fn a_profile_that_holds_stays_on_its_version_until_it_is_confirmed() {
    let (_e, b, combiner) = with_policy("hold").await;
    let mut client = combiner.weights().await;
    let mut ranking = combiner.ranking().await;
    let query = request(&[0.9], &[0.5]);
    client.set_weights(bait(-1.0, None)).await.unwrap();
    b.state.replace("v2", true);
    let answer = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!(answer.objectives[1].model_version, "v1", "it is asked for");
    assert_eq!(b.state.last().0.model_version, "v1");
    assert!(answer.unconfirmed.is_empty());
    let now = until_reported(&mut client, "v2").await;
    assert_eq!(now.unconfirmed[0].served_model_version, "v2");

    // Moving a weight does not confirm it for another model, and naming what is held is right.
    client.set_weights(bait(-1.5, None)).await.unwrap();
    client
        .set_weights(named("engagement_bait", "v1"))
        .await
        .unwrap();
    let answer = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!(answer.objectives[1].model_version, "v1");

    // What is held and served no more is no answer.
    b.state.also.lock().unwrap().clear();
    let status = ranking.rank(query.clone()).await.unwrap_err();
    let (reason, facts) = info(&status);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::FailedPrecondition, "WEIGHTS_NOT_BOUND")
    );
    assert_eq!(
        (
            facts["objective"].as_str(),
            facts["bound_model_version"].as_str()
        ),
        ("engagement_bait", "v1")
    );

    until_reported(&mut client, "v2").await;
    client
        .set_weights(named("engagement_bait", "v2"))
        .await
        .unwrap();
    let answer = ranking.rank(query).await.unwrap().into_inner();
    assert_eq!(answer.objectives[1].model_version, "v2");

    // Back to weights of a version that is gone would stop the feed.
    let back = |force| RollbackWeightsRequest {
        revision: 1,
        profiles: vec![at("default")],
        cause: cause("back"),
        force,
    };
    let status = client.rollback_weights(back(false)).await.unwrap_err();
    assert_eq!(info(&status).0, "WEIGHTS_NOT_BOUND");
    client.rollback_weights(back(true)).await.unwrap();
}

#[tokio::test]
async fn a_binding_that_is_named_has_to_be_what_is_served() {
    let (e, _b, combiner) = with_policy("hold").await;
    let mut client = combiner.weights().await;
    let status = client
        .set_weights(named("engagement_bait", "v7"))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "NOT_SERVED")
    );
    assert!(
        status.message().contains("version \"v7\"") && status.message().contains("version \"v1\""),
        "{}",
        status.message()
    );
    let status = client.set_weights(named("bait", "v1")).await.unwrap_err();
    assert_eq!(info(&status).0, "UNKNOWN_OBJECTIVE");
    let mut calibrated = named("engagement_bait", "v1");
    calibrated.changes[0].bindings[0].calibrator = "platt-other".into();
    let status = client.set_weights(calibrated).await.unwrap_err();
    assert_eq!(info(&status).0, "NOT_SERVED");
    drop(combiner);

    // A model that never said its version can not be held.
    let gone = e.url();
    e.kill();
    let config = format!(
        "{}[profile.default]\nweights = {{ engagement = 1.0 }}\non_model_change = \"hold\"\n",
        objective("engagement", &[gone], "")
    );
    let combiner = Combiner::start(&config).await;
    let mut client = combiner.weights().await;
    let request = set(vec![change("default", &[("engagement", 2.0)], None)]);
    let status = client.set_weights(request.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "VERSION_UNKNOWN")
    );
    let forced = SetWeightsRequest {
        force: true,
        ..request
    };
    client.set_weights(forced).await.unwrap();
}
