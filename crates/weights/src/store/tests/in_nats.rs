//! What only the store in NATS can meet.

use super::*;

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
            eventually("a write after the restart", async || {
                let (last, hash) = (revision - 1, end(&writer).await.1);
                let entry = sealed(last + 1, &hash, 1.0, &revision.to_string());
                matches!(writer.append(&entry).await, Ok(Appended::Committed))
            })
            .await;
        }
        let entry = soon("the entry", tail.next()).await.unwrap();
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

    let error = place.try_open("b").await.unwrap_err();
    assert!(matches!(error, StoreError::NeverSeen { .. }), "{error}");
    assert!(!place.copy("b").exists(), "it never saw the log");

    let (store, reach) = place.try_open("a").await.unwrap();
    assert_eq!(end(&store).await.0, 1);
    assert!(
        store.read(2, 1).await.unwrap().is_empty(),
        "the start goes on"
    );
    assert!(reach.down_since().is_some());
    let next = sealed(2, &end(&store).await.1, 2.0, "k");
    let error = store.append(&next).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");

    place.server.as_mut().unwrap().start_again();
    eventually("a write", async || store.append(&next).await.is_ok()).await;
    assert_eq!(end(&store).await.0, 2);
    eventually("reach", async || reach.down_since().is_none()).await;
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
        eventually(problem, async || match store.append(&next).await {
            Err(StoreError::Broken { problem: found, .. }) => found.contains(problem),
            Err(_) => false,
            Ok(appended) => panic!("{appended:?} in a stream that is another one"),
        })
        .await;
        eventually("lost", async || reach.down_since().is_some()).await;
    };

    let (context, _) = stream_of(&place).await;
    context.delete_stream("test").await.unwrap();
    refused("it is gone").await;

    // Another history of the same length, and then a longer one.
    let other = place.open("other").await;
    for weight in [7.0, 8.0] {
        append(&other, weight).await;
    }
    refused("it ends at revision 2, but this combiner has revision 3").await;
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
    assert!(reach.down_since().is_some());
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
