//! A log that another system made: pandas writes its requests and clicks, which are sent, joined and
//! evaluated, and the numbers are those that pandas computes from the rows alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    feedback::start,
    request_log::parts,
    support::{json, python, root, run, shared_data, stderr, stdout},
};

/// Rows of the Open Bandit Dataset as a log of a system with ids of its own.
struct ForeignLog {
    folder: TempDir,
    python: String,
    rows: PathBuf,
    /// What the clicks name: `request_id` or `ranking_id`.
    key: &'static str,
}

impl ForeignLog {
    /// `None` where pandas or the data are missing.
    fn write(rows: &str, key: &'static str, events: &str) -> Option<Self> {
        let python = python("pandas, pyarrow")?;
        let log = Self {
            folder: tempfile::tempdir().unwrap(),
            rows: shared_data(rows)?.join(rows),
            python,
            key,
        };
        log.pandas("write", &[&log.path(events)]);
        fs::write(
            log.path("labels.toml"),
            "[label.engagement]\nevents = [\"click\"]\n",
        )
        .unwrap();
        Some(log)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs the script, and returns what it printed.
    fn pandas(&self, action: &str, more: &[&str]) -> String {
        let output = Command::new(&self.python)
            .arg(root().join("tests/python/foreign_log.py"))
            .arg(action)
            .args([&self.rows, self.folder.path()])
            .arg(self.key)
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    /// Compares the joined log with the rows, and returns what pandas computes from the rows.
    fn compare(&self) -> Value {
        serde_json::from_str(&self.pandas("check", &[])).unwrap()
    }

    /// Sends the clicks, and waits until they are in parts.
    fn send(&self, events: &str) -> u64 {
        let log = self.path("events");
        let (mut server, address) = start(Path::new(&log), &[]);
        let sent = json([
            "feedback",
            "send",
            &self.path(events),
            "--address",
            &address,
        ]);
        assert_eq!(sent["refused"], 0, "{sent}");
        assert!(server.stop().success());
        // A server makes parts of what an earlier one left.
        let (_server, _) = start(Path::new(&log), &[]);
        assert!(!parts(Path::new(&log), "events").is_empty());
        sent["accepted"].as_u64().unwrap()
    }

    /// The arguments of a join.
    fn join(&self, out: &str, more: &[&str]) -> Vec<String> {
        let folders = [
            ("--requests", "requests"),
            ("--events", "events"),
            ("--labels", "labels.toml"),
            ("--out", out),
        ];
        let folders = folders.map(|(flag, name)| [flag.to_owned(), self.path(name)]);
        let join = ["log", "join"].map(str::to_owned).into_iter();
        join.chain(folders.into_iter().flatten())
            .chain(more.iter().map(|&flag| flag.to_owned()))
            .collect()
    }

    /// The estimates of the uniform policy, by the description of the log that is written under a name.
    fn estimate(&self, name: &str) -> Value {
        let dataset = self.path(name);
        json([
            "data",
            "init",
            "--log",
            &self.path("joined"),
            "--out",
            &dataset,
        ]);
        let policy = ["--policy", "uniform", "--anyway", "-k", "3"];
        json(
            ["bench", "ope", "--dataset", &dataset]
                .into_iter()
                .chain(policy),
        )
    }
}

/// Sends the clicks of a log twice, joins them, and compares the log and its estimates with pandas.
fn check(log: &ForeignLog, events: &str) {
    let sent = log.send(events);
    let joined = json(log.join("joined", &["--backfill"]));
    let counts = &joined["all"];
    assert_eq!(counts["events"]["joined"], sent, "{joined}");
    assert_eq!(counts["labels"]["engagement"]["positives"], sent);
    let pandas = log.compare();
    assert_eq!(pandas["clicks"], sent);
    assert_eq!(counts["rows"], pandas["rows"]);
    assert_eq!(counts["labels"]["engagement"]["known"], pandas["rows"]);
    let estimated = log.estimate("first.toml");

    // The same file once more changes nothing.
    assert_eq!(log.send(events), sent);
    let again = json(log.join("joined", &["--backfill"]));
    let counts = &again["all"];
    assert_eq!(counts["events"]["joined"], sent, "{again}");
    assert_eq!(counts["events"]["duplicates"], sent, "{again}");
    assert_eq!(counts["labels"], joined["all"]["labels"]);
    assert_eq!(log.compare(), pandas);
    let report = &log.estimate("second.toml")["off_policy"];
    assert_eq!(*report, estimated["off_policy"]);

    assert_eq!(report["requests"], pandas["rows"]);
    let estimates = report["rows"][0]["estimates"].as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0), "{a} {b}");
    for (estimate, name) in estimates.iter().zip(["IPW", "SNIPW"]) {
        assert_eq!(estimate["estimator"], name);
        close(number(&estimate["value"]), number(&pandas[name]));
        close(number(&estimate["effective"]), number(&pandas["effective"]));
    }
    assert_eq!(estimates.len(), 2);
}

#[test]
fn a_log_of_thompson_sampling_with_ids_of_its_own_is_joined_and_evaluated() {
    let log = ForeignLog::write("obd_men_bts.parquet", "ranking_id", "clicks.csv");
    if let Some(log) = log {
        check(&log, "clicks.csv");
    }
}

#[test]
fn a_log_of_random_items_by_request_is_joined_and_evaluated() {
    let log = ForeignLog::write("obd_men_random.parquet", "request_id", "clicks.ndjson");
    if let Some(log) = log {
        check(&log, "clicks.ndjson");
    }
}

/// Clicks that arrive years after their hour are late, unless the join is told that it is a backfill.
#[test]
fn a_join_of_the_past_says_what_its_late_events_need() {
    let Some(log) = ForeignLog::write("obd_men_random.parquet", "request_id", "clicks.parquet")
    else {
        return;
    };
    let sent = log.send("clicks.parquet");
    let late = run(log.join("late", &[]));
    assert!(late.status.success(), "{}", stderr(&late));
    let told = stdout(&late);
    for expected in [&format!("events {sent}: 0 joined"), "--backfill"] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    let other = run(log.join("late", &["--backfill"]));
    assert_eq!(other.status.code(), Some(1), "the folder has other rules");
    let all = run(log.join("joined", &["--backfill"]));
    let told = stdout(&all);
    for expected in [
        &format!("events {sent}: {sent} joined"),
        "168 of them complete",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    assert!(!told.contains("--backfill"), "{told}");
    // No grace is so long that it could take the place of the flag.
    let long = run(log.join("long", &["--grace", "99999d"]));
    assert_eq!(long.status.code(), Some(2));
    assert!(stderr(&long).contains("1ms to 366d"), "{}", stderr(&long));
}
