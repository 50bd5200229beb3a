//! PreviewWeights over a real socket: what it says is what ranking the same requests again shows,
//! item by item.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner, Mode,
    audience::{any_of, arm, experiment, range, segment, segments, text},
    info,
    log::{assert_same, read_log},
    replay::{Compared, THREE_COLUMNS, compare, rank_all, requests, wide},
    request, two_models,
    weights::{Weights, at, bait, cause, change, get, set},
};
use counterweight_proto::counterweight::v1::{
    Arm, Density, Experiment, ExperimentList, Exploration, ExplorationChange, Preview,
    PreviewWeightsRequest, ProfileChange, RollbackWeightsRequest, Segment, SegmentList,
};
use tonic::{Code, Status};

async fn preview(client: &mut Weights, change: ProfileChange, k: u32) -> Result<Preview, Status> {
    let request = PreviewWeightsRequest {
        change: Some(change),
        k,
    };
    let response = client.preview_weights(request).await?.into_inner();
    Ok(response.preview.unwrap())
}

/// Everything at once: weights, segments, an experiment, and exploration in one of its arms.
fn everything(
    sets: &[(&str, f64)],
    segments: Vec<Segment>,
    arms: Vec<Arm>,
    low: f64,
) -> ProfileChange {
    ProfileChange {
        segments: Some(SegmentList { segments }),
        experiments: Some(ExperimentList {
            experiments: vec![Experiment {
                salt: "salt".into(),
                ..experiment("stricter", "", arms)
            }],
        }),
        exploration: Some(ExplorationChange {
            exploration: Some(Exploration {
                low,
                high: 3.0,
                density: Density::LogUniform.into(),
                arm: "stricter/explore".into(),
                seed: 11,
            }),
        }),
        ..change("default", sets, None)
    }
}

fn first_change() -> ProfileChange {
    everything(
        &[("engagement_bait", -0.6)],
        vec![segment(
            "newcomers",
            vec![any_of("tier", vec![text("new")])],
            &[("engagement_bait", -1.5)],
        )],
        vec![
            arm("strict", 2_500, &[("hide", -1.0)]),
            arm("explore", 2_500, &[]),
        ],
        0.1,
    )
}

fn second_change() -> ProfileChange {
    everything(
        &[("engagement_bait", -1.1), ("engagement", 0.9)],
        vec![
            segment(
                "young",
                vec![range("age", None, Some(2.5))],
                &[("engagement", 1.4)],
            ),
            segment(
                "newcomers",
                vec![any_of("tier", vec![text("new")])],
                &[("engagement_bait", -2.0)],
            ),
        ],
        vec![
            arm("strict", 4_000, &[("hide", -2.0)]),
            arm("explore", 3_000, &[("engagement", 1.1)]),
        ],
        0.2,
    )
}

fn assert_as(preview: &Preview, compared: &Compared) {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-12;
    for (reported, &(before, after)) in preview.exposures.iter().zip(&compared.exposures) {
        let value = |estimate: &Option<_>| -> f64 {
            let estimate: counterweight_proto::counterweight::v1::Estimate = estimate.unwrap();
            assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
            estimate.value
        };
        assert!(
            near(value(&reported.before), before),
            "{reported:?} {before}"
        );
        assert!(near(value(&reported.after), after), "{reported:?} {after}");
        assert!(
            near(value(&reported.change), after - before),
            "{reported:?}"
        );
    }
    assert_eq!(preview.changed_set, compared.changed_set);
    assert_eq!(preview.changed_order, compared.changed_order);
    assert!(
        near(preview.rank_correlation, compared.rank_correlation),
        "{} {}",
        preview.rank_correlation,
        compared.rank_correlation
    );
    assert_eq!(preview.moves, compared.moves);
}

#[tokio::test]
async fn a_preview_is_what_ranking_the_same_requests_again_shows() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    weights
        .set_weights(set(vec![first_change()]))
        .await
        .unwrap();
    let asked = requests(240, 7);
    let before = rank_all(&mut ranking, &asked).await;
    // All that can apply does, somewhere.
    for arm in ["", "stricter/strict", "stricter/explore"] {
        assert!(before.iter().any(|answer| answer.arm == arm), "{arm}");
    }
    assert!(before.iter().any(|answer| answer.segment == "newcomers"));
    let log = read_log(&mut ranking, "default").await.unwrap();
    for (logged, answer) in log.iter().zip(&before) {
        assert_same(logged, answer);
        assert_eq!(logged.draw.is_some(), answer.arm == "stricter/explore");
    }

    let mut reported = Vec::new();
    for k in [1, 5, 10] {
        reported.push(preview(&mut weights, second_change(), k).await.unwrap());
    }
    assert_eq!(
        get(&mut weights, "default").await.revision,
        1,
        "nothing is written"
    );
    let applied = weights
        .set_weights(set(vec![second_change()]))
        .await
        .unwrap();
    let applied = applied.into_inner().entry.unwrap().profiles.remove(0);
    let after = rank_all(&mut ranking, &asked).await;
    assert!(after.iter().any(|answer| answer.segment == "young"));
    let units: std::collections::HashSet<_> = asked.iter().map(|one| &one.unit_id).collect();
    let unnamed = asked.iter().filter(|one| one.unit_id.is_empty()).count();
    for (preview, k) in reported.iter().zip([1, 5, 10]) {
        assert_as(preview, &compare(&before, &after, k));
        assert_eq!((preview.k as usize, &*preview.profile), (k, "default"));
        assert_eq!((preview.revision, &preview.after), (1, &applied.weights));
        assert_eq!(preview.before[1].weight, -0.6);
        assert_eq!(preview.refusal, "");
        let replayed = preview.replayed.unwrap();
        assert_eq!((replayed.requests, replayed.share), (240, 1.0));
        let candidates: usize = asked.iter().map(|one| one.candidate_ids.len()).sum();
        assert_eq!(replayed.candidates, candidates as u64);
        assert_eq!(replayed.units, (units.len() - 1 + unnamed) as u64);
        assert_eq!((replayed.from, replayed.to), (log[0].time, log[239].time));
        assert!(preview.changed_order > 0.0 && !preview.moves.is_empty());
    }
}

#[tokio::test]
async fn a_change_of_segments_alone_moves_only_whom_they_take() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    let mut asked = requests(120, 21);
    for request in &mut asked {
        request.limit = 5;
    }
    rank_all(&mut ranking, &asked).await;
    let only = segments(vec![segment(
        "newcomers",
        vec![any_of("tier", vec![text("new")])],
        &[("engagement_bait", -1.2)],
    )]);
    let reported = preview(&mut weights, only.clone(), 0).await.unwrap();
    assert_eq!(reported.k, 5, "the k of most");
    assert_eq!(
        reported.before, reported.after,
        "the profile's own weights stay"
    );
    weights.set_weights(set(vec![only])).await.unwrap();
    let all: Vec<_> = asked
        .iter()
        .map(|request| {
            let mut request = request.clone();
            request.limit = 0;
            request
        })
        .collect();
    let after = rank_all(&mut ranking, &all).await;
    let took = |id: &str| {
        let answer = after.iter().find(|answer| answer.request_id == id);
        answer.unwrap().segment == "newcomers"
    };
    assert!(!reported.moves.is_empty());
    assert!(reported.moves.iter().all(|moved| took(&moved.request_id)));
    let rollback = RollbackWeightsRequest {
        revision: 0,
        profiles: vec![at("default")],
        cause: cause("as before"),
        force: false,
    };
    weights.rollback_weights(rollback).await.unwrap();
    let before = rank_all(&mut ranking, &all).await;
    assert_as(&reported, &compare(&before, &after, 5));
}

#[tokio::test]
async fn bounds_do_not_stop_a_preview_and_it_says_that_they_would_stop_the_change() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    rank_all(&mut ranking, &requests(10, 3)).await;
    let far = change("default", &[("engagement_bait", -4.0)], None);
    let reported = preview(&mut weights, far.clone(), 3).await.unwrap();
    let refused = weights.set_weights(set(vec![far])).await.unwrap_err();
    assert_eq!(reported.refusal, refused.message());
    assert!(
        reported.refusal.contains("its largest step is 1"),
        "{}",
        reported.refusal
    );
    assert_eq!(reported.after[1].weight, -4.0);
    assert_eq!(get(&mut weights, "default").await.revision, 0);

    // A preview changes nothing, so another revision than the expected one does not stop it either.
    let early = change("default", &[("engagement_bait", -1.0)], Some(3));
    let reported = preview(&mut weights, early, 3).await.unwrap();
    assert!(reported.refusal.contains("expected_revision is 3"));
    weights.set_weights(bait(-0.7, None)).await.unwrap();
    let late = change("default", &[("engagement_bait", -1.0)], Some(0));
    let reported = preview(&mut weights, late, 3).await.unwrap();
    assert!(reported.refusal.contains("expected 0"));
    assert_eq!(reported.revision, 1);

    // What no force helps is an error.
    let unknown = change("default", &[("bait", -1.0)], None);
    let status = preview(&mut weights, unknown, 3).await.unwrap_err();
    assert_eq!(info(&status).0, "UNKNOWN_OBJECTIVE");
    let nothing = PreviewWeightsRequest::default();
    let status = weights.preview_weights(nothing).await.unwrap_err();
    assert_eq!(
        (status.code(), &*info(&status).1["field"]),
        (Code::InvalidArgument, "change")
    );
}

#[tokio::test]
async fn only_whole_requests_of_the_newest_models_are_replayed() {
    let (e, b, combiner) = two_models("").await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    let ask = || {
        let mut request = request(&[0.9, 0.5, 0.4], &[0.8, 0.1, 0.0]);
        request.profile = "careful".into();
        request
    };
    let proposed = || change("careful", &[("engagement_bait", -2.0)], None);
    let status = preview(&mut weights, proposed(), 0).await.unwrap_err();
    assert_eq!(
        (status.code(), &*info(&status).0),
        (Code::FailedPrecondition, "NO_RECENT_REQUESTS")
    );
    b.state.set(Mode::Status(Code::Unavailable));
    for _ in 0..2 {
        ranking.rank(ask()).await.unwrap();
    }
    let status = preview(&mut weights, proposed(), 0).await.unwrap_err();
    assert!(
        status.message().contains("2 were ranked without one"),
        "{status}"
    );
    b.state.set(Mode::Normal);
    for _ in 0..3 {
        ranking.rank(ask()).await.unwrap();
    }
    e.state.replace("v2", false);
    for _ in 0..4 {
        ranking.rank(ask()).await.unwrap();
    }
    let replayed = preview(&mut weights, proposed(), 0)
        .await
        .unwrap()
        .replayed
        .unwrap();
    let counted = (
        replayed.requests,
        replayed.left_out_other_models,
        replayed.left_out_incomplete,
    );
    assert_eq!(counted, (4, 3, 2));
    let default = change("default", &[("engagement_bait", -2.0)], None);
    assert_eq!(
        preview(&mut weights, default, 0).await.unwrap_err().code(),
        Code::FailedPrecondition,
        "another profile's requests are not its own"
    );
}

#[tokio::test]
async fn where_nothing_is_kept_a_preview_says_how_to_keep_it() {
    let combiner = Combiner::start(&format!(
        "recent_requests = {{ candidates = 0 }}\n{THREE_COLUMNS}"
    ))
    .await;
    let mut weights = combiner.weights().await;
    let proposed = change("default", &[("engagement_bait", -0.7)], None);
    let status = preview(&mut weights, proposed, 0).await.unwrap_err();
    assert_eq!(
        (status.code(), &*info(&status).0),
        (Code::FailedPrecondition, "RECENT_REQUESTS_OFF")
    );
}

#[tokio::test]
async fn ranking_goes_on_while_a_large_preview_runs() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let mut ranking = combiner.ranking().await;
    let large: Vec<_> = (0..20).map(|seed| wide(2_000, seed)).collect();
    rank_all(&mut ranking, &large).await;
    let running: Vec<_> = (0..4)
        .map(|_| {
            let combiner = combiner.address;
            tokio::spawn(async move {
                let mut weights = Weights::connect(format!("http://{combiner}"))
                    .await
                    .unwrap();
                let proposed = change("default", &[("engagement_bait", -0.9)], None);
                preview(&mut weights, proposed, 10).await.unwrap()
            })
        })
        .collect();
    let mut answered = 0;
    while !running.iter().all(tokio::task::JoinHandle::is_finished) || answered < 20 {
        rank_all(&mut ranking, &requests(1, answered)).await;
        answered += 1;
    }
    for one in running {
        let preview = one.await.unwrap();
        assert!(preview.replayed.unwrap().requests >= 20);
    }
}
