//! Three combiners on one NATS stream, over real sockets, while NATS is stopped, frozen, or cut off
//! from one of them: rankings go on, writers hear of it, all converge, no acknowledged change is
//! lost and none is applied twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)] // a test fails by panicking

use crate::common;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use common::{Combiner, assert_recomputes, request};
use counterweight_proto::counterweight::v1::{
    Cause, GetWeightsRequest, GetWeightsResponse, ObjectiveWeight, ProfileChange,
    SetWeightsRequest, WatchWeightsRequest, WeightsEntry,
};
use counterweight_test_support::{NatsServer, Proxy, Wire, eventually};
use tokio::{task::JoinHandle, time::sleep};
use tonic::Status;

/// The models answer within the request, so that nothing but NATS can fail.
const CONFIG: &str = r#"
[[objective]]
name = "engagement"
[objective.column]
name = "xe"
[[objective]]
name = "engagement_bait"
[objective.column]
name = "xb"
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
"#;

/// "Within a bounded time": the combiner's own bound is 5 s, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(15);

async fn start(replica: &str, url: &str, folder: Arc<tempfile::TempDir>) -> Combiner {
    let store = format!("path = \"{replica}.log\"\nnats = {url:?}");
    Combiner::start_with(&format!("replica = {replica:?}\n{CONFIG}"), &store, folder).await
}

async fn get(combiner: &Combiner) -> GetWeightsResponse {
    let mut client = combiner.weights().await;
    client
        .get_weights(GetWeightsRequest::default())
        .await
        .unwrap()
        .into_inner()
}

async fn set(combiner: &Combiner, weight: f64, key: &str) -> Result<u64, Status> {
    let request = SetWeightsRequest {
        changes: vec![ProfileChange {
            profile: "default".into(),
            weights: vec![ObjectiveWeight {
                objective: "engagement_bait".into(),
                weight,
            }],
            ..ProfileChange::default()
        }],
        cause: Some(Cause {
            author: "ana".into(),
            reason: "a test".into(),
            idempotency_key: key.into(),
            ..Cause::default()
        }),
        ..SetWeightsRequest::default()
    };
    let begun = Instant::now();
    let answer = combiner.weights().await.set_weights(request).await;
    assert!(
        begun.elapsed() < BOUND,
        "a writer waited {:?}",
        begun.elapsed()
    );
    answer.map(|done| done.into_inner().entry.unwrap().revision)
}

/// The whole log as this combiner has it.
async fn log(combiner: &Combiner, last: u64) -> Vec<WeightsEntry> {
    let from = WatchWeightsRequest { from_revision: 1 };
    let mut stream = combiner
        .weights()
        .await
        .watch_weights(from)
        .await
        .unwrap()
        .into_inner();
    let mut entries = Vec::new();
    while (entries.len() as u64) < last {
        entries.push(stream.message().await.unwrap().unwrap().entry.unwrap());
    }
    entries
}

/// Three combiners, each behind a proxy, with rankings and writes on all of them.
struct Fire {
    server: NatsServer,
    proxies: Vec<Proxy>,
    combiners: Arc<Vec<Combiner>>,
    stop: Arc<AtomicBool>,
    rankers: Vec<JoinHandle<Vec<(u64, f64)>>>,
    writers: Vec<JoinHandle<()>>,
    written: Arc<Written>,
}

/// What the writers have seen.
#[derive(Default)]
struct Written {
    /// The revision in which the change of each key was acknowledged.
    acknowledged: Mutex<HashMap<String, u64>>,
    /// Refusals per combiner, and the longest time that one took.
    refused: [AtomicU64; 3],
    slowest: Mutex<Duration>,
}

impl Fire {
    async fn start() -> Option<Self> {
        let server = NatsServer::start()?;
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let (mut proxies, mut combiners) = (Vec::new(), Vec::new());
        for replica in ["a", "b", "c"] {
            let proxy = Proxy::before(server.address).await;
            combiners.push(start(replica, &proxy.url(), Arc::clone(&folder)).await);
            proxies.push(proxy);
        }
        let combiners = Arc::new(combiners);
        let (stop, written) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Written::default()),
        );
        let rankers =
            (0..3).map(|at| tokio::spawn(rank(Arc::clone(&combiners), at, Arc::clone(&stop))));
        let writers = (0..3).map(|at| {
            tokio::spawn(write(
                Arc::clone(&combiners),
                at,
                Arc::clone(&stop),
                Arc::clone(&written),
            ))
        });
        let fire = Self {
            rankers: rankers.collect(),
            writers: writers.collect(),
            server,
            proxies,
            combiners,
            stop,
            written,
        };
        fire.progress(&[0, 1, 2]).await;
        Some(fire)
    }

    /// Waits until these combiners have acknowledged further changes.
    async fn progress(&self, at: &[usize]) {
        let count = |at: usize| {
            let acknowledged = self.written.acknowledged.lock().unwrap();
            acknowledged
                .keys()
                .filter(|key| key.starts_with(&format!("{at}-")))
                .count()
        };
        let before: Vec<usize> = at.iter().map(|&at| count(at)).collect();
        eventually("every writer gets on", async || {
            at.iter()
                .zip(&before)
                .all(|(&at, before)| count(at) > before + 2)
        })
        .await;
    }

    /// Waits until the writer at this combiner was refused twice more: the second may have begun in
    /// the fault.
    async fn refusal(&self, at: usize) {
        let refused = || self.written.refused[at].load(Ordering::Relaxed);
        let before = refused();
        eventually("a writer is refused", async || refused() > before + 1).await;
    }

    /// Waits until every combiner has applied one and the same last revision and reaches the store.
    async fn converged(&self, what: &str) {
        let begun = Instant::now();
        // What any combiner has applied by now has to be in force everywhere.
        let mut goal = 0;
        for combiner in self.combiners.iter() {
            goal = goal.max(get(combiner).await.applied_revision);
        }
        for combiner in self.combiners.iter() {
            eventually("all converge", async || {
                let reported = get(combiner).await;
                reported.applied_revision >= goal && !reported.stale
            })
            .await;
        }
        eprintln!("{what}: all converged {:?} after healing", begun.elapsed());
        self.progress(&[0, 1, 2]).await;
    }

    /// Stops the load and checks everything that was seen against the log.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        let mut last = 0;
        for combiner in self.combiners.iter() {
            last = last.max(get(combiner).await.applied_revision);
        }
        let entries = log(&self.combiners[0], last).await;
        for combiner in &self.combiners[1..] {
            assert_eq!(log(combiner, last).await, entries, "one history");
        }
        let mut keys = HashMap::new();
        let mut previous = "0".repeat(64);
        for (entry, revision) in entries.iter().zip(1..) {
            assert_eq!(
                (entry.revision, &entry.previous_hash),
                (revision, &previous)
            );
            previous.clone_from(&entry.hash);
            let twice = keys.insert(entry.idempotency_key.clone(), revision);
            assert_eq!(twice, None, "{} is applied twice", entry.idempotency_key);
        }
        let acknowledged = self.written.acknowledged.lock().unwrap().clone();
        for (key, revision) in &acknowledged {
            assert_eq!(keys.get(key), Some(revision), "{key} was acknowledged");
        }
        let mut answers = 0;
        for ranker in self.rankers {
            for (revision, weight) in ranker.await.unwrap() {
                let expected = match revision {
                    0 => -0.5,
                    revision => {
                        entries[usize::try_from(revision).unwrap() - 1].profiles[0].weights[1]
                            .weight
                    }
                };
                assert_eq!(weight.to_bits(), expected.to_bits(), "revision {revision}");
                answers += 1;
            }
        }
        eprintln!(
            "{answers} rankings, {} changes, {} refusals, the slowest after {:?}",
            acknowledged.len(),
            self.written
                .refused
                .iter()
                .map(|refused| refused.load(Ordering::Relaxed))
                .sum::<u64>(),
            self.written.slowest.lock().unwrap(),
        );
    }
}

/// Ranks for as long as it goes; gives revision and weight of every answer.
async fn rank(combiners: Arc<Vec<Combiner>>, at: usize, stop: Arc<AtomicBool>) -> Vec<(u64, f64)> {
    let mut client = combiners[at].ranking().await;
    let query = request(&[0.9, 0.5, 0.7], &[0.5, 0.1, 0.9]);
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = client
            .rank(query.clone())
            .await
            .expect("rankings go on")
            .into_inner();
        assert_recomputes(&answer);
        let before = seen.last().map_or(0, |(revision, _)| *revision);
        assert!(
            answer.revision >= before,
            "{} after {before}",
            answer.revision
        );
        seen.push((answer.revision, answer.objectives[1].weight));
        sleep(Duration::from_millis(2)).await;
    }
    seen
}

/// Makes one change after the other, each again under its key until it is acknowledged.
async fn write(
    combiners: Arc<Vec<Combiner>>,
    at: usize,
    stop: Arc<AtomicBool>,
    written: Arc<Written>,
) {
    for number in 0.. {
        let key = format!("{at}-{number}");
        let weight = -f64::from(number) - 0.1 * at as f64;
        loop {
            let begun = Instant::now();
            match set(&combiners[at], weight, &key).await {
                Ok(revision) => {
                    written.acknowledged.lock().unwrap().insert(key, revision);
                    break;
                }
                Err(status) => {
                    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
                    let (reason, _) = common::info(&status);
                    assert!(reason.starts_with("STORE_"), "{reason}");
                    written.refused[at].fetch_add(1, Ordering::Relaxed);
                    let mut slowest = written.slowest.lock().unwrap();
                    *slowest = begun.elapsed().max(*slowest);
                }
            }
            sleep(Duration::from_millis(5)).await;
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_may_be_killed_and_started_at_any_time() {
    let Some(mut fire) = Fire::start().await else {
        return;
    };
    for round in 0..5 {
        fire.server.kill();
        fire.refusal(round % 3).await;
        fire.server.start_again();
        fire.converged("killed and started").await;
    }
    fire.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nats_may_freeze_and_thaw() {
    let Some(fire) = Fire::start().await else {
        return;
    };
    for round in 0..3 {
        fire.server.freeze();
        fire.refusal(round % 3).await;
        fire.server.thaw();
        fire.converged("frozen").await;
    }
    fire.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_combiner_may_be_cut_off() {
    let Some(fire) = Fire::start().await else {
        return;
    };
    let other = async |at: usize| {
        let reported = get(&fire.combiners[at]).await;
        reported.replicas
            .into_iter()
            .find(|replica| replica.name == "c")
    };
    for at in [0, 1] {
        eventually("c is known", async || other(at).await.is_some()).await;
    }
    for wire in [Wire::Cut, Wire::Silent, Wire::Cut] {
        eprintln!("{wire:?}");
        fire.proxies[2].set(wire);
        fire.refusal(2).await;
        // The others go on, and see who does not.
        fire.progress(&[0, 1]).await;
        for at in [0, 1] {
            eventually("c is behind", async || {
                let c = other(at).await;
                c.is_some_and(|c| c.revisions_behind > 0 && c.problem.contains("behind"))
            })
            .await;
        }
        let reported = get(&fire.combiners[2]).await;
        assert!(reported.stale, "it says so");
        assert!(
            reported.replicas[0].problem.contains("not reached"),
            "{:?}",
            reported.replicas
        );
        let mut ranking = fire.combiners[2].ranking().await;
        let answer = ranking
            .rank(request(&[0.9], &[0.5]))
            .await
            .unwrap()
            .into_inner();
        assert!(answer.weights_stale);
        let metrics = fire.combiners[2].metrics_text().await;
        assert!(
            metrics.contains("counterweight_weights_store_lost 1"),
            "{metrics}"
        );

        fire.proxies[2].set(Wire::Whole);
        fire.converged(&format!("{wire:?}")).await;
    }
    fire.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_combiner_tells_what_each_has_applied() {
    let Some(server) = NatsServer::start() else {
        return;
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let a = start("a", &server.url(), Arc::clone(&folder)).await;
    let b = start("b", &server.url(), Arc::clone(&folder)).await;
    assert_eq!(set(&a, -3.0, "k").await.unwrap(), 1);
    let names = |reported: &GetWeightsResponse| -> Vec<String> {
        reported.replicas
            .iter()
            .map(|replica| replica.name.clone())
            .collect()
    };
    for (combiner, expected) in [(&a, ["a", "b"]), (&b, ["b", "a"])] {
        eventually("both are listed at revision 1", async || {
            let reported = get(combiner).await;
            names(&reported) == expected
                && reported.replicas.iter().all(|r| {
                    (r.applied_revision, r.revisions_behind, r.problem.as_str()) == (1, 0, "")
                        && r.applied_hash == reported.replicas[0].applied_hash
                        && r.applied_hash.len() == 64
                })
        })
        .await;
    }
    let metrics = b.metrics_text().await;
    for line in [
        "counterweight_weights_applied_revision 1",
        "counterweight_weights_last_revision 1",
        "counterweight_weights_lag 0",
        "counterweight_weights_store_lost 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }

    // One that has gone is remembered by one that has only just come.
    b.stop().await;
    let c = start("c", &server.url(), Arc::clone(&folder)).await;
    eventually("b is silent", async || {
        let reported = get(&c).await;
        reported.replicas
            .iter()
            .any(|r| r.name == "b" && r.problem.contains("last heard"))
    })
    .await;

    // Two of one name are told as such, by both.
    let elsewhere = Arc::new(tempfile::tempdir().unwrap());
    let namesake = start("a", &server.url(), elsewhere).await;
    for combiner in [&a, &namesake] {
        eventually("the name is taken", async || {
            get(combiner).await.replicas[0]
                .problem
                .contains("another combiner runs under this name")
        })
        .await;
    }
}
