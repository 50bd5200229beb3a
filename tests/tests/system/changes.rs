//! Every command that writes: once under one idempotency key, with an author from the system, and
//! printed so that nothing in it reaches the terminal.

use std::{fs, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    steering::CONFIG,
    support::{Server, combiner, counterweight, stderr, stdout},
};

struct Combiner {
    _server: Server,
    address: String,
    folder: TempDir,
}

impl Combiner {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let safe = "[profile.default.safe]\nengagement = 1.0\nengagement_bait = -2.5\n";
        let (server, address) = combiner(folder.path(), &format!("{CONFIG}{safe}"));
        Self {
            _server: server,
            address,
            folder,
        }
    }

    /// A command to this combiner, in a zone that the test knows.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = counterweight();
        command.args(arguments).args(["--address", &self.address]);
        command.env("TZ", "Asia/Kolkata");
        command
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        stdout(&output)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[&["--json"][..], arguments].concat());
        serde_json::from_str(&text).unwrap()
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        stderr(&output)
    }
}

#[test]
fn a_command_repeated_under_its_key_is_answered_as_it_first_was() {
    let combiner = Combiner::start();
    let commands: &[&[&str]] = &[
        &["set", "beta=-1.7"],
        &[
            "segment",
            "set",
            "often",
            "--when",
            "user_sessions_7d>=5",
            "β=-0.5",
        ],
        &[
            "experiment",
            "start",
            "calm",
            "--arm",
            "control=10%",
            "--arm",
            "gentle=10%:beta=-0.2",
        ],
        &["experiment", "shares", "calm", "gentle=30%"],
        &["experiment", "stop", "calm"],
        &["segment", "remove", "often"],
        &["explore", "--low", "0.2", "--high", "2"],
        &["explore", "--stop"],
        &["ramp", "beta=-3", "--over", "1h"],
        &["ramp", "--stop"],
        &["rollback", "1"],
        &["kill"],
    ];
    for (number, command) in commands.iter().enumerate() {
        let key = format!("key-{number}");
        let keyed = [
            &["weights"][..],
            command,
            &["--idempotency-key", &key, "-m", "once"],
        ]
        .concat();
        if *command == ["ramp", "--stop"] {
            combiner.json(&["weights", "ramp", "beta=-3", "--over", "1h"]);
        }
        let first = combiner.json(&keyed);
        let again = combiner.json(&keyed);
        assert_eq!(first, again, "{command:?}");
        // The profile moves on, and the answer stays what it was.
        combiner.json(&["weights", "set", &format!("alpha=1.{number}1")]);
        assert_eq!(first, combiner.json(&keyed), "{command:?}, later");
        assert!(
            combiner
                .text(&keyed)
                .contains(&format!("revision {}", first["revision"]))
        );

        let other = [
            "weights",
            "set",
            "beta=-2.2",
            "-m",
            "once",
            "--idempotency-key",
            &key,
        ];
        let refused = combiner.refusal(&other);
        assert!(refused.contains(&key), "{command:?}: {refused}");
    }
    // Each command and each step in between is in the log once.
    let history = combiner.json(&["weights", "history", "-n", "1000"]);
    assert_eq!(history.as_array().unwrap().len(), 2 * commands.len() + 1);
}

#[test]
fn a_key_in_the_environment_changes_nothing() {
    let combiner = Combiner::start();
    for (beta, revision) in [("beta=-1.5", 1), ("beta=-1.6", 2)] {
        let mut command = combiner.command(&["--json", "weights", "set", beta]);
        let output = command
            .env("COUNTERWEIGHT_IDEMPOTENCY_KEY", "left over")
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["revision"], revision);
    }
}

#[test]
fn the_author_is_the_login_name_whatever_the_environment_says() {
    let combiner = Combiner::start();
    let output = combiner
        .command(&["weights", "set", "beta=\u{2212}1.5"])
        .env_remove("USER")
        .env_remove("LOGNAME")
        .env("USERNAME", "nobody in particular")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = combiner.json(&["weights", "show", "1"]);
    let name = Command::new("id").arg("-un").output().unwrap();
    assert_eq!(shown["author"], stdout(&name).trim());
    let weights = &shown["profiles"][0]["weights"];
    assert_eq!(weights[1]["weight"], -1.5, "the typographic minus is one");
    assert_eq!(shown["before"][0]["weights"][1]["weight"], -1.0);
}

#[test]
fn times_are_local_seconds_with_the_offset() {
    let combiner = Combiner::start();
    combiner.json(&["weights", "ramp", "beta=-3", "--over", "1h"]);
    let utc = combiner.json(&["weights", "show", "1"])["time"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(utc.ends_with('Z'), "{utc}");
    let seconds = &utc[17..19];
    let watched = ["weights", "watch", "--from", "1", "--count", "1"];
    for arguments in [
        &["weights", "history"][..],
        &["weights", "show", "1"],
        &watched,
    ] {
        let text = combiner.text(arguments);
        assert!(
            text.contains(&format!(":{seconds} +05:30")),
            "{arguments:?}: {text}"
        );
    }
    assert!(combiner.text(&["weights", "get"]).contains(" +05:30"));
}

/// Clears the screen, begins a sequence in one byte, turns the order round, and forges a line.
const HOSTILE: &str = "why\u{1b}[2J\u{9b}31m\u{202e}\u{7f}\nrevision 9";

fn assert_harmless(what: &str, text: &str) {
    let steers = |letter: char| {
        letter.is_control() && letter != '\n' || ('\u{202a}'..='\u{202e}').contains(&letter)
    };
    assert!(!text.contains(steers), "{what}: {text:?}");
    assert!(
        text.contains("why\\u001b[2J\\u009b31m\\u202e\\u007f"),
        "{what}: {text}"
    );
    assert!(!text.contains("\nrevision 9"), "{what}: {text}");
}

#[test]
fn nothing_that_others_wrote_reaches_the_terminal() {
    let combiner = Combiner::start();
    combiner.json(&[
        "weights",
        "set",
        "beta=-1.5",
        "-m",
        HOSTILE,
        "--author",
        HOSTILE,
    ]);
    for arguments in [
        &["weights", "history"][..],
        &["weights", "show", "1"],
        &["weights", "watch", "--from", "1", "--count", "1"],
    ] {
        assert_harmless(&arguments.join(" "), &combiner.text(arguments));
    }
    let error = combiner.refusal(&["weights", "get", "--profile", HOSTILE]);
    let steers = |letter: char| letter.is_control() && letter != '\n';
    assert!(!error.contains(steers), "{error:?}");

    let file = combiner.folder.path().join("candidates.ndjson");
    let row =
        serde_json::json!({ "candidate_id": "a", "p_click": 0.5, "p_bait": 0.5, "title": HOSTILE });
    fs::write(&file, format!("{row}\n")).unwrap();
    let ranked = combiner.text(&["rank", file.to_str().unwrap(), "--show", "title"]);
    assert_harmless("rank --show", &ranked);
}
