//! Every event has exactly one fate, and the fates are counted.

use counterweight_join::{EventCounts, join};
use counterweight_journal::HOUR_MS;

use crate::common::{DAY_MS, Event, Logs, START_MS, click, ranking};

fn fates(logs: &Logs) -> EventCounts {
    logs.join().counts.events
}

#[test]
fn an_event_is_joined_once_however_often_it_arrives() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    let first = click(&shown, 0, 60_000);
    let again = Event {
        received_ms: first.received_ms + 2 * HOUR_MS,
        ..first.clone()
    };
    logs.rank(std::slice::from_ref(&shown));
    logs.happen(&[again, first.clone(), first]);
    let expected = EventCounts {
        joined: 1,
        duplicates: 2,
        ..EventCounts::default()
    };
    assert_eq!(fates(&logs), expected);
    assert_eq!(
        logs.label(&shown, "candidate-0"),
        Some((true, START_MS + 60_000))
    );
    assert_eq!(
        logs.label(&shown, "candidate-1"),
        Some((false, START_MS + DAY_MS))
    );
    assert_eq!(logs.label(&shown, "candidate-2"), None, "it was not shown");
}

#[test]
fn events_that_do_not_fit_are_counted_by_reason() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    let stranger = ranking("b", START_MS);
    let mut late = click(&shown, 0, 1_000);
    late.received_ms = START_MS + DAY_MS + 3 * HOUR_MS;
    late.id = "late".to_owned();
    let mut candidate = click(&shown, 9, 1_000);
    candidate.id = "candidate".to_owned();
    let mut future = click(&ranking("c", START_MS + 50 * DAY_MS), 0, 0);
    future.received_ms = START_MS;
    let mut before = click(&shown, 1, -6 * 60_000);
    before.received_ms = START_MS;
    logs.rank(std::slice::from_ref(&shown));
    logs.happen(&[
        click(&shown, 0, 60_000),
        click(&shown, 0, DAY_MS + 1),
        before,
        click(&shown, 3, 60_000),
        click(&stranger, 0, 60_000),
        late,
        candidate,
        future,
    ]);
    let expected = EventCounts {
        joined: 1,
        after_window: 1,
        before_request: 1,
        not_shown: 1,
        orphans: 3,
        arrived_late: 1,
        ..EventCounts::default()
    };
    assert_eq!(fates(&logs), expected);
    assert_eq!(expected.all(), 8);
}

#[test]
fn a_unit_has_at_most_so_many_events_a_day_over_all_hours() {
    let rankings: Vec<_> = (0..3)
        .map(|hour| crate::common::Ranking {
            unit: "bot".to_owned(),
            ..ranking(&hour.to_string(), START_MS + hour * HOUR_MS)
        })
        .chain([ranking("other", START_MS)])
        .collect();
    let mut logs = Logs::new();
    logs.rank(&rankings);
    let clicks: Vec<_> = rankings
        .iter()
        .flat_map(|ranking| (1..=4).map(|minute| click(ranking, 0, minute * 60_000)))
        .collect();
    logs.happen(&clicks);
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rules.unit_events_per_day = 6;
    let at_once = join(&options, &mut |_| {}).unwrap();
    assert_eq!(at_once.counts.events.joined, 6 + 4);
    assert_eq!(at_once.counts.events.cut, 6);
    let before = logs.rows();

    // The same when the hours are joined by several runs.
    std::fs::remove_dir_all(logs.out()).unwrap();
    let mut cut = 0;
    for hour in 0..3 {
        let hour = START_MS / HOUR_MS + hour;
        options.rebuild = Some(hour..hour + 1);
        cut += join(&options, &mut |_| {}).unwrap().counts.events.cut;
    }
    assert_eq!(cut, 6);
    assert!(logs.rows().equals_missing(&before));
}

#[test]
fn events_without_a_ranking_id_find_the_latest_ranking() {
    let mut logs = Logs::new();
    let early = ranking("a", START_MS);
    let mut later = ranking("a", START_MS + HOUR_MS);
    later.k = 1;
    let after = ranking("a", START_MS + 3 * HOUR_MS);
    logs.rank(&[early.clone(), later.clone(), after]);
    let at = START_MS + 2 * HOUR_MS;
    let event = |id: &str| Event {
        id: id.to_owned(),
        kind: "engagement".to_owned(),
        time_ms: at,
        received_ms: at + 1_000,
        ..Event::default()
    };
    logs.happen(&[
        Event {
            request: "request-a".to_owned(),
            candidate: "candidate-0".to_owned(),
            ..event("by request")
        },
        Event {
            unit: "unit-a".to_owned(),
            candidate: "candidate-1".to_owned(),
            ..event("by unit")
        },
        Event {
            unit: "unit-a".to_owned(),
            candidate: "candidate-3".to_owned(),
            ..event("never shown")
        },
        Event {
            ranking: "of another system".to_owned(),
            candidate: "candidate-0".to_owned(),
            ..event("stranger")
        },
    ]);
    let joined = logs.join();
    assert_eq!(joined.counts.events.joined, 2);
    assert_eq!(joined.counts.events.orphans, 2);
    assert_eq!(joined.counts.found_by_request, 1);
    assert_eq!(joined.counts.found_by_unit, 1);
    // The request was ranked last in the second hour, and showed `c1` last in the first one.
    assert_eq!(logs.label(&later, "candidate-0"), Some((true, at)));
    assert_eq!(logs.label(&early, "candidate-1"), Some((true, at)));
    assert_eq!(
        logs.label(&early, "candidate-0"),
        Some((false, START_MS + DAY_MS))
    );
}

#[test]
fn a_ranking_that_two_parts_have_is_joined_once() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    logs.rank(std::slice::from_ref(&shown));
    logs.rank(&[shown.clone(), ranking("b", START_MS)]);
    logs.happen(&[click(&shown, 0, 1_000)]);
    let joined = logs.join();
    assert_eq!(joined.counts.rankings, 2);
    assert_eq!(joined.counts.repeated_rankings, 1);
    assert_eq!(logs.rows().height(), 8);
    assert_eq!(joined.counts.events.joined, 1);
}
