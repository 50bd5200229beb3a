//! The kill switch of one combiner while NATS is down, and what ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::sync::Arc;

use common::{
    Combiner, info, request,
    weights::{Weights, bait, cause},
};
use counterweight_proto::counterweight::v1::{
    GetWeightsRequest, GetWeightsResponse, KillWeightsRequest, RankResponse, SkipEntryRequest,
    VerifyWeightsRequest,
};
use counterweight_test_support::{NatsServer, eventually};
use tonic::Code;

const CONFIG: &str = r#"
[[objective]]
name = "engagement"
column = { name = "xe" }
[[objective]]
name = "engagement_bait"
column = { name = "xb" }
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
safe = { engagement = 1.0, engagement_bait = -9.0 }
"#;

async fn start(server: &NatsServer, folder: Arc<tempfile::TempDir>) -> Combiner {
    let store = format!("path = \"copy.log\"\nnats = {:?}", server.url());
    Combiner::start_with(CONFIG, &store, folder).await
}

async fn weights(client: &mut Weights) -> GetWeightsResponse {
    let all = GetWeightsRequest::default();
    client.get_weights(all).await.unwrap().into_inner()
}

async fn rank(combiner: &Combiner) -> RankResponse {
    let ranked = combiner.ranking().await.rank(request(&[0.9], &[0.5])).await;
    ranked.unwrap().into_inner()
}

fn kill(local: bool) -> KillWeightsRequest {
    KillWeightsRequest {
        cause: cause("bait everywhere"),
        local,
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_while_nats_is_down_survives_a_restart_and_ends_when_nats_is_back() {
    let Some(mut server) = NatsServer::start() else {
        return;
    };
    let combiner = start(&server, Arc::new(tempfile::tempdir().unwrap())).await;
    let mut client = combiner.weights().await;
    client.set_weights(bait(-2.0, None)).await.unwrap();
    let status = client.kill_weights(kill(true)).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "STORE_IN_REACH")
    );

    server.kill();
    eventually("NATS is missed", async || weights(&mut client).await.stale).await;
    client.kill_weights(kill(false)).await.unwrap_err();
    let killed = client.kill_weights(kill(true)).await.unwrap().into_inner();
    assert!(killed.entry.is_none());
    let killed = killed.local_kill.unwrap();
    assert_eq!((killed.profiles.len(), killed.not_kept.as_str()), (1, ""));
    let answer = rank(&combiner).await;
    assert!(answer.local_kill && answer.weights_stale);
    assert_eq!(answer.objectives[1].weight, -9.0);
    let told = weights(&mut client).await;
    assert!(told.profiles[0].local_kill);
    assert_eq!(told.local_kill.unwrap().reason, "bait everywhere");
    let metrics = combiner.metrics_text().await;
    assert!(metrics.contains("counterweight_weights_local_kill 1"));

    let folder = combiner.stop().await;
    let combiner = start(&server, folder).await;
    let answer = rank(&combiner).await;
    assert!(answer.local_kill && answer.objectives[1].weight == -9.0);

    server.start_again();
    eventually("it ends", async || !rank(&combiner).await.local_kill).await;
    let answer = rank(&combiner).await;
    assert_eq!((answer.revision, answer.objectives[1].weight), (1, -2.0));
    let mut client = combiner.weights().await;
    let told = weights(&mut client).await;
    assert!(told.local_kill.unwrap().end.is_some() && !told.profiles[0].local_kill);
    let metrics = combiner.metrics_text().await;
    assert!(metrics.contains("counterweight_weights_local_kill 0"));
    // The switch for all works again.
    client.kill_weights(kill(false)).await.unwrap();
    let folder = combiner.stop().await;
    assert!(!folder.path().join("copy.log.local-kill").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_is_said_and_can_be_skipped() {
    let Some(server) = NatsServer::start() else {
        return;
    };
    let folder = || Arc::new(tempfile::tempdir().unwrap());
    let combiner = start(&server, folder()).await;
    let mut client = combiner.weights().await;
    client.set_weights(bait(-2.0, None)).await.unwrap();
    server.publish("counterweight.log", "anything").await;

    eventually("it is noticed", async || weights(&mut client).await.stale).await;
    let told = weights(&mut client).await;
    assert!(
        told.stale_reason.contains("weights skip-entry 2 -m WHY"),
        "{told:?}"
    );
    let metrics = combiner.metrics_text().await;
    assert!(metrics.contains("counterweight_weights_unreadable_revision 2"));
    let status = client.set_weights(bait(-3.0, None)).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::DataLoss, "STORE_CORRUPT")
    );
    assert_eq!(rank(&combiner).await.objectives[1].weight, -2.0);

    let skip = |revision| SkipEntryRequest {
        revision,
        cause: cause("a test of the stream"),
    };
    let status = client.skip_entry(skip(1)).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "NOT_SKIPPABLE")
    );
    let entry = client.skip_entry(skip(2)).await.unwrap().into_inner();
    let entry = entry.entry.unwrap();
    assert_eq!((entry.revision, entry.skipped[0].revision), (3, 2));
    client.set_weights(bait(-4.0, None)).await.unwrap();
    let verify = VerifyWeightsRequest::default();
    let verified = client.verify_weights(verify).await.unwrap().into_inner();
    assert_eq!((verified.entries, verified.problem.as_str()), (4, ""));
    assert_eq!(verified.skipped_revisions, [2]);
    assert!(!weights(&mut client).await.stale);
    let metrics = combiner.metrics_text().await;
    assert!(metrics.contains("counterweight_weights_unreadable_revision 0"));

    let other = start(&server, folder()).await;
    let told = weights(&mut other.weights().await).await;
    assert_eq!(told.applied_revision, 4);
    // A local kill is for a store that is out of reach; a log in a file has nothing to skip.
    let embedded = Combiner::start(CONFIG).await;
    let status = embedded.weights().await.skip_entry(skip(1)).await;
    assert_eq!(info(&status.unwrap_err()).0, "NOT_SKIPPABLE");
}
