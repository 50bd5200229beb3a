//! The command line's manners: exit codes, errors that say what to do, JSON everywhere.

use std::fs;

use crate::support::{Up, json, models, run, stderr, stdout};

const SAMPLE: [&str; 2] = ["--dataset", "data/sample/dataset.toml"];

#[test]
fn every_command_has_help() {
    for command in [
        &["up"][..],
        &["data", "describe"],
        &["data", "generate"],
        &["train"],
        &["evaluate"],
        &["predict"],
        &["serve-model"],
        &["serve-combiner"],
        &["rank"],
        &["weights", "get"],
        &["weights", "set"],
        &["weights", "preview"],
        &["weights", "solve"],
        &["weights", "explain"],
        &["weights", "segment", "set"],
        &["weights", "segment", "remove"],
        &["weights", "segment", "list"],
        &["weights", "experiment", "start"],
        &["weights", "experiment", "shares"],
        &["weights", "experiment", "stop"],
        &["weights", "experiment", "list"],
        &["weights", "explore"],
        &["weights", "history"],
        &["weights", "show"],
        &["weights", "rollback"],
        &["weights", "ramp"],
        &["weights", "kill"],
        &["weights", "watch"],
        &["weights", "verify"],
        &["log", "export"],
        &["log", "replay"],
        &["log", "show"],
        &["bench", "load", "rank"],
        &["bench", "load", "infer"],
        &["bench", "folds"],
        &["bench", "compare"],
        &["bench", "report"],
    ] {
        let output = run(command.iter().chain(&["--help"]));
        assert!(
            output.status.success() && stdout(&output).contains("Usage: counterweight"),
            "{command:?}"
        );
    }
}

#[test]
fn wrong_use_is_2_and_failure_is_1() {
    assert_eq!(run(["train"]).status.code(), Some(2));
    assert_eq!(run(["weights", "set", "β"]).status.code(), Some(2));
    assert_eq!(run(["weights", "ramp", "β=-1"]).status.code(), Some(2));
    for (arguments, wanted) in [
        (&["preview"][..], "OBJECTIVE=WEIGHT"),
        (&["solve"], "--bait-budget"),
        (
            &["solve", "--bait-budget", "0.1", "--exchange-rate", "1"],
            "cannot be used with",
        ),
        (&["solve", "--bait-budget", "1.5"], "from 0 to 1"),
        (&["segment", "set", "new"], "--when"),
        (&["segment", "set", "new", "--when", "n>5"], "write >= or <"),
        (
            &["experiment", "start", "x", "--arm", "a=0.005%"],
            "not a multiple of 0.01 %",
        ),
        (
            &[
                "experiment",
                "start",
                "x",
                "--arm",
                "a=60%",
                "--arm",
                "b=50%",
            ],
            "110 % of the units",
        ),
        (&["explore", "--low", "2", "--high", "1"], "must be below"),
        (
            &[
                "explore",
                "--low",
                "0",
                "--high",
                "1",
                "--density",
                "log-uniform",
            ],
            "above 0",
        ),
    ] {
        let output = run(["weights"].iter().chain(arguments));
        let reported = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {reported}");
        assert!(reported.contains(wanted), "{arguments:?}: {reported}");
    }
    let output = run(["weights", "get", "--address", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("counterweight up"),
        "{}",
        stderr(&output)
    );
    let output = run([
        "--json", "evaluate", "--model", "/nowhere", SAMPLE[0], SAMPLE[1],
    ]);
    assert_eq!(output.status.code(), Some(1));
    let error: serde_json::Value = serde_json::from_str(stderr(&output).trim()).unwrap();
    assert!(
        error["error"].as_str().unwrap().contains("/nowhere"),
        "{error}"
    );
}

#[test]
fn a_dataset_is_described() {
    let description = json(["data", "describe", SAMPLE[0], SAMPLE[1]]);
    assert_eq!(description["objectives"].as_array().unwrap().len(), 2);
    let output = run(["data", "describe", SAMPLE[0], SAMPLE[1]]);
    assert!(
        stdout(&output).contains("engagement_bait"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn training_again_gives_the_same_version_and_evaluation_agrees_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bait");
    let arguments = [
        "train",
        SAMPLE[0],
        SAMPLE[1],
        "--objective",
        "engagement_bait",
        "--out",
    ];
    let again = json(arguments.into_iter().chain([out.to_str().unwrap()]));
    let model = models().join("engagement_bait");
    let evaluation = json([
        "evaluate",
        SAMPLE[0],
        SAMPLE[1],
        "--model",
        model.to_str().unwrap(),
    ]);
    assert_eq!(
        again["version"], evaluation["version"],
        "the same data and seed give the same bytes"
    );
    assert_eq!(evaluation["same_data"], true);
    let test = |value: &serde_json::Value| {
        value
            .as_array()
            .unwrap()
            .iter()
            .find(|part| part["part"] == "test")
            .unwrap()
            .clone()
    };
    assert_eq!(test(&again["report"]["parts"]), test(&evaluation["parts"]));
}

#[test]
fn candidates_come_from_standard_input_and_mistakes_in_them_are_named() {
    let up = Up::start();
    let output = up.run(&["rank", "data/sample/candidates.ndjson", "--id", "post"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("post"), "{}", stderr(&output));
    let output = up.run(&[
        "rank",
        "data/sample/candidates.ndjson",
        "--context",
        "hourr=3",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean \"hour\""),
        "{}",
        stderr(&output)
    );

    let folder = tempfile::tempdir().unwrap();
    let text =
        fs::read_to_string(crate::support::root().join("data/sample/candidates.ndjson")).unwrap();
    let first = text.lines().next().unwrap();
    let path = folder.path().join("twice.ndjson");
    fs::write(&path, format!("{first}\n{first}\n")).unwrap();
    let output = up.run(&["rank", path.to_str().unwrap()]);
    assert!(
        stderr(&output).contains("INVALID_ARGUMENT"),
        "{}",
        stderr(&output)
    );
    fs::write(&path, "").unwrap();
    let output = up.run(&["rank", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("twice.ndjson"),
        "{}",
        stderr(&output)
    );

    fs::write(&path, format!("{first}\n")).unwrap();
    let mut command = crate::support::counterweight();
    command.args(["--json", "rank", "-", "--address", up.combiner()]);
    let output = command
        .stdin(fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["candidates"].as_array().unwrap().len(),
        1,
        "one candidate is fine"
    );
}

/// The level of the servers' logs, and a dataset of another command, are not flags of this one.
#[test]
fn what_is_typed_beats_the_environment() {
    let output = crate::support::counterweight()
        .args(["bench", "front", "--log", "/nowhere.parquet"])
        .env("COUNTERWEIGHT_DATASET", "data/sample/dataset.toml")
        .env("COUNTERWEIGHT_LOG", "info")
        .output()
        .unwrap();
    let reported = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{reported}");
    assert!(reported.contains("/nowhere.parquet"), "{reported}");
    let output = crate::support::counterweight()
        .args(["bench", "front"])
        .env("COUNTERWEIGHT_LOG", "/nowhere.parquet")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_help_of_ramp_says_where_it_is_at_half_time() {
    let help = stdout(&run(["weights", "ramp", "--help"]));
    assert!(
        help.contains("At half time") && help.contains("−0.78"),
        "{help}"
    );
    let help = stdout(&run(["--help"]));
    assert!(help.contains("Settings of a deployment"), "{help}");
}

#[test]
fn a_server_that_does_not_answer_is_said_in_plain_words() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let output = run(["weights", "get", "--timeout", "0.2", "--address", &address]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains("no answer within --timeout"), "{error}");
}
