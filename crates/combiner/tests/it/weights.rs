//! The weights service over real sockets: compare-and-set, idempotency, restarts and watching.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{fs, sync::Arc};

use common::{
    Combiner, Model, PROFILES, assert_recomputes, info, request, two_models, two_objectives,
    weights::{bait, cause, change, set},
};
use counterweight_combiner::{CombinerError, StoreError};
use counterweight_proto::counterweight::v1::{
    Cause, GetRevisionRequest, GetWeightsRequest, SetWeightsRequest, WatchWeightsRequest,
    weights_service_client::WeightsServiceClient,
};
use counterweight_test_support::soon;
use tonic::{Code, transport::Channel};

#[tokio::test]
async fn a_change_is_applied_to_the_next_request_and_survives_a_restart() {
    let (e, b, combiner) = two_models("replica = \"a\"").await;
    let mut weights = combiner.weights().await;
    let mut ranking = combiner.ranking().await;
    let query = request(&[0.9, 0.5], &[0.5, 0.1]);
    let order = |answer: &counterweight_proto::counterweight::v1::RankResponse| {
        answer.candidates[0].id.clone()
    };
    let before = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!((order(&before).as_str(), before.revision), ("c0000", 0));

    let done = weights
        .set_weights(bait(-3.0, Some(0)))
        .await
        .unwrap()
        .into_inner()
        .entry
        .unwrap();
    assert_eq!((done.revision, done.hash.len()), (1, 64));
    let sets: Vec<_> = done.profiles[0]
        .weights
        .iter()
        .map(|w| (w.objective.as_str(), w.weight))
        .collect();
    assert_eq!(
        sets,
        [("engagement", 1.0), ("engagement_bait", -3.0)],
        "the whole profile"
    );
    let after = ranking.rank(query.clone()).await.unwrap().into_inner();
    assert_eq!((order(&after).as_str(), after.revision), ("c0001", 1));
    assert_eq!(after.objectives[1].weight, -3.0);
    assert_recomputes(&after);

    let folder = combiner.stop().await;
    let config = two_objectives(&e, &b) + PROFILES;
    let combiner = Combiner::start_in(&config, folder).await;
    let again = combiner
        .ranking()
        .await
        .rank(query)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((again.revision, again.objectives[1].weight), (1, -3.0));
    let reported = combiner
        .weights()
        .await
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((reported.applied_revision, reported.stale), (1, false));
    let revisions: Vec<_> = reported
        .profiles
        .iter()
        .map(|p| (p.profile.as_str(), p.revision))
        .collect();
    assert_eq!(revisions, [("careful", 0), ("default", 1)]);
    assert!(
        combiner
            .metrics_text()
            .await
            .contains("counterweight_weights_revision{profile=\"default\"} 1")
    );
}

#[tokio::test]
async fn of_many_writers_who_saw_the_same_revision_one_wins() {
    let (_e, _b, combiner) = two_models("").await;
    for round in 0..5 {
        let racers: Vec<_> = (0..8)
            .map(|writer| {
                let address = combiner.address;
                tokio::spawn(async move {
                    let mut client = WeightsServiceClient::connect(format!("http://{address}"))
                        .await
                        .unwrap();
                    client
                        .set_weights(bait(-1.0 - f64::from(writer), Some(round)))
                        .await
                })
            })
            .collect();
        let mut won = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(done) => {
                    won += 1;
                    assert_eq!(done.into_inner().entry.unwrap().revision, round + 1);
                }
                Err(status) => {
                    assert_eq!(status.code(), Code::Aborted);
                    let (reason, facts) = info(&status);
                    assert_eq!(
                        (reason.as_str(), facts["current_revision"].as_str()),
                        ("REVISION_MISMATCH", (round + 1).to_string().as_str())
                    );
                }
            }
        }
        assert_eq!(won, 1);
    }
    let mut client = combiner.weights().await;
    let other = set(vec![change("careful", &[("engagement", 2.0)], Some(0))]);
    assert_eq!(
        client
            .set_weights(other)
            .await
            .unwrap()
            .into_inner()
            .entry
            .unwrap()
            .revision,
        6,
        "an entry of another profile is no conflict"
    );
    let both = set(vec![
        change("careful", &[("engagement", 3.0)], Some(6)),
        change("default", &[("engagement", 3.0)], Some(1)),
    ]);
    assert_eq!(
        client.set_weights(both).await.unwrap_err().code(),
        Code::Aborted
    );
    let reported = client
        .get_weights(GetWeightsRequest {
            profile: "careful".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            reported.profiles[0].revision,
            reported.profiles[0].weights[0].weight
        ),
        (6, 2.0),
        "all or nothing"
    );
}

#[tokio::test]
async fn a_repeat_is_known_by_its_intent_whatever_was_read_in_between() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    let with_intent = |weight: f64, intent: &str| SetWeightsRequest {
        cause: Some(Cause {
            idempotency_key: "k".into(),
            intent: intent.into(),
            ..cause("less bait").unwrap()
        }),
        ..bait(weight, None)
    };
    let first = client
        .set_weights(with_intent(-2.0, "less"))
        .await
        .unwrap()
        .into_inner();
    let again = client.set_weights(with_intent(-3.0, "less")).await;
    assert_eq!(again.unwrap().into_inner(), first);
    let status = client
        .set_weights(with_intent(-2.0, "more"))
        .await
        .unwrap_err();
    assert_eq!(info(&status).0, "IDEMPOTENCY_KEY_REUSED");

    let look_up = |key: &str, intent: &str| GetRevisionRequest {
        idempotency_key: key.into(),
        intent: intent.into(),
        ..Default::default()
    };
    let found = client.get_revision(look_up("k", "less")).await;
    let found = found.unwrap().into_inner();
    assert_eq!(found.entry, first.entry);
    assert_eq!(found.before[0].weights[1].weight, -0.5);
    assert_eq!(found.before[0].revision, 0);
    let unused = client.get_revision(look_up("unused", "less")).await;
    assert_eq!(unused.unwrap().into_inner().entry, None);
    let status = client.get_revision(look_up("k", "more")).await.unwrap_err();
    assert_eq!(info(&status).0, "IDEMPOTENCY_KEY_REUSED");
    for wrong in [
        look_up("k", ""),
        GetRevisionRequest {
            revision: 1,
            ..look_up("k", "less")
        },
    ] {
        let status = client.get_revision(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

/// A change under a key.
fn under_key(request: SetWeightsRequest) -> SetWeightsRequest {
    SetWeightsRequest {
        cause: Some(Cause {
            idempotency_key: "k1".into(),
            ..request.cause.unwrap()
        }),
        ..request
    }
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_even_after_a_restart() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    let first_call = under_key(bait(-2.0, Some(0)));
    let first = client
        .set_weights(first_call.clone())
        .await
        .unwrap()
        .into_inner();
    client.set_weights(bait(-4.0, None)).await.unwrap();
    assert_eq!(
        client
            .set_weights(first_call.clone())
            .await
            .unwrap()
            .into_inner(),
        first
    );
    // Who repeats a call reads the profile again: another revision is not another change.
    let reread = under_key(bait(-2.0, Some(2)));
    let repeated = client.set_weights(reread).await.unwrap().into_inner();
    assert_eq!(repeated, first);
    let other = under_key(bait(-2.5, Some(0)));
    let status = client.set_weights(other.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED")
    );
    let reported = client
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reported.applied_revision, 2, "a repeat writes nothing");

    let folder = combiner.stop().await;
    let (_e, _b, combiner) = restarted(folder).await;
    let mut client = combiner.weights().await;
    assert_eq!(
        client.set_weights(first_call).await.unwrap().into_inner(),
        first
    );
    assert_eq!(
        client.set_weights(other).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

async fn restarted(folder: Arc<tempfile::TempDir>) -> (Model, Model, Combiner) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = two_objectives(&e, &b) + PROFILES;
    let combiner = Combiner::start_in(&config, folder).await;
    (e, b, combiner)
}

#[tokio::test]
async fn refused_changes_name_what_is_wrong_and_write_nothing() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    client.set_weights(bait(-1.0, None)).await.unwrap();
    let long = "x".repeat(4097);
    let cases = [
        (
            bait(f64::NAN, None),
            Code::InvalidArgument,
            "WRONG_WEIGHT",
            "engagement_bait",
        ),
        (
            bait(f64::INFINITY, None),
            Code::InvalidArgument,
            "WRONG_WEIGHT",
            "engagement_bait",
        ),
        (
            set(vec![change(
                "default",
                &[("engagement_bait", 0.0), ("engagement", 0.0)],
                None,
            )]),
            Code::InvalidArgument,
            "WRONG_WEIGHT",
            "every weight is zero",
        ),
        (
            set(vec![change("default", &[("engagment", 1.0)], None)]),
            Code::InvalidArgument,
            "UNKNOWN_OBJECTIVE",
            "did you mean \"engagement\"?",
        ),
        (
            set(vec![change(
                "default",
                &[("engagement", 1.0), ("engagement", 2.0)],
                None,
            )]),
            Code::InvalidArgument,
            "WRONG_WEIGHT",
            "sent twice",
        ),
        (
            set(vec![change("default", &[], None)]),
            Code::InvalidArgument,
            "WRONG_WEIGHT",
            "no weight is sent",
        ),
        (
            set(vec![change("home", &[("engagement", 1.0)], None)]),
            Code::NotFound,
            "UNKNOWN_PROFILE",
            "home",
        ),
        (
            set(vec![
                change("default", &[("engagement", 1.0)], None),
                change("default", &[("engagement", 2.0)], None),
            ]),
            Code::InvalidArgument,
            "DUPLICATE_PROFILE",
            "default",
        ),
        (set(vec![]), Code::InvalidArgument, "FIELD", "changes"),
        (
            bait(-1.0, Some(2)),
            Code::InvalidArgument,
            "FUTURE_REVISION",
            "ends at revision 1",
        ),
        (
            bait(-1.0, Some(0)),
            Code::Aborted,
            "REVISION_MISMATCH",
            "is at revision 1",
        ),
        (
            SetWeightsRequest {
                cause: Some(Cause {
                    author: " ".into(),
                    ..cause("less bait").unwrap()
                }),
                ..bait(-1.0, None)
            },
            Code::InvalidArgument,
            "FIELD",
            "author",
        ),
        (
            SetWeightsRequest {
                cause: cause(""),
                ..bait(-1.0, None)
            },
            Code::InvalidArgument,
            "FIELD",
            "reason",
        ),
        (
            SetWeightsRequest {
                cause: cause(&long),
                ..bait(-1.0, None)
            },
            Code::InvalidArgument,
            "FIELD",
            "4097 bytes; send at most 4096",
        ),
        (
            SetWeightsRequest {
                cause: cause(&"x".repeat(1 << 20)),
                ..bait(-1.0, None)
            },
            Code::InvalidArgument,
            "FIELD",
            "reason",
        ),
    ];
    for (request, code, reason, text) in cases {
        let status = client.set_weights(request).await.expect_err(text);
        assert_eq!(
            (status.code(), info(&status).0.as_str()),
            (code, reason),
            "{status:?}"
        );
        assert!(status.message().contains(text), "{}", status.message());
    }
    let reported = client
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reported.applied_revision, 1);
    assert_eq!(
        client
            .get_weights(GetWeightsRequest {
                profile: "home".into()
            })
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

/// Reads entries until the revision `to`, and checks that they come in order, without gap, and
/// chained.
async fn watch_to(client: &mut WeightsServiceClient<Channel>, from: u64, to: u64) {
    let mut stream = client
        .watch_weights(WatchWeightsRequest {
            from_revision: from,
        })
        .await
        .unwrap()
        .into_inner();
    let mut previous: Option<String> = None;
    for revision in from..=to {
        let entry = stream.message().await.unwrap().unwrap().entry.unwrap();
        assert_eq!(entry.revision, revision);
        if let Some(previous) = &previous {
            assert_eq!(&entry.previous_hash, previous);
        }
        previous = Some(entry.hash);
    }
}

#[tokio::test]
async fn watchers_get_every_entry_in_order_from_where_they_say_and_slow_ones_hold_nobody_up() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    // Never read: its stream fills, and only it waits.
    let _slow = client
        .watch_weights(WatchWeightsRequest { from_revision: 1 })
        .await
        .unwrap()
        .into_inner();
    let last = 300;
    let watchers: Vec<_> = (0..4)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { watch_to(&mut client, 1, last).await })
        })
        .collect();
    let mut from_now = client
        .watch_weights(WatchWeightsRequest { from_revision: 0 })
        .await
        .unwrap()
        .into_inner();
    for revision in 1..=last {
        let done = client
            .set_weights(bait(-1.0 / revision as f64, None))
            .await
            .unwrap()
            .into_inner()
            .entry
            .unwrap();
        assert_eq!(done.revision, revision);
    }
    for watcher in watchers {
        let seen = soon("a watcher sees the last entry", watcher).await;
        seen.unwrap();
    }
    let first = from_now.message().await.unwrap().unwrap().entry.unwrap();
    assert_eq!(first.revision, 1, "0 begins with what comes next");
    assert_eq!(
        (first.author.as_str(), first.reason.as_str()),
        ("ana", "less bait")
    );
    assert!(first.time.is_some());
    watch_to(&mut client, 217, last).await;
    let status = client
        .watch_weights(WatchWeightsRequest {
            from_revision: last + 2,
        })
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::InvalidArgument, "FUTURE_REVISION")
    );
    // The next revision is a fair place to resume.
    client
        .watch_weights(WatchWeightsRequest {
            from_revision: last + 1,
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_store_that_is_torn_is_mended_and_one_that_is_damaged_or_taken_is_refused() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    for weight in [-1.0, -2.0, -3.0] {
        client.set_weights(bait(weight, None)).await.unwrap();
    }
    let taken = Combiner::start_in(common_config(), Arc::clone(&combiner.folder))
        .await
        .stopped()
        .await
        .unwrap_err();
    assert!(
        matches!(taken, CombinerError::Store(StoreError::Locked { .. })),
        "{taken}"
    );

    let folder = combiner.stop().await;
    let path = folder.path().join("weights.log");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let (_e, _b, combiner) = restarted(Arc::clone(&folder)).await;
    let reported = combiner
        .weights()
        .await
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reported.applied_revision, 2);
    assert!(path.with_extension("log.unfinished-3").exists());
    combiner.stop().await;

    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    fs::write(&path, flipped).unwrap();
    let damaged = Combiner::start_in(common_config(), folder)
        .await
        .stopped()
        .await
        .unwrap_err();
    assert!(
        matches!(
            damaged,
            CombinerError::Store(StoreError::Corrupt { revision: 1, .. })
        ),
        "{damaged}"
    );
}

fn common_config() -> &'static str {
    "[[objective]]\nname = \"engagement\"\n[objective.column]\nname = \"p\"\n[profile.default]\nweights = { engagement = 1.0 }\n"
}

#[tokio::test]
async fn the_log_outlives_changes_of_the_configuration() {
    let (_e, _b, combiner) = two_models("").await;
    let mut client = combiner.weights().await;
    client
        .set_weights(set(vec![
            change("default", &[("engagement", 7.0)], None),
            change("careful", &[("engagement", 5.0)], None),
        ]))
        .await
        .unwrap();
    let folder = combiner.stop().await;
    // The profile "careful" and the objective "engagement_bait" are gone, and "hide" is new.
    let config = "[[objective]]\nname = \"engagement\"\n[objective.column]\nname = \"p\"\n\
                  [[objective]]\nname = \"hide\"\n[objective.column]\nname = \"h\"\n\
                  [profile.default]\nweights = { engagement = 1.0, hide = -9.0 }\n";
    let combiner = Combiner::start_in(config, Arc::clone(&folder)).await;
    let reported = combiner
        .weights()
        .await
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let sets: Vec<_> = reported.profiles[0]
        .weights
        .iter()
        .map(|w| (w.objective.as_str(), w.weight))
        .collect();
    assert_eq!(sets, [("engagement", 7.0), ("hide", -9.0)]);
    assert_eq!(reported.profiles[0].revision, 1);
    combiner.stop().await;

    let other = "[[objective]]\nname = \"hide\"\n[objective.column]\nname = \"h\"\n[profile.default]\nweights = { hide = -9.0 }\n";
    let combiner = Combiner::start_in(other, folder).await;
    let reported = combiner
        .weights()
        .await
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reported.profiles[0].weights[0].weight, -9.0);
}
