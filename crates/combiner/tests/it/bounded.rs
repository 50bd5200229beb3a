//! What a change of weights, a page of the history and a crowd of watchers may take at most.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use common::{
    Combiner,
    audience::{any_of, segment, segments, text},
    info,
    replay::{THREE_COLUMNS, rank_all, requests},
    two_models,
    weights::{bait, change, get, ramp, set, values},
};
use counterweight_proto::counterweight::v1::{
    Exploration, ExplorationChange, ListRevisionsRequest, PreviewWeightsRequest, ProfileChange,
    SetWeightsRequest, SolveWeightsRequest, WatchWeightsRequest, solve_weights_request::Goal,
};
use prost::Message as _;
use tonic::Code;

/// What segments may ask for.
const ATTRIBUTES: &str = "attributes = [\"country\"]";

/// Segments of so many values of 256 bytes.
fn wide(values: usize) -> ProfileChange {
    let values = (0..values).map(|at| text(&format!("{at:0256}"))).collect();
    let newcomers = segment(
        "newcomers",
        vec![any_of("country", values)],
        &[("engagement_bait", -1.0)],
    );
    segments(vec![newcomers])
}

#[tokio::test]
async fn weights_that_could_make_a_score_infinite_are_refused_wherever_they_are_set() {
    let (_e, _b, combiner) = two_models(ATTRIBUTES).await;
    let mut client = combiner.weights().await;
    let huge = f64::MAX;
    let exploring = ProfileChange {
        profile: "default".into(),
        exploration: Some(ExplorationChange {
            exploration: Some(Exploration {
                low: 0.0,
                high: huge,
                ..Exploration::default()
            }),
        }),
        ..ProfileChange::default()
    };
    let in_segment = segments(vec![segment(
        "s",
        vec![any_of("country", vec![text("a")])],
        &[("engagement_bait", -huge)],
    )]);
    for (refused, reason) in [
        (
            change("default", &[("engagement", huge)], None),
            "WRONG_WEIGHT",
        ),
        (
            change("default", &[("engagement_bait", -1.1e12)], None),
            "WRONG_WEIGHT",
        ),
        (in_segment, "WRONG_RULE"),
        (exploring, "WRONG_RULE"),
    ] {
        for force in [false, true] {
            let request = SetWeightsRequest {
                force,
                ..set(vec![refused.clone()])
            };
            let status = client.set_weights(request).await.unwrap_err();
            assert_eq!(
                (status.code(), info(&status).0.as_str()),
                (Code::InvalidArgument, reason)
            );
            assert!(status.message().contains("1e12"), "{}", status.message());
        }
    }
    let status = client
        .start_ramp(ramp(&[("engagement", huge)], 1_000, 3))
        .await
        .unwrap_err();
    assert_eq!(info(&status).0, "WRONG_WEIGHT");
    client.set_weights(bait(-1e12, None)).await.unwrap();
}

#[tokio::test]
async fn an_entry_and_a_page_of_the_history_have_a_size() {
    let (_e, _b, combiner) = two_models(ATTRIBUTES).await;
    let mut client = combiner.weights().await;
    let long = segments(vec![segment(
        "s",
        vec![any_of("country", vec![text(&"x".repeat(257))])],
        &[],
    )]);
    let status = client.set_weights(set(vec![long])).await.unwrap_err();
    assert!(
        status.message().contains("257 bytes; send at most 256"),
        "{}",
        status.message()
    );
    let both = ProfileChange {
        profile: "careful".into(),
        ..wide(600)
    };
    let status = client
        .set_weights(set(vec![wide(600), both]))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::InvalidArgument, "ENTRY_TOO_LARGE")
    );
    assert_eq!(info(&status).1["limit"], "262144");

    for _ in 0..12 {
        client.set_weights(set(vec![wide(600)])).await.unwrap();
    }
    let mut revisions = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListRevisionsRequest {
            page_token,
            ..Default::default()
        };
        let page = client.list_revisions(request).await.unwrap().into_inner();
        assert!(page.encoded_len() <= (1 << 20) + 100 && page.entries.len() > 1);
        revisions.extend(page.entries.iter().map(|entry| entry.revision));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(revisions, (1..=12).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_ramp_of_many_steps_takes_little_room_and_keeps_the_segments() {
    let (_e, _b, combiner) = two_models(ATTRIBUTES).await;
    let mut client = combiner.weights().await;
    client.set_weights(set(vec![wide(600)])).await.unwrap();
    let log = combiner.folder.path().join("weights.log");
    client
        .start_ramp(ramp(&[("engagement_bait", -3.0)], 2_000, 10_000))
        .await
        .unwrap();
    let before = std::fs::metadata(&log).unwrap().len();
    let begun = Instant::now();
    let done = loop {
        let profile = get(&mut client, "default").await;
        if profile.ramp.is_none() {
            break profile;
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(values(&done), [1.0, -3.0]);
    assert_eq!(done.segments.len(), 1);
    let entries = client
        .list_revisions(ListRevisionsRequest::default())
        .await
        .unwrap()
        .into_inner()
        .entries;
    let steps = entries[0].revision - 2;
    let grown = std::fs::metadata(&log).unwrap().len() - before;
    assert!(
        steps > 10 && grown / steps < 1_000,
        "{grown} bytes for {steps}"
    );
    assert_eq!(values(&entries[0].profiles[0]), [1.0, -3.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_are_never_aborted_by_changes_and_say_what_they_saw() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    rank_all(&mut combiner.ranking().await, &requests(20, 7)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (mut writer, stopped) = (combiner.weights().await, Arc::clone(&stop));
    let writing = tokio::spawn(async move {
        let mut weight = -1.0;
        while !stopped.load(Ordering::Relaxed) {
            weight -= 0.001;
            writer.set_weights(bait(weight, None)).await.unwrap();
        }
    });
    let mut client = combiner.weights().await;
    let mut seen = Vec::new();
    for _ in 0..40 {
        let request = SolveWeightsRequest {
            goal: Some(Goal::ExchangeRate(1.0)),
            ..Default::default()
        };
        let solved = client.solve_weights(request).await.unwrap().into_inner();
        seen.push(solved.preview.unwrap().revision);
        let request = PreviewWeightsRequest {
            change: Some(change("default", &[("engagement_bait", -2.0)], Some(0))),
            k: 3,
        };
        let preview = client.preview_weights(request).await.unwrap().into_inner();
        seen.push(preview.preview.unwrap().revision);
    }
    stop.store(true, Ordering::Relaxed);
    writing.await.unwrap();
    assert!(seen.is_sorted() && seen.last() > seen.first(), "{seen:?}");
    let request = PreviewWeightsRequest {
        change: Some(change("default", &[("engagement_bait", -2.0)], Some(0))),
        k: 3,
    };
    let preview = client.preview_weights(request).await.unwrap().into_inner();
    let refusal = preview.preview.unwrap().refusal;
    assert!(refusal.contains("the change expected 0"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_watchers_who_do_not_read_slows_no_change_down() {
    const WATCHERS: usize = 300;
    // Longer than the test takes on a slow machine: it is not about the end of slow watchers.
    let settings = format!("{ATTRIBUTES}\n[limits]\nsend_timeout_ms = 600000");
    let (_e, _b, combiner) = two_models(&settings).await;
    let mut client = combiner.weights().await;
    client.set_weights(set(vec![wide(600)])).await.unwrap();
    let mut watchers = Vec::with_capacity(WATCHERS);
    for connection in 0..3 {
        let crowd = combiner.weights().await;
        for _ in 0..WATCHERS / 3 {
            let request = WatchWeightsRequest {
                from_revision: connection % 2,
            };
            let stream = crowd.clone().watch_weights(request).await.unwrap();
            watchers.push(stream.into_inner());
        }
    }
    // On its own connection: the others of a connection that do not read fill its window.
    let mut reader = combiner.weights().await;
    let request = WatchWeightsRequest { from_revision: 0 };
    let mut reader = reader.watch_weights(request).await.unwrap().into_inner();
    let begun = Instant::now();
    for at in 0..10 {
        let weight = -2.0 - f64::from(at);
        client.set_weights(bait(weight, None)).await.unwrap();
    }
    let each = begun.elapsed() / 10;
    println!("a change with {WATCHERS} watchers took {each:?}");
    assert!(each < Duration::from_secs(10), "{each:?}");
    // One who begins to read gets everything, in order.
    for revision in 2..=11 {
        let entry = reader.message().await.unwrap().unwrap().entry.unwrap();
        assert_eq!(entry.revision, revision);
    }
}
