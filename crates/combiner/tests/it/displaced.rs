//! The file of the weights log is moved, removed, replaced, cut off or written over under a running combiner.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{fs, path::Path};

use common::{
    Combiner, info, request, two_models,
    weights::{Weights, bait, get, values},
};
use counterweight_proto::counterweight::v1::{
    GetWeightsRequest, GetWeightsResponse, VerifyWeightsRequest,
};
use counterweight_test_support::eventually;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

async fn weights(client: &mut Weights) -> GetWeightsResponse {
    let all = GetWeightsRequest::default();
    client.get_weights(all).await.unwrap().into_inner()
}

async fn health(combiner: &Combiner) -> ServingStatus {
    let request = HealthCheckRequest {
        service: "counterweight.v1.WeightsService".into(),
    };
    let mut client = HealthClient::new(combiner.channel().await);
    client.check(request).await.unwrap().into_inner().status()
}

/// Copies a file onto a path by another file, as a restore does.
fn put_in_place(path: &Path, content: &[u8]) {
    let beside = path.with_extension("restored");
    fs::write(&beside, content).unwrap();
    fs::rename(&beside, path).unwrap();
}

#[tokio::test]
async fn a_write_that_would_be_lost_is_refused_and_everything_says_why() {
    type Damage = fn(&Path, &[u8]);
    let damages: [(&str, Damage); 5] = [
        ("it was moved or removed", |path, _| {
            fs::rename(path, path.with_extension("log.1")).unwrap();
        }),
        ("it was moved or removed", |path, _| {
            fs::remove_file(path).unwrap();
        }),
        ("another file was put in its place", put_in_place),
        ("it was cut off", |path, whole| {
            fs::write(path, &whole[..whole.len() / 2]).unwrap();
        }),
        ("its last entry is another one", |path, whole| {
            fs::write(path, vec![b'x'; whole.len()]).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let (_e, _b, combiner) = two_models("").await;
        let mut client = combiner.weights().await;
        for weight in [-1.0, -2.0] {
            client.set_weights(bait(weight, None)).await.unwrap();
        }
        let path = combiner.folder.path().join("weights.log");
        let whole = fs::read(&path).unwrap();
        damage(&path, &whole);
        let there = fs::read(&path).ok();

        let status = client.set_weights(bait(-3.0, None)).await.unwrap_err();
        assert_eq!(
            (status.code(), info(&status).0.as_str()),
            (Code::FailedPrecondition, "STORE_BROKEN")
        );
        assert!(status.message().contains(what), "{}", status.message());
        assert!(
            status
                .message()
                .contains("restart the server with the right file"),
            "{}",
            status.message()
        );
        assert_eq!(fs::read(&path).ok(), there, "nothing was written");

        // Rankings go on, and every answer about the weights says what happened.
        let ranked = combiner.ranking().await.rank(request(&[0.9], &[0.5])).await;
        let ranked = ranked.unwrap().into_inner();
        assert!(ranked.weights_stale && ranked.objectives[1].weight == -2.0);
        let told = weights(&mut client).await;
        assert!(told.stale && told.stale_reason.contains(what), "{told:?}");
        assert!(told.replicas[0].problem.contains(what), "{told:?}");
        let metrics = combiner.metrics_text().await;
        assert!(metrics.contains("counterweight_weights_store_lost 1"));
        eventually("health goes down", async || {
            health(&combiner).await == ServingStatus::NotServing
        })
        .await;
        let verify = VerifyWeightsRequest::default();
        let verified = client.verify_weights(verify).await.unwrap().into_inner();
        assert!(!verified.problem.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn it_is_noticed_without_a_write_and_writes_go_on_when_the_file_is_back() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    client.set_weights(bait(-1.0, None)).await.unwrap();
    let path = combiner.folder.path().join("weights.log");
    let aside = path.with_extension("log.1");
    fs::rename(&path, &aside).unwrap();
    eventually("it is noticed", async || weights(&mut client).await.stale).await;
    fs::rename(&aside, &path).unwrap();
    client.set_weights(bait(-2.0, None)).await.unwrap();
    assert!(!weights(&mut client).await.stale);
    eventually("health goes up", async || {
        health(&combiner).await == ServingStatus::Serving
    })
    .await;
    let folder = combiner.stop().await;
    let config = format!(
        "[[objective]]\nname = \"engagement\"\ncolumn = {{ name = \"xe\" }}\n\
         [[objective]]\nname = \"engagement_bait\"\ncolumn = {{ name = \"xb\" }}\n{}",
        common::PROFILES
    );
    let combiner = Combiner::start_in(&config, folder).await;
    let profile = get(&mut combiner.weights().await, "default").await;
    assert_eq!(values(&profile), [1.0, -2.0]);
}
