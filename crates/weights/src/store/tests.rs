//! What both stores have to do, by one set of tests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod in_nats;
mod unreadable;

use std::{path::PathBuf, sync::Arc, time::Duration};

use counterweight_clock::SystemClock;
use counterweight_test_support::{NatsServer, eventually, eventually_some, soon};
use prometheus::IntGauge;
use prost_types::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::entry::{
    NO_HASH,
    tests::{cause, change},
};
use crate::test_config;
use crate::{
    config::{Config, StoreConfig},
    entry::{Entry, Sealed},
    error::StoreError,
};

/// Where a store of a test lives.
struct Place {
    folder: TempDir,
    server: Option<NatsServer>,
}

impl Place {
    fn embedded() -> Option<Self> {
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            server: None,
        })
    }

    fn nats() -> Option<Self> {
        let server = Some(NatsServer::start()?);
        Some(Self {
            server,
            ..Self::embedded()?
        })
    }

    fn copy(&self, replica: &str) -> PathBuf {
        self.folder.path().join(format!("{replica}.log"))
    }

    fn config(&self, replica: &str) -> Config {
        let path = self.copy(replica);
        let store = match &self.server {
            Some(server) => StoreConfig::nats(path, server.url(), Some("test".into())).unwrap(),
            None => StoreConfig::Embedded { path },
        };
        let profile = test_config::profile("default", &[("engagement", 1.0)]);
        Config {
            replica: replica.into(),
            store,
            ..test_config::config(self.folder.path(), vec![profile])
        }
    }

    async fn try_open(&self, replica: &str) -> Result<(Store, Arc<StoreHealth>), StoreError> {
        let gauge = IntGauge::new("lost", "lost").unwrap();
        let reach = Arc::new(StoreHealth::new(gauge, Arc::new(SystemClock)));
        let config = self.config(replica);
        let metrics = crate::metrics::Metrics::new(&prometheus::Registry::new()).unwrap();
        let (store, _) = Store::open(&config, &metrics, Arc::clone(&reach)).await?;
        Ok((store, reach))
    }

    async fn open(&self, replica: &str) -> Store {
        self.try_open(replica).await.unwrap().0
    }

    /// As after a power cut of whatever holds the log.
    async fn crash(&mut self, store: Store) {
        close(store).await;
        if let Some(server) = &mut self.server {
            server.kill();
            server.start_again();
        }
    }
}

async fn close(store: Store) {
    store.close().await;
}

fn sealed(revision: u64, previous: &str, weight: f64, key: &str) -> Sealed {
    let mut cause = cause();
    cause.idempotency_key = key.to_owned();
    Sealed::new(
        revision,
        previous,
        change(weight),
        cause,
        Timestamp::default(),
    )
    .unwrap()
}

async fn end(store: &Store) -> (u64, String) {
    let all = store.read(1, usize::MAX).await.unwrap();
    let last = all.last();
    last.map_or((0, NO_HASH.to_owned()), |last| {
        (last.revision, last.hash.clone())
    })
}

/// Appends one entry after the end, whoever moves it meanwhile.
async fn append(store: &Store, weight: f64) -> u64 {
    loop {
        let (last, hash) = end(store).await;
        let sealed = sealed(last + 1, &hash, weight, &format!("key {weight}"));
        if store.append(&sealed).await.unwrap() == Appended::Committed {
            return last + 1;
        }
    }
}

fn assert_chain(entries: &[Entry]) {
    let mut previous = NO_HASH.to_owned();
    for (entry, revision) in entries.iter().zip(1..) {
        assert_eq!(entry.follows(revision, &previous), Ok(()));
        previous.clone_from(&entry.hash);
    }
}

async fn entries_come_back_in_order_from_any_revision_and_after_a_crash(mut place: Place) {
    let store = place.open("a").await;
    assert!(store.read(1, 9).await.unwrap().is_empty());
    for revision in 1..=5 {
        assert_eq!(append(&store, revision as f64).await, revision);
    }
    place.crash(store).await;
    let store = place.open("a").await;
    let revisions = async |from, count| -> Vec<u64> {
        let entries = store.read(from, count).await.unwrap();
        entries.iter().map(|entry| entry.revision).collect()
    };
    assert_eq!(revisions(3, 2).await, [3, 4]);
    assert_eq!(revisions(5, 9).await, [5]);
    assert!(revisions(6, 9).await.is_empty());
    assert_chain(&store.read(1, 9).await.unwrap());
    assert_eq!(append(&store, 6.0).await, 6);
}

async fn an_entry_for_another_end_is_a_conflict_and_writes_nothing(place: Place) {
    let store = place.open("a").await;
    append(&store, 1.0).await;
    append(&store, 2.0).await;
    let (_, hash) = end(&store).await;
    for revision in [1, 2, 4, 9] {
        let sealed = sealed(revision, &hash, 9.0, "k");
        assert_eq!(
            store.append(&sealed).await.unwrap(),
            Appended::Conflict,
            "{revision}"
        );
    }
    assert_eq!(end(&store).await, (2, hash));
}

async fn any_interleaving_of_writers_gives_one_chain(place: Place) {
    let first = place.open("a").await;
    // Another combiner, where there can be one.
    let second = match first {
        Store::Embedded(_) => first.clone(),
        Store::Nats(_) => place.open("b").await,
    };
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = if writer % 2 == 0 {
                first.clone()
            } else {
                second.clone()
            };
            tokio::spawn(async move {
                let mut written = Vec::new();
                for change in 0..10 {
                    written.push(append(&store, f64::from(writer * 100 + change)).await);
                }
                written
            })
        })
        .collect();
    let mut written = Vec::new();
    for writer in writers {
        let revisions = writer.await.unwrap();
        assert!(revisions.is_sorted());
        written.extend(revisions);
    }
    written.sort_unstable();
    assert_eq!(
        written,
        (1..=80).collect::<Vec<_>>(),
        "none lost, none twice"
    );
    for store in [first, second] {
        let all = eventually_some("80 entries", async || {
            let all = store.read(1, usize::MAX).await.unwrap();
            (all.len() == 80).then_some(all)
        })
        .await;
        assert_chain(&all);
    }
}

async fn whatever_text_an_entry_has_comes_back(place: Place) {
    let store = place.open("a").await;
    let text = "line\nline\r\n\0 \u{1f600} \" \\ ".repeat(2000);
    let sealed = sealed(1, NO_HASH, 1.0, &text);
    assert_eq!(store.append(&sealed).await.unwrap(), Appended::Committed);
    let all = store.read(1, 1).await.unwrap();
    assert_eq!(all, [sealed.entry]);
}

macro_rules! of_both_stores {
    ($($behaviour:ident),* $(,)?) => {
        mod embedded_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                if let Some(place) = super::Place::embedded() { super::$behaviour(place).await; }
            }
        )* }
        mod nats_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                if let Some(place) = super::Place::nats() { super::$behaviour(place).await; }
            }
        )* }
    };
}

of_both_stores!(
    entries_come_back_in_order_from_any_revision_and_after_a_crash,
    an_entry_for_another_end_is_a_conflict_and_writes_nothing,
    any_interleaving_of_writers_gives_one_chain,
    whatever_text_an_entry_has_comes_back,
);
