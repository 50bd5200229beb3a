//! Labels by rules of a file.

use std::fs;

use counterweight_join::{JoinError, Rules, join};
use counterweight_journal::HOUR_MS;

use crate::common::{DAY_MS, Event, Logs, START_MS, click, ranking, row_of};

fn rules(logs: &Logs, text: &str) -> Rules {
    let path = logs.path("labels.toml");
    fs::write(&path, text).unwrap();
    Rules::read(&path, DAY_MS, HOUR_MS).unwrap()
}

#[test]
fn a_seen_event_says_where_a_candidate_was_shown() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    let seen = |candidate: usize, position: Option<i32>| Event {
        id: format!("seen-{candidate}"),
        kind: "seen".to_owned(),
        position,
        ..click(&shown, candidate, 5_000)
    };
    logs.rank(std::slice::from_ref(&shown));
    logs.happen(&[seen(0, Some(7)), seen(3, None), click(&shown, 0, 9_000)]);
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rules = rules(
        &logs,
        "[label.engagement]\nevents = [\"engagement\"]\nseen = true\n",
    );
    let joined = join(&options, &mut |_| {}).unwrap();
    assert_eq!(joined.counts.shown, 3);
    assert_eq!(joined.counts.events.joined, 3);
    let rows = logs.rows();
    let positions = rows.column("shown_position").unwrap().i32().unwrap();
    let positions: Vec<_> = positions.iter().collect();
    assert_eq!(positions, [Some(7), Some(2), None, None]);
    assert_eq!(
        logs.label(&shown, "candidate-0"),
        Some((true, START_MS + 9_000))
    );
    assert_eq!(logs.label(&shown, "candidate-1"), None, "it was not seen");
    let end = START_MS + 5_000 + DAY_MS;
    assert_eq!(logs.label(&shown, "candidate-3"), Some((false, end)));
}

#[test]
fn labels_of_posts_go_to_the_rows_that_showed_them() {
    let mut logs = Logs::new();
    let near = ranking("a", START_MS);
    let far = ranking("b", START_MS + 9 * DAY_MS);
    logs.rank(&[near.clone(), far.clone()]);
    let label = |id: &str, candidate: &str, value: f64, days: i64| Event {
        id: id.to_owned(),
        candidate: candidate.to_owned(),
        objective: "bait".to_owned(),
        value: Some(value),
        sampling: Some(0.25),
        time_ms: START_MS + days * DAY_MS,
        received_ms: START_MS + days * DAY_MS,
        ..Event::default()
    };
    logs.happen(&[
        label("1", "candidate-0", 1.0, 2),
        label("2", "candidate-1", 1.0, -1),
        label("3", "candidate-1", 0.0, 1),
        label("4", "candidate-3", 1.0, 1),
    ]);
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rules = rules(
        &logs,
        "[label.engagement]\nevents = [\"engagement\"]\n[label.bait]\nposts = true\nperiod = \"3d\"\n",
    );
    let joined = join(&options, &mut |_| {}).unwrap();
    assert_eq!(joined.counts.labels["bait"].known, 2);
    let rows = logs.rows();
    let value = |ranking, candidate: &str| {
        let row = row_of(&rows, ranking, candidate);
        let label = rows
            .column("label_bait")
            .unwrap()
            .bool()
            .unwrap()
            .get(row)?;
        let weight = rows.column("label_weight_bait").unwrap();
        Some((label, weight.f64().unwrap().get(row)?))
    };
    assert_eq!(value(&near, "candidate-0"), Some((true, 4.0)));
    assert_eq!(
        value(&near, "candidate-1"),
        Some((false, 4.0)),
        "the latest counts"
    );
    assert_eq!(value(&near, "candidate-3"), None, "it was not shown");
    assert_eq!(value(&far, "candidate-0"), None, "too long ago");
}

#[test]
fn another_rule_is_refused_and_nothing_is_changed() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    logs.rank(std::slice::from_ref(&shown));
    logs.join();
    let before = crate::common::contents(&logs.out());
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rules.window_ms += 1;
    let error = join(&options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, JoinError::OtherRules { .. }), "{error}");
    assert_eq!(crate::common::contents(&logs.out()), before);
}
