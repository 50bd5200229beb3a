//! What must be forgotten is gone for every reader at once, and then from every byte.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use counterweight_dataset::ParquetFrames;
use counterweight_join::{Verified, compact, forget_labels};
use counterweight_journal::{Forgotten, HOUR_MS, Kind};

use crate::common::{DAY_MS, Event, Logs, START_MS, click, contents, ranking};

/// Whether a text is in any file, in its bytes or in a decoded value.
fn is_anywhere(folder: &Path, text: &str) -> bool {
    contents(folder).into_iter().any(|(path, bytes)| {
        let raw = bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        raw || path.extension().is_some_and(|ending| ending == "parquet") && {
            let frames = ParquetFrames::open(&path, None).unwrap();
            let mut frames = frames.map(Result::unwrap);
            frames.any(|frame| {
                frame.columns().iter().any(|column| {
                    (0..column.len()).any(|row| column.get(row).unwrap().to_string().contains(text))
                })
            })
        }
    })
}

/// The parts below a folder.
fn parts(folder: &Path) -> usize {
    let files = contents(folder).into_iter();
    files
        .filter(|(path, _)| path.extension().is_some_and(|ending| ending == "parquet"))
        .count()
}

#[test]
fn a_unit_and_a_candidate_are_forgotten_at_once_and_then_from_every_byte() {
    let mut logs = Logs::new();
    let gone = ranking("gone", START_MS);
    let stays = ranking("stays", START_MS);
    logs.rank(&[gone.clone(), stays.clone()]);
    logs.rank(&[ranking("later", START_MS + HOUR_MS)]);
    let own = Event {
        unit: gone.unit.clone(),
        ranking: String::new(),
        ..click(&gone, 1, 5_000)
    };
    logs.happen(&[
        click(&gone, 0, 1_000),
        own,
        click(&stays, 0, 1_000),
        click(&stays, 1, 1_000),
    ]);
    logs.join();
    assert_eq!(logs.rows().height(), 12);

    let until = START_MS + 2 * HOUR_MS;
    let forgotten = Forgotten {
        units: BTreeMap::from([(gone.unit.clone(), until)]),
        candidates: BTreeMap::from([("candidate-1".to_owned(), until)]),
    };
    for log in ["requests", "events"] {
        Forgotten::update(&logs.path(log), |all| all.extend(&forgotten)).unwrap();
    }
    assert_eq!(
        forget_labels(&logs.out(), &forgotten).unwrap(),
        4 + 2,
        "a unit's rows, and two of a candidate"
    );
    assert!(!is_anywhere(&logs.out(), &gone.unit) && !is_anywhere(&logs.out(), "candidate-1"));
    let left = logs.rows();
    assert_eq!(left.height(), 8);

    // A new join does not bring it back, although the parts still have it.
    fs::remove_dir_all(logs.out()).unwrap();
    let joined = logs.join();
    assert_eq!(joined.counts.rankings, 2);
    assert_eq!(joined.counts.events.joined, 1);
    assert!(!is_anywhere(&logs.out(), &gone.unit) && !is_anywhere(&logs.out(), "candidate-1"));
    assert!(is_anywhere(&logs.path("requests"), &gone.unit));
    assert_eq!(
        logs.label(&stays, "candidate-0"),
        Some((true, START_MS + 1_000))
    );
    assert_eq!(
        logs.label(&stays, "forgotten-1"),
        None,
        "nothing is known of it"
    );

    // An hour that is not over is not compacted, and the log still remembers what to forget.
    let early = compact(&logs.path("requests"), Kind::Requests, START_MS + HOUR_MS).unwrap();
    assert_eq!((early.forgotten, early.waiting), (0, 2));
    for (log, kind) in [("requests", Kind::Requests), ("events", Kind::Events)] {
        let compacted = compact(&logs.path(log), kind, START_MS + 10 * DAY_MS).unwrap();
        assert_eq!((compacted.forgotten, compacted.waiting), (2, 0), "{log}");
        for text in [&gone.unit, "candidate-1"] {
            assert!(!is_anywhere(&logs.path(log), text), "{log}: {text}");
        }
        assert!(!logs.path(log).join("forgotten.json").exists());
        assert_eq!(Verified::read(&logs.path(log)).unwrap().problems, []);
    }
    fs::remove_dir_all(logs.out()).unwrap();
    assert_eq!(logs.join().counts.rankings, 2);
    assert_eq!(logs.rows().height(), 8);
}

#[test]
fn what_comes_after_the_forgetting_is_kept() {
    let mut logs = Logs::new();
    let before = ranking("u", START_MS);
    let mut after = ranking("u", START_MS + HOUR_MS);
    after.unit.clone_from(&before.unit);
    logs.rank(&[before.clone(), after]);
    let forgotten = Forgotten {
        units: BTreeMap::from([(before.unit, START_MS)]),
        ..Forgotten::default()
    };
    Forgotten::update(&logs.path("requests"), |all| all.extend(&forgotten)).unwrap();
    assert_eq!(logs.join().counts.rankings, 1);
}

#[test]
fn small_parts_become_one_and_nothing_is_lost_or_twice() {
    let mut logs = Logs::new();
    let rankings: Vec<_> = (0..5)
        .map(|at| ranking(&at.to_string(), START_MS + at))
        .collect();
    for ranking in &rankings {
        logs.rank(std::slice::from_ref(ranking));
        logs.happen(&[click(ranking, 0, 1_000)]);
    }
    let expected = logs.join().counts;
    let requests = logs.path("requests");
    let before = contents(&requests);
    let compacted = compact(&requests, Kind::Requests, START_MS + DAY_MS).unwrap();
    assert_eq!((compacted.replaced, compacted.written), (5, 1));
    assert_eq!(parts(&requests), 1);
    let again = compact(&requests, Kind::Requests, START_MS + DAY_MS).unwrap();
    assert_eq!(again.replaced, 0);

    // A stop after the new part was complete and before the old ones were removed.
    let mut new = contents(&requests).into_iter().map(|(path, _)| path);
    let is_part = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "parquet");
    let new = new.rfind(is_part).unwrap();
    for (path, bytes) in &before {
        fs::write(path, bytes).unwrap();
    }
    let relative = |path: &Path| path.strip_prefix(&requests).unwrap().display().to_string();
    let old: Vec<String> = before.iter().map(|(path, _)| relative(path)).collect();
    let replacing = serde_json::json!({ "new": relative(&new), "old": old });
    fs::write(requests.join("replacing.json"), replacing.to_string()).unwrap();
    fs::remove_dir_all(logs.out()).unwrap();
    let between = logs.join().counts;
    assert_eq!(between.rankings, expected.rankings, "none is joined twice");
    compact(&requests, Kind::Requests, START_MS + DAY_MS).unwrap();
    assert_eq!(parts(&requests), 1);
    fs::remove_dir_all(logs.out()).unwrap();
    assert_eq!(logs.join().counts, expected);
}

#[test]
fn a_damaged_part_is_named_and_does_not_hold_up_the_others() {
    let mut logs = Logs::new();
    logs.rank(&[ranking("a", START_MS), ranking("b", START_MS + HOUR_MS)]);
    let (path, mut bytes) = contents(&logs.path("requests")).swap_remove(0);
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    fs::write(&path, bytes).unwrap();
    let verified = Verified::read(&logs.path("requests")).unwrap();
    assert_eq!(verified.problems.len(), 1);
    assert_eq!(verified.problems[0].0, path);
    let joined = logs.join();
    assert_eq!(joined.hours.len(), 1);
    let failed = joined.failed.values().next().unwrap();
    assert!(failed.contains(&path.display().to_string()), "{failed}");
}

#[test]
fn names_that_are_forgotten_at_once_are_all_kept_and_compactions_exclude_each_other() {
    let mut logs = Logs::new();
    for at in 0..4 {
        logs.rank(&[ranking(&at.to_string(), START_MS + at)]);
    }
    let log = logs.path("requests");
    std::thread::scope(|scope| {
        for unit in 0..8 {
            let log = &log;
            scope.spawn(move || {
                let more = Forgotten {
                    units: BTreeMap::from([(unit.to_string(), START_MS)]),
                    ..Forgotten::default()
                };
                Forgotten::update(log, |all| all.extend(&more)).unwrap();
            });
        }
    });
    assert_eq!(Forgotten::read(&log).unwrap().units.len(), 8);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| compact(&log, Kind::Requests, START_MS + DAY_MS));
        }
    });
    let rows = Verified::read(&log).unwrap().rows;
    assert_eq!(rows, 16, "no row is there twice");
}

#[test]
fn a_labelled_log_forgets_the_files_that_were_replaced_too() {
    let mut logs = Logs::new();
    let gone = ranking("gone", START_MS);
    logs.rank(&[gone.clone(), ranking("stays", START_MS)]);
    logs.join();
    let mut options = logs.options(START_MS + 100 * DAY_MS);
    options.rebuild = Some(START_MS / HOUR_MS..START_MS / HOUR_MS + 1);
    counterweight_join::join(&options, &mut |_| {}).unwrap();
    assert_eq!(
        parts(&logs.out()),
        2,
        "the replaced file is there until the next run"
    );
    let forgotten = Forgotten {
        units: BTreeMap::from([(gone.unit.clone(), START_MS)]),
        ..Forgotten::default()
    };
    assert_eq!(forget_labels(&logs.out(), &forgotten).unwrap(), 4);
    assert!(!is_anywhere(&logs.out(), &gone.unit));
}
