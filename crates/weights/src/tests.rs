//! Several servers' weights over one store: any interleaving of writers gives one chain, and ramps
//! by any clock.

mod blocked;
mod bounded;
mod late;
mod local;

use std::{collections::HashMap, path::Path, sync::Arc};

use counterweight_clock::SystemClock;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    audience::{Condition, Segment, Test, Value},
    config::Config,
    entry::{Cause, Change, Entry},
    error::{Error, PlanError, StoreError},
    live::LiveWeights,
    log_state::LogState,
    metrics::Metrics,
    plan::{AudienceChange, Context, Planner, ProfileAtRevision, ProfileChange, RampPlan},
    profile::Action,
    store::{Store, StoreHealth},
    test_config::{self, column},
    verify_log,
    weight::ObjectiveWeight,
};

/// Some servers that share one store, as they would over a network.
struct Servers {
    folder: TempDir,
    config: Arc<Config>,
    store: Store,
    all: Vec<LiveWeights>,
}

impl Servers {
    async fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let weights = [("engagement", 1.0), ("engagement_bait", -1.0)];
        let mut bounded = test_config::profile("a", &weights);
        bounded.bounds[1].max_step = 1.0;
        let profiles = vec![bounded, test_config::profile("b", &weights)];
        let config = Arc::new(test_config::config(folder.path(), profiles));
        let (store, _) = Store::open(&config, &metrics(), health()).await.unwrap();
        let mut servers = Self {
            folder,
            store,
            config,
            all: Vec::new(),
        };
        for _ in 0..count {
            servers.add().await;
        }
        servers
    }

    /// Another server on the same store.
    async fn add(&mut self) {
        let config = Arc::clone(&self.config);
        self.add_with(config).await;
    }

    /// Another server on the same store, with its own configuration.
    async fn add_with(&mut self, config: Arc<Config>) {
        let log = LogState::new(config.key_horizon);
        let live = LiveWeights::over(config, self.store.clone(), log, health(), metrics());
        self.all.push(live.await.unwrap());
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("weights.log")
    }

    fn planner(&self) -> Planner {
        Planner {
            config: Arc::clone(&self.config),
            context: Context {
                served: HashMap::from([
                    ("engagement".to_owned(), column()),
                    ("engagement_bait".to_owned(), column()),
                ]),
                ..Context::default()
            },
        }
    }

    async fn set(
        &self,
        server: usize,
        profile: &str,
        weight: f64,
        expected: Option<u64>,
        key: &str,
    ) -> Result<Arc<Entry>, Error> {
        let planner = self.planner();
        let mut changes = set_bait(profile, weight);
        changes[0].at.expected_revision = expected;
        let plan = move |log: &LogState| planner.set(log, &changes).map(Some);
        self.commit(server, key, plan).await
    }

    async fn ramp(&self, to: f64, steps: u32, duration_ms: u64) {
        let planner = self.planner();
        let plan = RampPlan {
            at: at("a", None),
            target: bait(to),
            duration_ms,
            steps,
            started_ms: START,
            author: "ana".into(),
            reason: "slowly".into(),
        };
        let plan = move |log: &LogState| planner.start_ramp(log, &plan).map(Some);
        self.commit(0, "ramp", plan).await.unwrap();
    }

    async fn commit(
        &self,
        server: usize,
        key: &str,
        plan: impl Fn(&LogState) -> Result<Option<Change>, PlanError>,
    ) -> Result<Arc<Entry>, Error> {
        let entry = self.all[server].commit(cause(key), plan).await?;
        Ok(entry.unwrap())
    }

    /// The steps that are in the log, and the weight at each.
    async fn steps(&self) -> Vec<(u32, f64)> {
        let entries = self.store.read(1, usize::MAX).await.unwrap();
        let steps = entries
            .iter()
            .filter_map(|entry| match entry.change.action {
                Action::RampStep { step, .. } => {
                    Some((step, entry.change.moved.as_ref().unwrap().weights[1].weight))
                }
                _ => None,
            });
        steps.collect()
    }
}

const START: u64 = 1_700_000_000_000;

fn metrics() -> Metrics {
    Metrics::new(&prometheus::Registry::new()).unwrap()
}

fn health() -> Arc<StoreHealth> {
    let gauge = prometheus::IntGauge::new("lost", "lost").unwrap();
    Arc::new(StoreHealth::new(gauge, Arc::new(SystemClock)))
}

fn at(profile: &str, expected_revision: Option<u64>) -> ProfileAtRevision {
    ProfileAtRevision {
        profile: profile.into(),
        expected_revision,
    }
}

fn cause(key: &str) -> Cause {
    Cause {
        author: "ana".into(),
        reason: "r".into(),
        idempotency_key: key.into(),
        request_digest: key.into(),
    }
}

/// Sets the second objective of a profile.
fn set_bait(profile: &str, weight: f64) -> Vec<ProfileChange> {
    vec![ProfileChange {
        at: at(profile, None),
        weights: bait(weight),
        bindings: vec![],
        confirm_models: false,
        audience: AudienceChange::default(),
    }]
}

fn bait(weight: f64) -> Vec<ObjectiveWeight> {
    vec![ObjectiveWeight {
        objective: "engagement_bait".into(),
        weight,
    }]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Every entry is whole and follows; a profile's expected revisions were met.
fn assert_one_chain(path: &Path, entries: u64) {
    let verified = verify_log(path, "").unwrap();
    assert_eq!((verified.entries, verified.broken), (entries, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Each writer uses its own server, which may not have heard of what others did; a writer
    /// that names the revision that it saw wins or loses, and one that names none always wins.
    #[test]
    fn any_interleaving_of_writers_gives_one_chain(
        writes in proptest::collection::vec((0_usize..3, prop_oneof![Just("a"), Just("b")], any::<bool>(), any::<bool>()), 1..25)
    ) {
        runtime().block_on(async {
            let servers = Servers::start(3).await;
            let mut won = 0;
            let mut last = HashMap::from([("a", 0), ("b", 0)]);
            for (number, (server, profile, names, up_to_date)) in writes.into_iter().enumerate() {
                let live = &servers.all[server];
                if up_to_date {
                    live.catch_up().await.unwrap();
                }
                let seen = live.in_force(if profile == "a" { 0 } else { 1 }).revision;
                let weight = -1.0 - 0.01 * number as f64;
                let outcome = servers.set(server, profile, weight, names.then_some(seen), &format!("k{number}")).await;
                match outcome {
                    Ok(entry) => {
                        won += 1;
                        assert_eq!(entry.revision, won, "no gap, no number twice");
                        if names {
                            assert_eq!(last[profile], seen, "nobody came between");
                        }
                        last.insert(profile, entry.revision);
                        assert_eq!(live.applied(), won, "applied when acknowledged");
                    }
                    Err(Error::Plan(PlanError::Lost { expected, current, .. })) => {
                        assert_eq!((expected, current), (seen, last[profile]));
                        assert!(names && current != seen);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            assert_one_chain(&servers.path(), won);
            for live in &servers.all {
                live.catch_up().await.unwrap();
                assert_eq!(live.applied(), won);
                assert_eq!((live.in_force(0).revision, live.in_force(1).revision), (last["a"], last["b"]));
            }
        });
    }
}

#[test]
fn writers_at_the_same_time_give_one_chain_and_lose_nothing() {
    runtime().block_on(async {
        let servers = Arc::new(Servers::start(3).await);
        let writers = (0..6).map(|writer| {
            let servers = Arc::clone(&servers);
            tokio::spawn(async move {
                let profile = if writer % 2 == 0 { "a" } else { "b" };
                for write in 0..20 {
                    let weight = -1.0 - f64::from(write) / 100.0;
                    let key = format!("{writer}-{write}");
                    let server = writer % 3;
                    servers
                        .set(server, profile, weight, None, &key)
                        .await
                        .unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_one_chain(&servers.path(), 120);
    });
}

#[test]
fn a_repeat_at_another_server_is_answered_as_the_first() {
    runtime().block_on(async {
        let servers = Servers::start(2).await;
        let first = servers.set(0, "a", -1.5, Some(0), "k").await.unwrap();
        let again = servers.set(1, "a", -1.5, Some(0), "k").await.unwrap();
        assert_eq!((first.revision, &first.hash), (again.revision, &again.hash));
        assert_one_chain(&servers.path(), 1);
    });
}

#[test]
fn each_step_is_taken_once_whoever_comes_first() {
    runtime().block_on(async {
        let servers = Servers::start(3).await;
        servers.ramp(-3.0, 8, 8_000).await;
        for live in &servers.all {
            live.catch_up().await.unwrap();
        }
        for second in 1..=8 {
            let now = START + second * 1_000;
            let [one, two, three] = &servers.all[..] else {
                panic!("three servers")
            };
            let (one, two, three) = tokio::join!(
                one.step_ramps(now),
                two.step_ramps(now),
                three.step_ramps(now)
            );
            assert!([one, two, three].into_iter().any(Result::unwrap));
        }
        let steps = servers.steps().await;
        let numbers: Vec<u32> = steps.iter().map(|step| step.0).collect();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
        assert_eq!(steps[7].1, -3.0);
        assert_one_chain(&servers.path(), 9);
        assert!(servers.all[0].in_force(0).ramp.is_none());
    });
}

#[test]
fn missed_steps_are_jumped_where_the_step_bound_permits_and_walked_where_not() {
    runtime().block_on(async {
        let servers = Servers::start(1).await;
        let live = &servers.all[0];
        // Within the bound of 1 in all: straight to the step that is due.
        servers.ramp(-1.8, 10, 10_000).await;
        assert!(!live.step_ramps(START + 999).await.unwrap());
        assert!(live.step_ramps(START + 7_500).await.unwrap());
        assert!(!live.step_ramps(START + 7_500).await.unwrap());
        let steps = servers.steps().await;
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].0, 7);

        // Further than one step may go: at once, but in steps within the bound.
        let servers = Servers::start(1).await;
        let live = &servers.all[0];
        servers.ramp(-5.0, 40, 40_000).await;
        while live.step_ramps(START + 1_000_000).await.unwrap() {}
        let steps = servers.steps().await;
        assert!(steps.len() >= 4 && steps.len() < 10, "{steps:?}");
        assert_eq!(steps.last().unwrap(), &(40, -5.0));
        let mut before = -1.0;
        for (_, weight) in steps {
            assert!((0.0..=1.0 + 1e-9).contains(&(before - weight)));
            before = weight;
        }
    });
}

#[test]
fn a_ramp_leaves_out_a_step_that_orders_nothing_for_some() {
    runtime().block_on(async {
        let servers = Servers::start(1).await;
        let planner = servers.planner();
        let segment = Segment {
            name: "s".into(),
            conditions: vec![Condition {
                attribute: "age".into(),
                test: Test::AnyOf(vec![Value::Number(1.0)]),
            }],
            weights: vec![ObjectiveWeight {
                objective: "engagement".into(),
                weight: 0.0,
            }],
        };
        let mut change = set_bait("a", -1.0).remove(0);
        change.audience.segments = Some(vec![segment]);
        let plan = |log: &LogState| planner.set(log, std::slice::from_ref(&change)).map(Some);
        servers.commit(0, "segment", plan).await.unwrap();
        // The middle of five steps from −1 to 1 is where the segment would rank by nothing.
        servers.ramp(1.0, 4, 4_000).await;
        for now in [1_000, 2_000, 2_500, 3_000, 4_000] {
            servers.all[0].step_ramps(START + now).await.unwrap();
        }
        let steps = servers.steps().await;
        // The steps are even in angle: a quarter of the way from −45° to 45° is −22.5°.
        let expected = [
            (1, 1.0 - 2.0_f64.sqrt()),
            (3, 2.0_f64.sqrt() - 1.0),
            (4, 1.0),
        ];
        assert_eq!(steps.len(), expected.len());
        for ((step, weight), (expected_step, expected_weight)) in steps.into_iter().zip(expected) {
            assert_eq!(step, expected_step);
            assert!((weight - expected_weight).abs() < 1e-12, "{weight}");
        }
    });
}

#[test]
fn a_clock_that_jumps_back_takes_no_step_back_and_one_that_comes_again_goes_on() {
    runtime().block_on(async {
        let mut servers = Servers::start(1).await;
        servers.ramp(-1.8, 10, 10_000).await;
        assert!(servers.all[0].step_ramps(START + 4_000).await.unwrap());
        for now in [0, START - 5, START + 1, START + 3_999, START + 4_999] {
            assert!(!servers.all[0].step_ramps(now).await.unwrap());
        }
        // A restart knows where the ramp stands.
        servers.add().await;
        assert!(!servers.all[1].step_ramps(START + 2_000).await.unwrap());
        assert!(servers.all[1].step_ramps(START + 5_000).await.unwrap());
        let steps: Vec<u32> = servers.steps().await.iter().map(|step| step.0).collect();
        assert_eq!(steps, [4, 5]);
    });
}
