//! Snapshots: what opening reads, and that a snapshot never says anything that the log does not.

use crate::{
    entry::{Cause, Change},
    profile::{Action, Ramp},
    verify_log,
    weight::ObjectiveWeight,
};

use super::*;

/// A step of a long ramp, as a combiner writes it: the whole profile, and its own key.
fn ramp_step(revision: u64) -> (Change, Cause) {
    let weight = |weight| {
        vec![ObjectiveWeight {
            objective: "engagement".into(),
            weight,
        }]
    };
    let mut step = change(revision as f64);
    step.action = Action::RampStep {
        step: revision as u32,
        steps: 10_000,
    };
    step.profiles[0].ramp = Some(Ramp {
        from: weight(1.0),
        to: weight(10_000.0),
        base_rates: vec![0.1],
        step: revision as u32,
        steps: 10_000,
        started_ms: 1_700_000_000_123,
        duration_ms: 86_400_000,
        author: "ana".into(),
        reason: "slowly".into(),
    });
    let cause = Cause {
        idempotency_key: format!("0192f3c1-7a2b-7000-8000-{revision:012}"),
        ..cause()
    };
    (step, cause)
}

/// The lines of a log of so many steps of a ramp.
fn ramp_lines(entries: u64) -> Vec<Vec<u8>> {
    let mut previous = NO_HASH.to_owned();
    let lines = (1..=entries).map(|revision| {
        let (change, cause) = ramp_step(revision);
        let time = Timestamp {
            seconds: 1_700_000_000 + revision.cast_signed(),
            nanos: 0,
        };
        let sealed = Sealed::new(revision, &previous, change, cause, time).unwrap();
        previous.clone_from(&sealed.entry.hash);
        encode_line(&sealed.entry.hash, &sealed.payload)
    });
    lines.collect()
}

/// A log of so many steps of a ramp.
fn ramp_log(entries: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.log");
    fs::write(&path, ramp_lines(entries).concat()).unwrap();
    (folder, path)
}

/// What a log says without any snapshot.
fn state_without_snapshot(path: &Path) -> LogState {
    let file = File::open(path).unwrap();
    let mut state = LogState::new(HORIZON);
    scan(path, &file, LogPosition::start(), |entry, _| {
        state.record(entry);
    })
    .unwrap();
    state
}

#[test]
fn opening_reads_the_log_once_and_after_that_a_snapshot_and_what_follows() {
    let (_folder, path) = ramp_log(1_000);
    let length = fs::metadata(&path).unwrap().len();
    let (first, state) = opened(&path).unwrap();
    assert_eq!(first.read_to_open, length, "one pass");
    drop(first);
    let snapshot = fs::metadata(snapshot::path(&path)).unwrap().len();
    let (second, again) = opened(&path).unwrap();
    assert_eq!(second.read_to_open, snapshot);
    assert!(snapshot < length / 5, "{snapshot} of {length} bytes");
    assert_eq!(again, state);
    assert_eq!(again, state_without_snapshot(&path));

    assert_eq!(append(&second, 7.0).unwrap(), 1_001);
    drop(second);
    let (third, state) = opened(&path).unwrap();
    let added = fs::metadata(&path).unwrap().len() - length;
    assert_eq!(third.read_to_open, snapshot + added);
    assert_eq!(state, state_without_snapshot(&path));
}

#[test]
fn the_work_of_opening_a_log_and_of_keeping_its_snapshots_grows_no_faster_than_the_log() {
    let lines = ramp_lines(4_000);
    let work = |entries: usize| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.log");
        // A copy is not synced, so that the test takes no longer than it has to.
        let (log, mut state) = EmbeddedLog::open_blocking(path.clone(), HORIZON, None).unwrap();
        let mut written = 0;
        for (line, revision) in lines.iter().zip(1..).take(entries) {
            log.append_blocking(revision, line).unwrap();
            state.record(&decode_line(&path, revision, line).unwrap());
            if let Some(bytes) = log.snapshot_if_due(&state) {
                written += bytes.len() as u64;
                log.write_snapshot(&bytes);
            }
        }
        let length = log.index().end;
        drop(log);
        let (log, again) = opened(&path).unwrap();
        assert_eq!(again, state);
        assert!(written <= length / 2, "{written} for {length}");
        let snapshot = fs::metadata(snapshot::path(&path)).unwrap().len();
        assert!(log.read_to_open <= snapshot + snapshot_interval(snapshot));
        log.read_to_open
    };
    let (few, many) = (work(1_000), work(4_000));
    assert!(many <= 4 * few, "{few} bytes of 1,000, {many} of 4,000");
}

#[test]
fn entries_are_read_from_any_revision_after_a_snapshot_too() {
    let (_folder, path) = ramp_log(900);
    drop(opened(&path).unwrap());
    assert!(snapshot::path(&path).exists());
    let log = open(&path).unwrap();
    for from in [1, 2, 63, 64, 65, 128, 129, 700, 899, 900] {
        let read = log.read_blocking(from, 70).unwrap();
        let revisions: Vec<u64> = read.iter().map(|entry| entry.revision).collect();
        let expected: Vec<u64> = (from..=900).take(70).collect();
        assert_eq!(revisions, expected);
    }
    assert!(log.read_blocking(901, 9).unwrap().is_empty());
}

#[test]
fn a_snapshot_torn_or_flipped_at_any_byte_is_ignored_and_made_anew() {
    let (_folder, path) = ramp_log(900);
    drop(opened(&path).unwrap());
    let expected = state_without_snapshot(&path);
    let snapshot_path = snapshot::path(&path);
    let whole = fs::read(&snapshot_path).unwrap();
    let file = File::open(&path).unwrap();
    let read = || snapshot::read(&path, &file, HORIZON);
    assert_eq!(read().unwrap().0.state, expected);
    let step = whole.len() / 150;
    for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        fs::write(&snapshot_path, &whole[..at]).unwrap();
        assert!(read().is_none(), "torn at {at}");
        let mut flipped = whole.clone();
        flipped[at] ^= 0x04;
        fs::write(&snapshot_path, &flipped).unwrap();
        assert!(read().is_none(), "flipped at {at}");
    }
    let (log, state) = opened(&path).unwrap();
    assert_eq!(state, expected);
    assert_eq!(log.read_to_open, fs::metadata(&path).unwrap().len());
    assert_eq!(fs::read(&snapshot_path).unwrap(), whole, "made anew");
}

#[test]
fn a_snapshot_that_the_log_does_not_continue_is_ignored() {
    let (_folder, path) = ramp_log(900);
    drop(opened(&path).unwrap());
    let snapshot = fs::read(snapshot::path(&path)).unwrap();

    // The log was cut off below what the snapshot says.
    let log = fs::read(&path).unwrap();
    fs::write(&path, ramp_lines(899).concat()).unwrap();
    let (opened_short, state) = opened(&path).unwrap();
    assert_eq!((opened_short.last(), state.last), (899, 899));
    drop(opened_short);

    // The log is another one, with an entry at the very place.
    let (_other, other) = ramp_log(950);
    let text = fs::read_to_string(&other).unwrap();
    let mut previous = NO_HASH.to_owned();
    let renamed = text.lines().map(|line| {
        let payload = &line[65..];
        let chained = payload.split_at(payload.len() - 66).0;
        let payload = format!("{}{previous}\"}}", chained.replace("\"ana\"", "\"bob\""));
        previous = digest(payload.as_bytes());
        format!("{previous} {payload}\n")
    });
    fs::write(&other, renamed.collect::<String>()).unwrap();
    fs::write(snapshot::path(&other), &snapshot).unwrap();
    let (_, state) = opened(&other).unwrap();
    assert_eq!(state, state_without_snapshot(&other));
    assert_eq!(
        state
            .profile("default")
            .unwrap()
            .1
            .ramp
            .as_ref()
            .unwrap()
            .author,
        "bob"
    );

    // An older snapshot of the same log is as good: what follows is read.
    fs::write(&path, &log).unwrap();
    fs::write(snapshot::path(&path), &snapshot).unwrap();
    let store = open(&path).unwrap();
    append(&store, 1.0).unwrap();
    drop(store);
    let (store, state) = opened(&path).unwrap();
    assert!(store.read_to_open < snapshot.len() as u64 + 2_000);
    assert_eq!(state, state_without_snapshot(&path));
}

#[test]
fn verifying_reads_from_the_first_entry_whatever_the_snapshot_says() {
    let (_folder, path) = ramp_log(900);
    drop(opened(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(opened(&path).unwrap().1.last, 900);
    let verified = verify_log(&path, "").unwrap();
    assert_eq!(verified.broken.unwrap().0, 1);
}

#[test]
fn a_snapshot_that_was_never_finished_is_in_nobodys_way() {
    let (_folder, path) = ramp_log(900);
    let mut beside = snapshot::path(&path).into_os_string();
    beside.push(".new");
    fs::write(&beside, b"half of a snap").unwrap();
    let (_, state) = opened(&path).unwrap();
    assert_eq!(state, state_without_snapshot(&path));
    assert!(snapshot::path(&path).exists());
    assert!(!Path::new(&beside).exists());
}
