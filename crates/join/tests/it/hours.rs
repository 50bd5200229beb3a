//! Hours: when they are complete, and what happens to files.

use std::fs;

use counterweight_join::{JoinError, Manifest, join};
use counterweight_journal::{HOUR_MS, Header, Kind, encode_frame};
use polars::prelude::*;

use crate::common::{DAY_MS, Logs, START_MS, click, contents, ranking, ranking_frame};

#[test]
fn an_hour_is_complete_when_window_and_grace_have_passed() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    logs.rank(std::slice::from_ref(&shown));
    logs.happen(&[click(&shown, 0, 60_000)]);
    let complete_at = START_MS + HOUR_MS + DAY_MS + HOUR_MS;

    let early = join(&logs.options(complete_at - 1), &mut |_| {}).unwrap();
    assert_eq!(early.hours.values().collect::<Vec<_>>(), [&false]);
    assert_eq!(early.next_complete_ms, Some(complete_at));
    assert_eq!(
        logs.label(&shown, "candidate-0"),
        Some((true, START_MS + 60_000))
    );
    let open = Manifest::read(&logs.out()).unwrap().unwrap();
    assert!(open.complete_files(&logs.out()).is_empty());

    // An event that arrives meanwhile is joined by the next run.
    logs.happen(&[click(&shown, 1, 120_000)]);
    let complete = join(&logs.options(complete_at), &mut |_| {}).unwrap();
    assert_eq!(complete.hours.values().collect::<Vec<_>>(), [&true]);
    assert_eq!(complete.counts.events.joined, 2);
    assert_eq!(
        logs.label(&shown, "candidate-1"),
        Some((true, START_MS + 120_000))
    );

    // A complete hour is not joined again.
    let before = contents(&logs.out().join("labelled"));
    let again = join(&logs.options(complete_at + DAY_MS), &mut |_| {}).unwrap();
    assert!(again.hours.is_empty());
    let after = contents(&logs.out().join("labelled"));
    assert_eq!(after.len(), 1, "the file of the first run is gone");
    assert!(before.contains(&after[0]));
}

#[test]
fn labels_wait_for_their_window_in_an_open_hour() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    logs.rank(std::slice::from_ref(&shown));
    let window_end = START_MS + DAY_MS;
    join(&logs.options(window_end + HOUR_MS - 1), &mut |_| {}).unwrap();
    assert_eq!(logs.label(&shown, "candidate-0"), None);
    join(&logs.options(window_end + HOUR_MS), &mut |_| {}).unwrap();
    assert_eq!(logs.label(&shown, "candidate-0"), Some((false, window_end)));
}

#[test]
fn an_hour_stays_open_while_records_are_in_no_part_yet() {
    for (log, kind) in [("requests", Kind::Requests), ("events", Kind::Events)] {
        let mut logs = Logs::new();
        logs.rank(&[ranking("a", START_MS)]);
        let wal = logs.path(log).join("wal");
        fs::create_dir_all(&wal).unwrap();
        let run = uuid::Uuid::now_v7();
        let header = Header {
            kind,
            run,
            hour: START_MS / HOUR_MS,
        };
        let mut bytes = header.encode();
        bytes.extend(encode_frame(b"a record").unwrap());
        let segment = wal.join(format!("{}-{run}-0000000001.seg", kind.name()));
        fs::write(&segment, bytes).unwrap();
        let now = START_MS + 100 * DAY_MS;
        let joined = join(&logs.options(now), &mut |_| {}).unwrap();
        assert_eq!(joined.hours.values().collect::<Vec<_>>(), [&false], "{log}");
        fs::remove_file(&segment).unwrap();
        let joined = join(&logs.options(now), &mut |_| {}).unwrap();
        assert_eq!(joined.hours.values().collect::<Vec<_>>(), [&true], "{log}");
    }
}

#[test]
fn a_rebuild_gives_the_same_rows() {
    let mut logs = Logs::new();
    let rankings: Vec<_> = (0..30)
        .map(|hour| ranking(&hour.to_string(), START_MS + hour * HOUR_MS))
        .collect();
    logs.rank(&rankings);
    let clicks: Vec<_> = rankings
        .iter()
        .map(|ranking| click(ranking, 1, 3 * HOUR_MS))
        .collect();
    logs.happen(&clicks);
    assert_eq!(logs.join().counts.events.joined, 30);
    let before = logs.rows();
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    let first = START_MS / HOUR_MS;
    options.rebuild = Some(first + 5..first + 9);
    let joined = join(&options, &mut |_| {}).unwrap();
    assert_eq!(joined.hours.len(), 4);
    assert!(logs.rows().equals_missing(&before));
}

#[test]
fn columns_are_united_and_a_changed_type_is_refused_by_name() {
    let mut logs = Logs::new();
    let with = |name: &str, values: Column| {
        let mut frame = ranking_frame(&[ranking(name, START_MS)]);
        frame.with_column(values).unwrap();
        frame
    };
    let hour = START_MS / HOUR_MS;
    let number = Column::new("country".into(), vec![1.5; 4]);
    let text = Column::new("country".into(), vec!["de"; 4]);
    logs.part("requests", hour, &ranking_frame(&[ranking("a", START_MS)]));
    let first = logs.part("requests", hour, &with("b", text));
    logs.join();
    let rows = logs.rows();
    assert_eq!(rows.column("country").unwrap().null_count(), 4);

    fs::remove_dir_all(logs.out()).unwrap();
    let second = logs.part("requests", hour, &with("c", number));
    logs.rank(&[ranking("d", START_MS + HOUR_MS)]);
    let joined = join(&logs.options(START_MS), &mut |_| {}).unwrap();
    let text = &joined.failed["dt=2026-01-02/hr=00"];
    assert_eq!(joined.hours.len(), 1, "the other hour is joined");
    for named in [first, second] {
        assert!(text.contains(&named.display().to_string()), "{text}");
    }
}

#[test]
fn one_run_at_a_time() {
    let mut logs = Logs::new();
    logs.rank(&[ranking("a", START_MS)]);
    let options = logs.options(START_MS);
    let mut second = None;
    join(&options, &mut |_| {
        second = Some(join(&options, &mut |_| {}));
    })
    .unwrap();
    let error = second.unwrap().unwrap_err();
    assert!(matches!(error, JoinError::Locked { .. }), "{error}");
}

#[test]
fn a_run_that_was_stopped_is_continued() {
    let mut logs = Logs::new();
    let rankings: Vec<_> = (0..4)
        .map(|hour| ranking(&hour.to_string(), START_MS + hour * HOUR_MS))
        .collect();
    logs.rank(&rankings);
    let options = logs.options(START_MS + 100 * DAY_MS);
    let stopped = std::panic::catch_unwind(|| {
        let mut hours = 0;
        join(&options, &mut |_| {
            hours += 1;
            assert!(hours < 3, "stopped");
        })
    });
    assert!(stopped.is_err());
    // What a kill leaves behind.
    fs::create_dir_all(logs.out().join(".tmp-spill")).unwrap();
    let stray = logs
        .out()
        .join("labelled/dt=2026-01-02/hr=02/part-stray.parquet");
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "half a file").unwrap();
    let rest = join(&options, &mut |_| {}).unwrap();
    assert_eq!(rest.hours.len(), 2, "two hours were done");
    assert!(!stray.exists() && !logs.out().join(".tmp-spill").exists());
    assert_eq!(logs.rows().height(), 16);
}

#[test]
fn parts_of_other_programs_may_have_typed_times_and_must_have_their_columns() {
    let mut logs = Logs::new();
    let shown = ranking("a", START_MS);
    let mut frame = ranking_frame(std::slice::from_ref(&shown));
    let nanoseconds = Column::new("time".into(), vec![START_MS * 1_000_000; 4]);
    let typed = nanoseconds.cast(&DataType::Datetime(TimeUnit::Nanoseconds, None));
    frame.with_column(typed.unwrap()).unwrap();
    let hour = START_MS / HOUR_MS;
    logs.part("requests", hour, &frame);
    logs.happen(&[click(&shown, 0, 60_000)]);
    assert_eq!(logs.join().counts.events.joined, 1);
    let rows = logs.rows();
    assert_eq!(
        rows.column("time").unwrap().i64().unwrap().get(0),
        Some(START_MS)
    );
    assert_eq!(
        logs.label(&shown, "candidate-0"),
        Some((true, START_MS + 60_000))
    );

    let nameless = ranking_frame(&[ranking("b", START_MS)])
        .drop("candidate_id")
        .unwrap();
    logs.part("requests", hour + 1, &nameless);
    let joined = logs.join();
    let problem = joined.failed.values().next().unwrap();
    assert!(problem.contains("no column candidate_id"), "{problem}");
    let timeless = crate::common::event_frame(&[click(&shown, 1, 1_000)]);
    logs.part("events", hour, &timeless.drop("event_id").unwrap());
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rebuild = Some(hour..hour + 1);
    let error = join(&options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, JoinError::Missing { .. }), "{error}");
}

#[test]
fn rows_of_a_ranking_that_are_not_adjacent_are_refused() {
    let mut logs = Logs::new();
    let frame = ranking_frame(&[ranking("a", START_MS), ranking("b", START_MS)]);
    let sorted = frame.sort(["candidate_id"], SortMultipleOptions::default());
    logs.part("requests", START_MS / HOUR_MS, &sorted.unwrap());
    let joined = logs.join();
    let problem = joined.failed.values().next().unwrap();
    assert!(problem.contains("not adjacent"), "{problem}");
}
