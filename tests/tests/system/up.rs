//! `up`: a newcomer's first minute, and what must survive it.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{Up, counterweight, models, run, stderr, stdout, weight};

const CANDIDATES: &str = "data/sample/candidates.ndjson";

fn ids(answer: &Value) -> Vec<&str> {
    answer["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["id"].as_str().unwrap())
        .collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap())
        .collect()
}

/// Every score is the sum of weight · probability, to the bit, and the order follows.
fn check_scores(answer: &Value) {
    let weights: Vec<f64> = answer["objectives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["weight"].as_f64().unwrap())
        .collect();
    let mut last = (f64::INFINITY, String::new());
    for candidate in answer["candidates"].as_array().unwrap() {
        let score = candidate["score"].as_f64().unwrap();
        let again = weights
            .iter()
            .zip(numbers(&candidate["probabilities"]))
            .fold(0.0, |sum, (w, p)| sum + (w * p + 0.0));
        assert_eq!(score.to_bits(), f64::to_bits(again), "{candidate}");
        let id = candidate["id"].as_str().unwrap().to_owned();
        assert!(
            score < last.0 || (score == last.0 && id > last.1),
            "{candidate}"
        );
        last = (score, id);
    }
}

#[test]
fn a_feed_is_ranked_and_beta_moves_it() {
    let up = Up::start();
    let before = up.json(&["rank", CANDIDATES, "-k", "0"]);
    check_scores(&before);
    assert_eq!(before["revision"], 0);
    let set = up.json(&[
        "weights",
        "set",
        "β=-6",
        "-m",
        "less bait",
        "--author",
        "a test",
    ]);
    assert_eq!(set["revision"], 1);
    let after = up.json(&["rank", CANDIDATES, "-k", "0"]);
    check_scores(&after);
    assert_eq!(after["revision"], 1);
    assert_eq!(after["objectives"][1]["weight"], -6.0);
    assert_ne!(ids(&before), ids(&after), "β moved nothing");
    let (mut some, mut same) = (ids(&before), ids(&after));
    some.sort_unstable();
    same.sort_unstable();
    assert_eq!(some, same);
    // The bait at the top is less than it was.
    let bait = |answer: &Value| -> f64 {
        let top = answer["candidates"].as_array().unwrap().iter().take(5);
        top.map(|candidate| candidate["probabilities"][1].as_f64().unwrap())
            .sum()
    };
    assert!(bait(&after) < bait(&before));
    assert_eq!(
        ids(&up.json(&["rank", CANDIDATES, "-k", "3"])),
        ids(&after)[..3]
    );
}

#[test]
fn weights_survive_a_kill_and_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start_with(folder.path());
    up.json(&["weights", "set", "beta=-2.5"]);
    up.server.kill();
    let mut up = Up::start_with(folder.path());
    let weights = up.json(&["weights", "get"]);
    assert_eq!(weights["applied_revision"], 1);
    assert_eq!(
        *weight(&weights["profiles"][0]["weights"], "engagement_bait"),
        -2.5
    );
    let entry = up.json(&["weights", "watch", "--from", "1", "--count", "1"]);
    assert_eq!(entry["revision"], 1);
    assert!(up.server.stop().success(), "Ctrl-C is a clean stop");
    assert!(up.state.join("weights.log").exists());
    Up::start_with(folder.path());
}

#[test]
fn the_weights_are_steered_from_the_command_line() {
    let up = Up::start();
    let hash = up.json(&["weights", "set", "beta=-2"])["hash"].clone();
    let started = up.json(&["weights", "ramp", "beta=-3", "--over", "1h", "-m", "slowly"]);
    assert_eq!(started["profiles"][0]["ramp"]["steps"], 20);
    assert_eq!(
        up.json(&["weights", "ramp", "--stop"])["action"],
        "WEIGHTS_ACTION_RAMP_STOPPED"
    );
    let back = up.json(&["weights", "rollback", "0"]);
    assert_eq!(
        (&back["revision"], &back["restored_revision"]),
        (&4.into(), &0.into())
    );
    let history = up.json(&["weights", "history", "-n", "3"]);
    let actions: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "WEIGHTS_ACTION_ROLLBACK",
            "WEIGHTS_ACTION_RAMP_STOPPED",
            "WEIGHTS_ACTION_RAMP_STARTED"
        ]
    );
    assert_eq!(up.json(&["weights", "show", "2"])["reason"], "slowly");
    let verified = up.json(&[
        "weights",
        "verify",
        "--expected-hash",
        hash.as_str().unwrap(),
    ]);
    assert_eq!(
        (&verified["entries"], &verified["expected_hash_revision"]),
        (&4.into(), &1.into())
    );
    let log = up.state.join("weights.log");
    let output = up.run(&[
        "weights",
        "verify",
        "--log",
        log.to_str().unwrap(),
        "--expected-hash",
        &"0a".repeat(32),
    ]);
    assert_eq!(output.status.code(), Some(1));
    up.json(&["weights", "set", "beta=-4"]);
    up.json(&["weights", "kill"]);
    let reported = up.json(&["weights", "get"]);
    assert_eq!(
        *weight(&reported["profiles"][0]["weights"], "engagement_bait"),
        -1.0
    );
}

#[test]
fn a_lost_compare_and_set_is_told() {
    let up = Up::start();
    up.json(&["weights", "set", "beta=-2"]);
    let output = up.run(&["weights", "set", "beta=-3", "--expect", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("ABORTED"), "{}", stderr(&output));
    assert_eq!(
        *weight(
            &up.json(&["weights", "get"])["profiles"][0]["weights"],
            "engagement_bait"
        ),
        -2.0
    );
}

#[test]
fn a_port_in_use_is_told_before_anything_is_trained() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    let output = run([
        "up",
        "--listen",
        &address,
        "--models",
        models.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
    assert!(!models.exists());
}

#[test]
fn two_systems_do_not_share_one_weights_log() {
    let up = Up::start();
    let output = counterweight()
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
            "--models",
        ])
        .arg(models())
        .arg("--state")
        .arg(&up.state)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("weights.log"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn metrics_are_served_where_up_says() {
    use std::io::{Read as _, Write as _};
    let up = Up::start();
    up.json(&["rank", CANDIDATES]);
    let url = up.welcome["metrics"].as_str().unwrap();
    let host = url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/metrics"))
        .unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("revision"), "{answer}");
}
