//! Consistency under fire, over real sockets: eight clients rank while four writers move the
//! weights.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{
    Combiner, assert_recomputes, request, two_models,
    weights::{change, set, values},
};
use counterweight_proto::counterweight::v1::GetRevisionRequest;

const RANKERS: usize = 8;
const WRITERS: u32 = 4;
const WRITES: u32 = 60;

/// The weights that every revision was answered with, by one client on one connection.
async fn rank_until(combiner: Shared, stop: Arc<AtomicBool>) -> HashMap<u64, Vec<f64>> {
    let mut client = combiner.ranking().await;
    let mut seen: HashMap<u64, Vec<f64>> = HashMap::new();
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) || seen.is_empty() {
        let query = request(&[0.3, 0.7, 0.5], &[0.9, 0.2, 0.4]);
        // Nothing is dropped: every request is answered, and in full.
        let answer = client.rank(query).await.unwrap().into_inner();
        assert_eq!((answer.candidates.len(), answer.degraded.len()), (3, 0));
        assert_recomputes(&answer);
        assert!(answer.revision >= last, "{} after {last}", answer.revision);
        last = answer.revision;
        let weights: Vec<f64> = answer.objectives.iter().map(|one| one.weight).collect();
        let known = seen.entry(last).or_insert_with(|| weights.clone());
        assert_eq!(*known, weights, "one revision, one set of weights");
    }
    seen
}

/// The combiner that all clients share.
type Shared = Arc<Combiner>;

async fn write(combiner: Shared, writer: u32) -> Vec<u64> {
    let mut client = combiner.weights().await;
    let mut revisions = Vec::new();
    for step in 1..=WRITES {
        let alpha = f64::from(step) + f64::from(writer) * 0.1;
        let both = [("engagement", alpha), ("engagement_bait", -alpha / 3.0)];
        let request = set(vec![change("default", &both, None)]);
        let done = client.set_weights(request).await.unwrap().into_inner();
        revisions.push(done.entry.unwrap().revision);
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_of_the_revision_that_it_names_and_revisions_never_go_back() {
    let (_e, _b, combiner) = two_models("").await;
    let combiner = Arc::new(combiner);
    let stop = Arc::new(AtomicBool::new(false));
    let rankers: Vec<_> = (0..RANKERS)
        .map(|_| tokio::spawn(rank_until(Arc::clone(&combiner), Arc::clone(&stop))))
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&combiner), writer)))
        .collect();
    let mut written = Vec::new();
    for writer in writers {
        let revisions = writer.await.unwrap();
        assert!(revisions.windows(2).all(|pair| pair[0] < pair[1]));
        written.extend(revisions);
    }
    stop.store(true, Ordering::Relaxed);
    written.sort_unstable();
    let all: Vec<u64> = (1..=u64::from(WRITERS * WRITES)).collect();
    assert_eq!(written, all, "every write has its own revision");

    let mut client = combiner.weights().await;
    let mut stored = HashMap::from([(0, vec![1.0, -0.5])]);
    for revision in all {
        let entry = client
            .get_revision(GetRevisionRequest {
                revision,
                ..Default::default()
            })
            .await;
        let entry = entry.unwrap().into_inner().entry.unwrap();
        stored.insert(revision, values(&entry.profiles[0]));
    }
    for ranker in rankers {
        for (revision, weights) in ranker.await.unwrap() {
            assert_eq!(
                weights, stored[&revision],
                "revision {revision}, to the bit"
            );
        }
    }
}
