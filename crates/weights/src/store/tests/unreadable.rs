//! An entry of the stream that cannot be read: it is said, rankings go on, and a recorded command
//! steps over it on every combiner.

use super::*;
use crate::{
    error::{Error, PlanError},
    profile::Action,
    verify_log,
};

/// Publishes anything to the stream, as a program that is not a combiner could.
async fn publish(place: &Place, bytes: &'static [u8]) {
    let url = place.server.as_ref().unwrap().url();
    let client = async_nats::connect(url).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let published = context.publish("test.log", bytes.into()).await.unwrap();
    published.await.unwrap();
}

async fn skip(store: &Store, revision: u64) -> Result<Entry, Error> {
    store.skip(revision, cause(), Timestamp::default()).await
}

async fn unreadable_at(store: &Store, revision: u64) {
    let (last, hash) = end(store).await;
    assert_eq!(last, revision - 1);
    let next = sealed(last + 1, &hash, 9.0, "k");
    let error = store.append(&next).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unreadable { revision: at, .. } if *at == revision),
        "{error}"
    );
    let text = error.to_string();
    let command = format!("counterweight weights skip-entry {revision} -m WHY");
    assert!(text.contains(&command), "{text}");
}

#[tokio::test]
async fn it_blocks_until_it_is_skipped_and_every_combiner_skips_the_same() {
    let Some(place) = Place::nats() else { return };
    let (store, reach) = place.try_open("a").await.unwrap();
    let other = place.open("b").await;
    for weight in [1.0, 2.0] {
        append(&store, weight).await;
    }
    eventually_some("b has both", async || {
        (end(&other).await.0 == 2).then_some(())
    })
    .await;
    let error = skip(&store, 2).await.unwrap_err();
    assert!(
        matches!(error, Error::Plan(PlanError::NotSkippable { .. })),
        "{error}"
    );

    publish(&place, b"no entry\nof two lines").await;
    publish(&place, b"").await;
    eventually_some("down", async || reach.down_since()).await;
    unreadable_at(&store, 3).await;
    unreadable_at(&other, 3).await;
    // A combiner that starts now has what comes before.
    let (late, late_reach) = place.try_open("late").await.unwrap();
    unreadable_at(&late, 3).await;
    assert!(late_reach.down_since().is_some());

    let error = skip(&store, 4).await.unwrap_err().to_string();
    assert!(error.contains("is revision 3; skip that one"), "{error}");
    let entry = skip(&store, 3).await.unwrap();
    let revisions: Vec<u64> = entry.change.skipped.iter().map(|s| s.revision).collect();
    assert_eq!((entry.revision, revisions), (5, vec![3, 4]));
    eventually_some("up", async || reach.down_since().is_none().then_some(())).await;
    assert_eq!(append(&other, 6.0).await, 6);
    let new = place.open("new").await;
    for store in [&store, &other, &late, &new] {
        eventually_some("6 entries", async || {
            (end(store).await.0 == 6).then_some(())
        })
        .await;
        let all = store.read(1, 9).await.unwrap();
        assert_chain(&all);
        let actions: Vec<Action> = all.iter().map(|entry| entry.change.action).collect();
        assert_eq!(
            actions[2..5],
            [Action::Unreadable, Action::Unreadable, Action::Skip]
        );
    }
    let bytes = |replica| std::fs::read(place.copy(replica)).unwrap();
    for replica in ["b", "late", "new"] {
        assert_eq!(bytes("a"), bytes(replica), "{replica}");
    }
    let verified = verify_log(&place.copy("a"), "").unwrap();
    assert_eq!((verified.entries, verified.broken), (6, None));
    assert_eq!(verified.skipped, [3, 4]);

    // A copy that ends with what cannot be read is not a whole log.
    let text = std::fs::read(place.copy("a")).unwrap();
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let cut = place.copy("cut");
    std::fs::write(&cut, lines[..4].concat()).unwrap();
    let (revision, problem) = verify_log(&cut, "").unwrap().broken.unwrap();
    assert!(
        revision == 3 && problem.contains("no later entry skips it"),
        "{problem}"
    );
    // A restart goes on from the copy.
    close(store).await;
    let store = place.open("a").await;
    assert_eq!(append(&store, 7.0).await, 7);
}
