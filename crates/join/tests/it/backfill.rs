//! Events that were sent long after they happened.

use std::fs;

use counterweight_join::{EventCounts, JoinError, Options, join};
use counterweight_journal::{HOUR_MS, Header, Kind, encode_frame};

use crate::common::{DAY_MS, Event, Logs, Ranking, START_MS, click, ranking};

/// When the events were sent: long after the rankings, and long before the join.
const SENT_MS: i64 = START_MS + 60 * DAY_MS;
const HOURS: i64 = 60;

fn options(logs: &Logs) -> Options {
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rules.backfill = true;
    options
}

/// A ranking of another system in each of many hours, and a click an hour after it that names its
/// request.
fn past() -> (Vec<Ranking>, Vec<Event>) {
    let rankings: Vec<_> = (0..HOURS)
        .map(|hour| Ranking {
            id: String::new(),
            ..ranking(&hour.to_string(), START_MS + hour * HOUR_MS)
        })
        .collect();
    let clicks = rankings.iter().map(|ranking| Event {
        request: ranking.request.clone(),
        received_ms: SENT_MS,
        ..click(ranking, 0, HOUR_MS)
    });
    let clicks = clicks.collect();
    (rankings, clicks)
}

#[test]
fn events_of_the_past_are_joined_at_any_time() {
    let mut logs = Logs::new();
    let (rankings, mut clicks) = past();
    logs.rank(&rankings);
    let mut stranger = click(&ranking("stranger", START_MS - 9 * DAY_MS), 0, 0);
    stranger.received_ms = SENT_MS;
    let mut after_window = clicks[0].clone();
    after_window.id = "after the window".to_owned();
    after_window.time_ms += DAY_MS;
    clicks.extend([stranger, after_window]);
    // They were sent twice, and the second time in another hour.
    logs.happen(&clicks);
    let again = clicks.iter().map(|click| Event {
        received_ms: SENT_MS + HOUR_MS,
        ..click.clone()
    });
    logs.happen(&again.collect::<Vec<_>>());

    let without = logs.join().counts.events;
    assert_eq!((without.joined, without.orphans), (0, 2 * 62));
    fs::remove_dir_all(logs.out()).unwrap();
    let joined = join(&options(&logs), &mut |_| {}).unwrap();
    let expected = EventCounts {
        joined: 60,
        duplicates: 62,
        orphans: 1,
        after_window: 1,
        ..EventCounts::default()
    };
    assert_eq!(joined.counts.events, expected);
    let positives = joined.counts.labels["engagement"].positives;
    assert_eq!(positives, 60);
    assert!(joined.hours.values().all(|complete| *complete));
    // The time at which a label was known is that of its event.
    let curve = joined.counts.labels["engagement"].arrival_curve();
    assert_eq!(curve.last(), Some(&(4096, 1.0)));

    let error = join(&logs.options(START_MS + 100 * DAY_MS), &mut |_| {}).unwrap_err();
    assert!(matches!(error, JoinError::OtherRules { .. }), "{error}");
}

#[test]
fn events_that_are_sent_after_a_run_are_joined_by_the_next() {
    let mut logs = Logs::new();
    let (rankings, clicks) = past();
    logs.rank(&rankings);
    logs.happen(&clicks[..20]);
    let first = join(&options(&logs), &mut |_| {}).unwrap();
    assert_eq!(first.counts.events.joined, 20);
    logs.happen(&clicks[10..]);
    let second = join(&options(&logs), &mut |_| {}).unwrap();
    let events = second.counts.events;
    assert_eq!((events.joined, events.duplicates), (60, 10));
}

#[test]
fn no_hour_is_complete_while_events_are_in_no_part_yet() {
    let mut logs = Logs::new();
    let (rankings, clicks) = past();
    logs.rank(&rankings);
    logs.happen(&clicks[..20]);
    let wal = logs.path("events").join("wal");
    fs::create_dir_all(&wal).unwrap();
    let run = uuid::Uuid::now_v7();
    let header = Header {
        kind: Kind::Events,
        run,
        hour: SENT_MS / HOUR_MS,
    };
    let mut bytes = header.encode();
    bytes.extend(encode_frame(b"a record").unwrap());
    let segment = wal.join(format!("events-{run}-0000000001.seg"));
    fs::write(&segment, bytes).unwrap();
    let waiting = join(&options(&logs), &mut |_| {}).unwrap();
    assert!(waiting.hours.values().all(|complete| !complete));
    let labels = &waiting.counts.labels["engagement"];
    assert_eq!((labels.known, labels.positives), (20, 20));
    assert_eq!(waiting.next_complete_ms, None);
    fs::remove_file(&segment).unwrap();
    let all = join(&options(&logs), &mut |_| {}).unwrap();
    assert!(all.hours.values().all(|complete| *complete));
    assert_eq!(all.counts.labels["engagement"].known, 2 * 60);
}
