//! The kill switch of one combiner while the store is out of reach.

use counterweight_test_support::eventually;

use super::*;
use crate::store::Store;

/// A server of its own over a log of its own.
struct Alone {
    folder: TempDir,
    config: Arc<Config>,
}

impl Alone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let weights = [("engagement", 1.0), ("engagement_bait", -1.0)];
        let mut safe = test_config::profile("a", &weights);
        safe.safe = Some(counterweight_ranking::Weights::new(vec![1.0, -9.0]).unwrap());
        let profiles = vec![safe, test_config::profile("b", &weights)];
        let config = Arc::new(test_config::config(folder.path(), profiles));
        Self { folder, config }
    }

    async fn open(&self) -> Arc<LiveWeights> {
        let registry = prometheus::Registry::new();
        let config = Arc::clone(&self.config);
        Arc::new(LiveWeights::open(config, &registry).await.unwrap())
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("weights.log")
    }

    fn kept(&self) -> std::path::PathBuf {
        self.folder.path().join("weights.log.local-kill")
    }
}

fn bait_in_force(live: &LiveWeights, profile: usize) -> f64 {
    live.in_force(profile).weights.as_slice()[1]
}

/// Fails every write, or none.
fn disk_is_full(live: &LiveWeights, full: bool) {
    let Store::Embedded(log) = &live.store else {
        panic!("an embedded store")
    };
    log.fill_disk(full);
}

#[tokio::test]
async fn it_is_refused_while_the_store_is_in_reach() {
    let alone = Alone::new();
    let live = alone.open().await;
    let refused = live.kill_locally(cause("k"), "").await;
    assert!(
        matches!(refused, Err(Error::Plan(PlanError::StoreInReach))),
        "{refused:?}"
    );
    assert_eq!((live.local_kill(), alone.kept().exists()), (None, false));
}

#[tokio::test]
async fn it_lasts_until_the_log_is_back_and_then_the_log_decides() {
    let alone = Alone::new();
    let live = alone.open().await;
    let aside = alone.log().with_extension("aside");
    std::fs::rename(alone.log(), &aside).unwrap();
    let killed = live.kill_locally(cause("k"), "").await.unwrap();
    assert_eq!(
        (killed.profiles, killed.not_kept.as_str()),
        (vec!["a".to_owned()], "")
    );
    assert_eq!(
        (bait_in_force(&live, 0), bait_in_force(&live, 1)),
        (-9.0, -1.0)
    );
    assert!(live.in_force(0).local_kill && !live.in_force(1).local_kill);
    assert!(alone.kept().exists());
    let refused = live.kill_locally(cause("k"), "b").await;
    assert!(
        matches!(refused, Err(Error::Plan(PlanError::NoSafeSet { .. }))),
        "{refused:?}"
    );
    assert_eq!(live.logged(0).weights.as_slice()[1], -1.0);

    let watching = Arc::clone(&live);
    let watching = tokio::spawn(async move { watching.watch_store().await });
    std::fs::rename(&aside, alone.log()).unwrap();
    eventually("it ends", async || bait_in_force(&live, 0) == -1.0).await;
    watching.abort();
    assert!(live.local_kill().unwrap().ended_ms.is_some());
    assert!(!alone.kept().exists());
    assert!(live.lost_since().is_none());
}

#[tokio::test]
async fn it_survives_a_restart_while_the_disk_is_full() {
    let alone = Alone::new();
    let live = alone.open().await;
    disk_is_full(&live, true);
    let planner = live.planner(Context::default());
    let change = set_bait("b", -2.0);
    let refused = live
        .commit(cause("k"), |log| planner.set(log, &change).map(Some))
        .await;
    assert!(
        matches!(refused, Err(Error::Store(StoreError::Io { .. }))),
        "{refused:?}"
    );
    live.kill_locally(cause("k"), "a").await.unwrap();
    drop(live);

    let live = alone.open().await;
    disk_is_full(&live, true);
    assert_eq!(bait_in_force(&live, 0), -9.0);
    let watched = Arc::clone(&live);
    let watching = tokio::spawn(async move { watched.watch_store().await });
    eventually("the disk is found full", async || {
        live.lost_since().is_some()
    })
    .await;
    assert_eq!(bait_in_force(&live, 0), -9.0);
    disk_is_full(&live, false);
    eventually("it ends", async || bait_in_force(&live, 0) == -1.0).await;
    watching.abort();
    assert_eq!(std::fs::read(alone.log()).unwrap(), b"");
    assert!(!alone.kept().exists());
}
