//! The recent requests as Rank and readers see them.

use std::{path::Path, sync::Arc};

use counterweight_ranking::Density;

use crate::{
    config::Config,
    error::RequestError,
    metrics::Metrics,
    objective::Answer,
    ranking::{Combined, Ranking},
    recent_requests::{Recent, RecentRequests, Record, record, record::Ids},
    weights::{Attribute, Chosen, Draw, Value},
};

fn config(candidates: usize) -> Config {
    let text = format!(
        r#"
        [store]
        path = "weights.log"
        [recent_requests]
        candidates = {candidates}
        [[objective]]
        name = "engagement"
        column = {{ name = "e" }}
        [[objective]]
        name = "engagement_bait"
        column = {{ name = "b" }}
        [profile.busy]
        weights = {{ engagement = 1, engagement_bait = -0.5 }}
        [profile.quiet]
        weights = {{ engagement = 1, engagement_bait = -0.5 }}
    "#
    );
    Config::parse(&text, "test.toml", Path::new("")).unwrap()
}

fn recent_requests(candidates: usize) -> RecentRequests {
    let config = config(candidates);
    let metrics = Metrics::new(&config).unwrap();
    RecentRequests::start(&config, &metrics).unwrap().unwrap()
}

fn answer(probabilities: &[f64]) -> Answer {
    Answer {
        probabilities: probabilities.to_vec(),
        clamped: 0,
        raw: None,
        model_version: "v1".to_owned(),
        calibrator: String::new(),
    }
}

/// The ranking of candidates "c1", "c0", "c2", … by their first probability.
fn ranking(profile: usize, request: &str, ids: &[&str]) -> Ranking {
    let scores: Vec<f64> = (0..ids.len()).map(|at| at as f64 / 1e6).collect();
    let order: Vec<usize> = (0..ids.len()).rev().take(3).collect();
    Ranking {
        ranking_id: "ranking".to_owned(),
        time_ms: 1,
        logged_features: Vec::new(),
        request_id: request.to_owned(),
        profile,
        revision: 7,
        unit_id: "unit".to_owned(),
        attributes: vec![
            Attribute {
                name: "tier".to_owned(),
                value: Value::Text("new".to_owned()),
            },
            Attribute {
                name: "long".to_owned(),
                value: Value::Text("x".repeat(257)),
            },
        ],
        chosen: Chosen {
            weights: vec![1.0, -0.5],
            segment: Some(Arc::from("s")),
            arm: None,
            draw: Some(Draw {
                lambda: 0.5,
                density: Density::Uniform {
                    low: 0.0,
                    high: 1.0,
                },
                seed: 3,
            }),
        },
        weights_stale: false,
        local_kill: false,
        objectives: vec![
            Combined {
                objective: 0,
                weight: 1.0,
                answer: answer(&scores),
            },
            Combined {
                objective: 1,
                weight: -0.5,
                answer: Answer {
                    raw: Some(scores.clone()),
                    ..answer(&scores)
                },
            },
        ],
        degraded: Vec::new(),
        unconfirmed: Vec::new(),
        ids: ids.iter().map(|&id| id.to_owned()).collect(),
        scores,
        limit: 3,
        order,
    }
}

fn pass(recent: &RecentRequests, ranking: Ranking) {
    let key = recent.draw_key(ranking.profile);
    if let Some(sampled) = key.and_then(|key| recent.sample(key, &ranking)) {
        recent.keep(sampled, ranking);
    }
}

async fn asked<T: Send + 'static>(
    recent: &RecentRequests,
    work: impl FnOnce(&[Recent]) -> T + Send + 'static,
) -> Result<T, RequestError> {
    let _place = recent.reserve_preview()?;
    recent.select(work).await
}

async fn kept(recent: &RecentRequests, profile: usize) -> (f64, Vec<Arc<Record>>) {
    let work = move |recent: &[Recent]| {
        let (share, records) = recent[profile].read();
        (share, records.cloned().collect())
    };
    asked(recent, work).await.unwrap()
}

#[tokio::test]
async fn a_record_is_the_ranking_with_its_candidates_by_id() {
    let recent = recent_requests(1_000);
    pass(&recent, ranking(1, "r", &["b", "ä", "a", "bb"]));
    let (share, records) = kept(&recent, 1).await;
    let record = &records[0];
    assert_eq!(share, 1.0);
    assert_eq!((&*record.request_id, &*record.unit_id), ("r", "unit"));
    assert_eq!((record.profile, record.revision, record.k), (1, 7, 3));
    assert_eq!(record.ids.iter().collect::<Vec<_>>(), ["a", "b", "bb", "ä"]);
    // The page was bb, a, ä.
    assert_eq!(*record.page, [2, 0, 3]);
    let first = [2e-6, 0.0, 3e-6, 1e-6];
    for column in &record.objectives {
        assert_eq!(*column.probabilities, first);
    }
    assert!(record.objectives[0].raw.is_none());
    assert_eq!(record.objectives[1].raw.as_deref(), Some(&first[..]));
    assert_eq!(record.segment.as_deref(), Some("s"));
    assert_eq!(record.draw.unwrap().lambda, 0.5);
    let names: Vec<&str> = record.attributes.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["tier"], "long texts are left out");
    assert!(kept(&recent, 0).await.1.is_empty());
}

#[tokio::test]
async fn one_profile_pushes_out_nothing_of_another_and_neither_grows() {
    let recent = recent_requests(2_000);
    let ids: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    pass(&recent, ranking(1, "first", &ids));
    for i in 0..2_000 {
        pass(&recent, ranking(0, &format!("r{i}"), &ids));
        if i % 50 == 0 {
            // As often as the worker would be told on its own, whatever the machine does.
            kept(&recent, 0).await;
        }
    }
    let (share, busy) = kept(&recent, 0).await;
    assert!(share < 0.1, "{share}");
    let candidates: usize = busy.iter().map(|record| record.ids.len()).sum();
    assert!(!busy.is_empty() && candidates <= 2_000, "{candidates}");
    let (share, quiet) = kept(&recent, 1).await;
    assert_eq!((share, quiet.len()), (1.0, 1));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_counted_and_pushes_out_nothing() {
    let config = config(160);
    let metrics = Metrics::new(&config).unwrap();
    let recent = RecentRequests::start(&config, &metrics).unwrap().unwrap();
    let many: Vec<String> = (0..11).map(|i| format!("c{i:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    pass(&recent, ranking(0, "small", &many[..3]));
    for _ in 0..50 {
        // One candidate more than a 16th.
        pass(&recent, ranking(0, "large", &many));
    }
    let long = "x".repeat(3_000);
    pass(&recent, ranking(0, "long ids", &[&long]));
    assert_eq!(kept(&recent, 0).await.1.len(), 1);
    assert_eq!(metrics.recent_requests("busy").dropped.get(), 51);
    let reported = metrics.recent_requests("busy");
    assert_eq!((reported.requests.get(), reported.share.get()), (1, 1.0));
    assert!(reported.candidates.get() >= 3);
}

#[test]
fn the_bound_in_candidates_bounds_the_bytes() {
    for ids in [
        vec!["a".to_owned()],
        (0..500).map(|i| format!("candidate-{i:08}")).collect(),
        vec!["y".repeat(10_000), "z".to_owned()],
    ] {
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let ranking = ranking(0, "r", &names);
        let packed = Ids::pack(&ranking.ids).unwrap();
        let size = record::size(&ranking, &packed);
        let record = Record::new(ranking, &packed, 1).unwrap();
        let numbers: usize = record
            .objectives
            .iter()
            .map(|column| {
                size_of_val(&*column.probabilities) + column.raw.as_deref().map_or(0, size_of_val)
            })
            .sum();
        let text: usize = ids.iter().map(String::len).sum();
        let bytes = size_of::<Record>() + numbers + text + 4 * ids.len() + 4 * record.page.len();
        assert!(size >= ids.len() && 256 * size >= bytes, "{size}: {bytes}");
        assert!(size <= ids.len() + bytes / 256 + 4, "{size}: {bytes}");
    }
}

#[tokio::test]
async fn callers_take_turns_in_bounded_numbers_and_who_goes_away_frees_his_place() {
    let recent = Arc::new(recent_requests(1_000));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, running) = tokio::sync::oneshot::channel();
    let first = tokio::spawn({
        let recent = Arc::clone(&recent);
        async move {
            let work = move |_: &[Recent]| {
                begun.send(()).unwrap();
                held.recv().unwrap();
            };
            asked(&recent, work).await
        }
    });
    running.await.unwrap();
    // Fifteen wait behind it, the sixteenth is turned away.
    let mut waiting = Vec::new();
    for i in 0..15 {
        let mut one = Box::pin(asked(&recent, move |_: &[Recent]| i));
        assert!(futures::poll!(&mut one).is_pending());
        waiting.push(one);
    }
    assert!(matches!(
        asked(&recent, |_: &[Recent]| ()).await,
        Err(RequestError::RecentRequestsBusy { limit: 16 })
    ));
    drop(waiting.pop());
    let mut next = Box::pin(asked(&recent, |_: &[Recent]| 99));
    assert!(futures::poll!(&mut next).is_pending());
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    for (i, one) in waiting.into_iter().enumerate() {
        assert_eq!(one.await.unwrap(), i);
    }
    assert_eq!(next.await.unwrap(), 99);
}

#[tokio::test]
async fn work_that_panics_takes_nothing_with_it_and_a_closed_handle_says_so() {
    let recent = recent_requests(1_000);
    pass(&recent, ranking(0, "r", &["a", "b"]));
    let died = asked(&recent, |_: &[Recent]| panic!("on purpose")).await;
    assert!(
        matches!(died, Err(RequestError::Internal { .. })),
        "{died:?}"
    );
    assert_eq!(kept(&recent, 0).await.1.len(), 1);
    let alive = Arc::new(());
    let gone = Arc::downgrade(&alive);
    recent.close().await;
    let late = asked(&recent, move |_: &[Recent]| drop(alive)).await;
    assert!(matches!(late, Err(RequestError::Draining)), "{late:?}");
    assert!(gone.upgrade().is_none());
}
