//! What an entry, a ramp and a page of the history may take at most.

use super::*;
use crate::{
    audience::{Condition, Segment, Test, Value},
    entry::MAX_PAYLOAD_BYTES,
};

/// Segments of so many values of 256 bytes each.
fn segments(values: usize) -> Vec<Segment> {
    let segment = |at: usize| Segment {
        name: format!("s{at}"),
        conditions: vec![Condition {
            attribute: "country".into(),
            test: Test::AnyOf(
                (0..values)
                    .map(|value| Value::Text(format!("{value:0256}")))
                    .collect(),
            ),
        }],
        weights: bait(-1.0),
    };
    vec![segment(0)]
}

async fn set_segments(servers: &Servers, values: usize, key: &str) -> Result<Arc<Entry>, Error> {
    let planner = servers.planner();
    let mut change = set_bait("a", -1.0);
    change[0].audience.segments = Some(segments(values));
    let plan = move |log: &LogState| planner.set(log, &change).map(Some);
    servers.commit(0, key, plan).await
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_refused_and_writes_nothing() {
    let servers = Servers::start(1).await;
    set_segments(&servers, 900, "fits").await.unwrap();
    let mut change = set_bait("a", -1.0);
    change[0].audience.segments = Some(
        (0..2)
            .flat_map(|at| segments(900).into_iter().map(move |s| (at, s)))
            .map(|(at, segment)| Segment {
                name: format!("s{at}"),
                ..segment
            })
            .collect(),
    );
    let planner = servers.planner();
    let refused = servers
        .commit(0, "large", move |log| planner.set(log, &change).map(Some))
        .await
        .unwrap_err();
    let Error::Plan(PlanError::EntryTooLarge { bytes, most }) = refused else {
        panic!("{refused}")
    };
    assert!(bytes > most && most == MAX_PAYLOAD_BYTES);
    assert_one_chain(&servers.path(), 1);
}

#[tokio::test]
async fn a_ramp_over_large_segments_stores_them_once_and_comes_back_whole() {
    let servers = Servers::start(1).await;
    set_segments(&servers, 500, "segments").await.unwrap();
    servers.ramp(-1.9, 300, 300_000).await;
    let length = || std::fs::metadata(servers.path()).unwrap().len();
    let before = length();
    let live = &servers.all[0];
    for step in 1..=200 {
        assert!(live.step_ramps(START + step * 1_000).await.unwrap());
    }
    let each = (length() - before) / 200;
    assert!(each < 1_000, "{each} bytes for a step");

    // The state is whole in memory, after a restart, and in the history.
    let expected = live.logged(0).state();
    assert_eq!(expected.segments, segments(500));
    assert_eq!(expected.ramp.as_ref().unwrap().step, 200);
    let mut again = servers;
    again.add().await;
    assert_eq!(again.all[1].logged(0).state(), expected);
    let live = &again.all[1];
    let found = live.states_at(live.applied(), &["a"]).await.unwrap();
    assert_eq!(found["a"], (live.applied(), expected.clone()));
    let earlier = live.states_at(live.applied() - 50, &["a"]).await.unwrap();
    let (revision, state) = &earlier["a"];
    assert_eq!(*revision, live.applied() - 50);
    assert_eq!(state.ramp.as_ref().unwrap().step, 150);
    assert_eq!(state.segments, expected.segments);

    // The last step ends the ramp and keeps the rest.
    assert!(live.step_ramps(START + 300_000).await.unwrap());
    let done = live.logged(0).state();
    assert_eq!((done.ramp, &done.weights[1].weight), (None, &-1.9));
    assert_eq!(done.segments, expected.segments);
}

#[tokio::test]
async fn a_page_of_large_entries_ends_early_and_no_entry_is_lost() {
    let servers = Servers::start(1).await;
    for entry in 0..40 {
        set_segments(&servers, 900, &format!("k{entry}"))
            .await
            .unwrap();
    }
    let live = &servers.all[0];
    for (most_bytes, largest) in [(1, 1), (10, 10), (1000, 15)] {
        let (mut before, mut found) = (u64::MAX, Vec::new());
        loop {
            let page = live.page(None, before, 15, (most_bytes, |_| 1)).await;
            let page = page.unwrap();
            assert!((1..=largest).contains(&page.entries.len()));
            found.extend(page.entries.iter().map(|entry| entry.revision));
            match page.next {
                Some(next) => before = next,
                None => break,
            }
        }
        assert_eq!(found, (1..=40).rev().collect::<Vec<u64>>());
    }
    // However many are asked for, one read takes a few MiB, and a narrow one a single entry.
    let read = live.read(1, usize::MAX).await.unwrap();
    assert!(read.len() < 20, "{} entries at once", read.len());
    assert_eq!(live.read_within(7, 100, 1).await.unwrap()[0].revision, 7);
    assert_eq!(live.read_within(7, 100, 1).await.unwrap().len(), 1);
}
