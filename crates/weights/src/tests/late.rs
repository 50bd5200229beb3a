//! An entry that becomes durable after its writer has given up is applied all the same.

use std::time::Duration;

use counterweight_test_support::soon;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_durable_only_after_the_patience_is_over_is_applied_then() {
    let mut servers = Servers::start(1).await;
    servers.all[0].patience = Duration::from_millis(20);
    let Store::Embedded(log) = &servers.store else {
        panic!("an embedded store")
    };
    let release = log.hang_next_append();
    let live = Arc::new(servers.all.pop().unwrap());
    let follower = Arc::clone(&live);
    let following = tokio::spawn(async move { follower.follow().await });

    let planner = servers.planner();
    let change = set_bait("a", -1.5);
    let outcome = live
        .commit(cause("k"), |log| planner.set(log, &change).map(Some))
        .await;
    assert!(
        matches!(outcome, Err(Error::Store(StoreError::Ambiguous { .. }))),
        "{outcome:?}"
    );
    assert_eq!(live.applied(), 0);

    let mut newest = live.subscribe();
    release.send(()).unwrap();
    let applied = soon("the entry", newest.wait_for(Option::is_some)).await;
    assert_eq!(applied.unwrap().as_ref().unwrap().revision, 1);
    assert_eq!(live.in_force(0).weights.as_slice(), [1.0, -1.5]);
    following.abort();
    // The writer who sends it again gets the entry, and writes none.
    let again = live
        .commit(cause("k"), |_| panic!("it is in the log"))
        .await;
    assert_eq!(again.unwrap().unwrap().revision, 1);
    assert_one_chain(&servers.path(), 1);
}
