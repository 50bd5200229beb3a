//! The offline benchmark as it is called: tables and JSON, files, exit codes, and a recommendation
//! that a running system takes.

use crate::support::{Up, json, run, stderr, stdout};

const LOG: &str = "data/sample/impressions.parquet";

#[test]
fn a_front_has_its_curves_in_json_and_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("curves.parquet");
    let value = json([
        "bench",
        "front",
        "--log",
        LOG,
        "--replicates",
        "20",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(value["read"]["candidates"], 50_093);
    assert_eq!(value["front"]["curves"][0], "predicted_engagement");
    assert!(value["front"]["breakpoints"].as_u64().unwrap() > 10_000);
    assert!(out.exists());
    let again = json([
        "bench",
        "front",
        "--log",
        LOG,
        "--replicates",
        "20",
        "--threads",
        "1",
    ]);
    assert_eq!(
        value["front"], again["front"],
        "the same for any number of threads"
    );
    let table = run(["bench", "front", "--log", LOG, "--replicates", "20"]);
    assert!(
        stdout(&table).contains("predicted engagement bait"),
        "{}",
        stdout(&table)
    );
    assert!(
        stderr(&table).is_empty(),
        "no progress bar where there is no terminal: {}",
        stderr(&table)
    );
}

#[test]
fn wrong_use_is_2_and_failure_is_1_with_one_line() {
    for (arguments, code, wanted) in [
        (&["bench", "front"][..], 2, "--log"),
        (&["bench", "recommend", "--log", LOG], 2, "--bait-budget"),
        (
            &[
                "bench",
                "recommend",
                "--log",
                LOG,
                "--bait-budget",
                "0.1",
                "--exchange-rate",
                "1",
            ],
            2,
            "cannot be used with",
        ),
        (
            &["bench", "front", "--log", LOG, "--dataset", "x.toml"],
            2,
            "cannot be used with",
        ),
        (
            &["bench", "front", "--log", "absent.parquet"],
            1,
            "absent.parquet",
        ),
        (
            &["bench", "front", "--log", LOG, "--vary", "shares"],
            1,
            "no objective \"shares\" has probabilities",
        ),
        (
            &["bench", "front", "--log", LOG, "--models", "data"],
            1,
            "data is not a model folder and contains none",
        ),
        (&["bench", "ope", "--log", LOG, "--at=-1"], 2, "at least 0"),
    ] {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(wanted),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn no_evidence_is_an_answer_and_no_failure() {
    let output = run([
        "bench",
        "recommend",
        "--log",
        LOG,
        "--bait-budget",
        "0.001",
        "--basis",
        "predicted",
    ]);
    assert!(output.status.success());
    assert!(
        stdout(&output).contains("no recommendation: no λ keeps"),
        "{}",
        stdout(&output)
    );
}

/// What is recommended on the models at hand can be set as it is printed.
#[test]
fn the_command_that_is_printed_works() {
    let up = Up::start();
    let models = crate::support::models();
    let value = json([
        "bench",
        "recommend",
        "--dataset",
        "data/sample/dataset.toml",
        "--models",
        models.to_str().unwrap(),
        "--basis",
        "predicted",
        "--bait-budget",
        "0.2",
        "--replicates",
        "50",
    ]);
    assert!(
        value["read"]["training"].as_u64().unwrap() > 1_000,
        "{}",
        value["read"]
    );
    let bound = &value["recommendation"]["bound_to"];
    assert_eq!(bound[0]["model"].as_str().unwrap().len(), 16, "{bound}");
    let command = value["command"].as_str().unwrap();
    let weights = command
        .strip_prefix("counterweight ")
        .and_then(|command| command.split_once(" -m "))
        .unwrap()
        .0;
    let arguments: Vec<&str> = weights.split(' ').collect();
    let output = up.run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
}
