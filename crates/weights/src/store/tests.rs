//! What both stores have to do, by one set of tests; then what only the one in NATS can meet.

use std::{path::PathBuf, time::Duration};

use prometheus::IntGauge;
use prost_types::Timestamp;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::entry::{
    NO_HASH,
    tests::{cause, change},
};
use crate::test_config;

#[path = "../../../combiner/tests/it/common/nats.rs"]
mod nats_server;
use nats_server::{LONG, NatsServer};

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

    async fn try_open(&self, replica: &str) -> Result<(Store, Arc<Reach>), StoreError> {
        let reach = Arc::new(Reach::new(IntGauge::new("lost", "lost").unwrap()));
        let config = self.config(replica);
        let end = crate::metrics::Metrics::new(&prometheus::Registry::new())
            .unwrap()
            .end;
        let store = Store::open(&config, end, Arc::clone(&reach)).await?;
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

async fn until<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(value) = holds().await {
            return (value, begun.elapsed());
        }
        assert!(begun.elapsed() < LONG, "never: {what}");
        sleep(Duration::from_millis(5)).await;
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
        let (all, _) = until("80 entries", async || {
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

async fn stream_of(place: &Place) -> (async_nats::jetstream::Context, Config) {
    let client = async_nats::connect(place.server.as_ref().unwrap().url())
        .await
        .unwrap();
    (async_nats::jetstream::new(client), place.config("a"))
}

#[tokio::test]
async fn the_tail_gives_what_others_commit_in_order_and_without_a_gap() {
    let Some(mut place) = Place::nats() else {
        return;
    };
    let (writer, reader) = (place.open("a").await, place.open("b").await);
    append(&writer, 1.0).await;
    let mut tail = reader.tail(0);
    for revision in 1..=20 {
        if revision == 10 {
            let server = place.server.as_mut().unwrap();
            server.kill();
            server.start_again();
        }
        if revision > 1 {
            until("a write after the restart", async || {
                let (last, hash) = (revision - 1, end(&writer).await.1);
                let entry = sealed(last + 1, &hash, 1.0, &revision.to_string());
                let appended = writer.append(&entry).await.ok()?;
                (appended == Appended::Committed).then_some(())
            })
            .await;
        }
        let entry = timeout(LONG, tail.next()).await.unwrap().unwrap();
        assert_eq!(entry.revision, revision);
    }
    let bytes = |replica| std::fs::read(place.copy(replica)).unwrap();
    assert_eq!(
        bytes("a"),
        bytes("b"),
        "every copy is the log, byte for byte"
    );
}

#[tokio::test]
async fn without_nats_a_copy_serves_and_without_a_copy_the_start_is_refused() {
    let Some(mut place) = Place::nats() else {
        return;
    };
    let store = place.open("a").await;
    append(&store, 1.0).await;
    close(store).await;
    place.server.as_mut().unwrap().kill();

    let begun = Instant::now();
    let error = place.try_open("b").await.unwrap_err();
    println!(
        "a start without NATS and without a copy was refused after {:?}",
        begun.elapsed()
    );
    assert!(matches!(error, StoreError::NeverSeen { .. }), "{error}");
    assert!(!place.copy("b").exists(), "it never saw the log");

    let (store, reach) = place.try_open("a").await.unwrap();
    assert_eq!(end(&store).await.0, 1);
    assert!(
        store.read(2, 1).await.unwrap().is_empty(),
        "the start goes on"
    );
    assert!(reach.lost_since().is_some());
    let next = sealed(2, &end(&store).await.1, 2.0, "k");
    let error = store.append(&next).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");

    place.server.as_mut().unwrap().start_again();
    let (_, took) = until("a write", async || store.append(&next).await.ok()).await;
    println!("the first write after NATS came back took {took:?}");
    assert_eq!(end(&store).await.0, 2);
    until("reach", async || reach.lost_since().is_none().then_some(())).await;
}

#[tokio::test]
async fn a_stream_that_is_wiped_deleted_or_replaced_is_refused_and_the_copy_stays() {
    let Some(mut place) = Place::nats() else {
        return;
    };
    let (store, reach) = place.try_open("a").await.unwrap();
    for weight in [1.0, 2.0, 3.0] {
        append(&store, weight).await;
    }
    let before = std::fs::read(place.copy("a")).unwrap();
    let next = sealed(4, &end(&store).await.1, 4.0, "k");
    let refused = async |problem: &str| {
        until(problem, async || match store.append(&next).await {
            Err(StoreError::Broken { problem: found, .. }) if found.contains(problem) => Some(()),
            Err(_) => None,
            Ok(appended) => panic!("{appended:?} in a stream that is another one"),
        })
        .await;
        until("lost", async || reach.lost_since()).await;
    };

    let (context, _) = stream_of(&place).await;
    context.delete_stream("test").await.unwrap();
    refused("it is gone").await;

    // Another history of the same length, and then a longer one.
    let other = place.open("other").await;
    for weight in [7.0, 8.0] {
        append(&other, weight).await;
    }
    refused("it ends at revision 2, and this combiner has revision 3").await;
    append(&other, 9.0).await;
    refused("revision 3 does not belong").await;
    append(&other, 10.0).await;
    refused("revision 4 does not belong").await;

    close(other).await;
    let server = place.server.as_mut().unwrap();
    server.kill();
    server.wipe();
    server.start_again();
    refused("it is gone").await;
    assert_eq!(std::fs::read(place.copy("a")).unwrap(), before);

    close(store).await;
    let (store, reach) = place.try_open("a").await.unwrap();
    assert_eq!(
        end(&store).await.0,
        3,
        "it serves what it knows, after a restart too"
    );
    assert!(reach.lost_since().is_some());
}

#[tokio::test]
async fn a_stream_that_can_lose_entries_is_refused_by_the_setting() {
    let Some(place) = Place::nats() else { return };
    let (context, config) = stream_of(&place).await;
    let stream = async_nats::jetstream::stream::Config {
        name: "test".to_owned(),
        subjects: vec!["test.log".to_owned()],
        max_age: Duration::from_secs(60),
        ..Default::default()
    };
    context.create_stream(stream).await.unwrap();
    let error = place.try_open("a").await.unwrap_err().to_string();
    for part in [
        "max_age has to be 0",
        "discard has to be new",
        "deny_delete",
        "republish",
        &config.store.to_string(),
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn an_entry_that_the_stream_has_no_room_for_is_surely_not_written() {
    let Some(place) = Place::nats() else { return };
    let store = place.open("a").await;
    append(&store, 1.0).await;
    let (context, _) = stream_of(&place).await;
    let mut config = context
        .get_stream("test")
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();
    config.max_messages = 1;
    context.update_stream(config.clone()).await.unwrap();
    let next = sealed(2, &end(&store).await.1, 2.0, "k");
    let error = store.append(&next).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Broken { problem, .. } if problem.contains("maximum messages")),
        "{error}"
    );
    config.max_messages = -1;
    context.update_stream(config).await.unwrap();
    assert_eq!(store.append(&next).await.unwrap(), Appended::Committed);
}

#[tokio::test]
async fn who_is_far_behind_or_new_fetches_everything() {
    let Some(place) = Place::nats() else { return };
    let (writer, behind) = (place.open("a").await, place.open("b").await);
    close(behind).await;
    let many = nats::CHUNK + 76;
    let mut previous = NO_HASH.to_owned();
    for revision in 1..=many {
        let sealed = sealed(revision, &previous, revision as f64, "k");
        assert_eq!(writer.append(&sealed).await.unwrap(), Appended::Committed);
        previous = sealed.entry.hash;
    }
    for replica in ["b", "new"] {
        let store = place.open(replica).await;
        assert_eq!(end(&store).await, (many, previous.clone()), "{replica}");
    }
    let bytes = |replica| std::fs::read(place.copy(replica)).unwrap();
    assert_eq!(bytes("a"), bytes("b"));
    assert_eq!(bytes("a"), bytes("new"));
}
