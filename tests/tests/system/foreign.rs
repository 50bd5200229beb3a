//! Clients and servers that others wrote, and the examples as they stand in the documents.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Server, Up, combiner, counterweight, python, root, shared_data, stderr, stdout,
};

#[test]
fn the_rust_example_ranks_and_moves_beta() {
    let up = Up::start();
    let output = Command::new(env!("CARGO_BIN_EXE_rank_and_move_beta"))
        .current_dir(root())
        .args([
            "data/sample/candidates.ndjson",
            &format!("http://{}", up.combiner()),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("The order changed."),
        "{}",
        stdout(&output)
    );
}

/// Python's stubs of the protocols, made as the examples say, and the Python that has what they
/// need.
fn stubs() -> Option<(String, TempDir)> {
    let python = python("grpc_tools.protoc, pyarrow")?;
    let stubs = tempfile::tempdir().unwrap();
    let proto = root().join("proto");
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["inference", "counterweight/v1"] {
        let entries = fs::read_dir(proto.join(folder)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    let made = Command::new(&python)
        .args(["-m", "grpc_tools.protoc", "-I", proto.to_str().unwrap()])
        .arg(format!("--python_out={}", stubs.path().display()))
        .arg(format!("--grpc_python_out={}", stubs.path().display()))
        .args(
            files
                .iter()
                .filter(|file| file.extension().is_some_and(|ending| ending == "proto")),
        )
        .current_dir(&proto)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    Some((python, stubs))
}

#[test]
fn the_python_example_ranks_and_moves_beta() {
    let Some((python, stubs)) = stubs() else {
        return;
    };
    let up = Up::start();
    let output = Command::new(&python)
        .arg(root().join("examples/python/rank_and_move_beta.py"))
        .arg(root().join("data/sample/candidates.ndjson"))
        .args(["--address", up.combiner()])
        .env("PYTHONPATH", stubs.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("The order changed."),
        "{}",
        stdout(&output)
    );
}

/// Three candidates of the sample with missing values of every kind, of the request and of the
/// candidates.
fn candidates_with_missing_values(folder: &Path) -> String {
    let sample = fs::read_to_string(root().join("data/sample/candidates.ndjson")).unwrap();
    let mut rows: Vec<Value> = sample
        .lines()
        .take(3)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for row in &mut rows {
        for feature in [
            "hour",
            "on_wifi",
            "user_country",
            "user_followed_topics",
            "user_embedding",
        ] {
            assert!(!row[feature].is_null(), "{feature}");
            row[feature] = Value::Null;
        }
    }
    // One row of all, and first of all: nothing tells its type.
    for feature in [
        "author_followers",
        "post_has_link",
        "post_topic",
        "post_text",
        "post_hashtags",
        "post_embedding",
    ] {
        assert!(!rows[0][feature].is_null(), "{feature}");
        rows[0][feature] = Value::Null;
    }
    let text: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = folder.join("missing.ndjson");
    fs::write(&path, text.concat()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A client's output holds the probabilities that `rank` gets for the same file.
fn check_probabilities(up: &Up, file: &str, shown: &str) {
    let ranked = up.json(&["rank", file]);
    let candidates = ranked["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 3);
    for candidate in candidates {
        let id = candidate["id"].as_str().unwrap();
        let line = shown.lines().find(|line| line.contains(id)).unwrap();
        for p in candidate["probabilities"].as_array().unwrap() {
            let p = format!("{:.4}", p.as_f64().unwrap());
            assert!(line.contains(&p), "{p}: {line}");
        }
    }
}

#[test]
fn the_rust_example_sends_missing_values_of_every_kind() {
    let up = Up::start();
    let folder = tempfile::tempdir().unwrap();
    let file = candidates_with_missing_values(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_rank_and_move_beta"))
        .args([&file, &format!("http://{}", up.combiner())])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    check_probabilities(&up, &file, &stdout(&output));
}

#[test]
fn the_python_example_sends_missing_values_of_every_kind() {
    let Some((python, stubs)) = stubs() else {
        return;
    };
    let up = Up::start();
    let file = candidates_with_missing_values(stubs.path());
    let output = Command::new(&python)
        .arg(root().join("examples/python/rank_and_move_beta.py"))
        .args([&file, "--address", up.combiner()])
        .env("PYTHONPATH", stubs.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    check_probabilities(&up, &file, &stdout(&output));
}

/// A log is ranked once more, and its export holds the same candidates.
#[test]
fn the_python_example_replays_a_log_that_is_exported_again() {
    let Some((python, stubs)) = stubs() else {
        return;
    };
    let up = Up::start();
    let output = Command::new(&python)
        .arg(root().join("examples/python/replay_log.py"))
        .arg(root().join("data/sample/impressions.parquet"))
        .args(["--requests", "40", "--address", up.combiner()])
        .env("PYTHONPATH", stubs.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).trim(), "40 requests ranked");
    let log = stubs.path().join("log.parquet");
    let log = log.to_str().unwrap();
    let exported = up.json(&["log", "export", "--out", log]);
    assert_eq!(exported["written"]["requests"], 40);
    let front = crate::support::json([
        "bench",
        "front",
        "--log",
        log,
        "--part",
        "all",
        "--replicates",
        "20",
    ]);
    assert_eq!(
        front["read"]["candidates"],
        exported["written"]["candidates"]
    );
}

#[test]
fn the_grpcurl_calls_fit_what_reflection_tells() {
    let Some(python) = python("grpc_reflection") else {
        return;
    };
    let up = Up::start();
    let stand_in = format!(
        "{python} {}",
        root().join("tests/python/check_grpcurl.py").display()
    );
    let output = Command::new("sh")
        .arg(root().join("examples/grpcurl.sh"))
        .arg(up.combiner())
        .env("GRPCURL", stand_in)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(
        stdout(&output).contains("\"candidates\""),
        "{}",
        stdout(&output)
    );
}

/// The second objective is scikit-learn behind MLServer: packed numbers in, `predict_proba` out.
#[test]
fn the_combiner_ranks_with_scikit_learn_behind_mlserver() {
    let Some(python) = python("mlserver_sklearn") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (coefficients, intercept) = ([0.8, -1.1, 0.4], -0.3);
    fs::write(
        at("coefficients.json"),
        json!({ "coefficients": coefficients, "intercept": intercept }).to_string(),
    )
    .unwrap();
    let mlserver = Server::start(
        Command::new(&python)
            .arg(root().join("benches/peers/mlserver_peer.py"))
            .args(["--coefficients", &at("coefficients.json"), "--name", "bait"]),
    );
    let address = mlserver.hello.trim().rsplit(' ').next().unwrap().to_owned();
    let config = format!(
        r#"
[store]
path = "weights.log"
[[objective]]
name = "engagement"
[objective.column]
name = "p_click"
[[objective]]
name = "engagement_bait"
[objective.model]
name = "bait"
endpoints = ["http://{address}"]
output = "predict_proba"
column = 1
timeout_ms = 10000
packed = {{ input = "x", features = ["caps", "length", "age"] }}
[profile.default.weights]
engagement = 1.0
engagement_bait = -2.0
"#
    );
    let (_combiner, combiner_address) = combiner(folder.path(), &config);
    // `age` is a feature of the moment: it is sent once and repeated for a server that does not
    // broadcast.
    let rows = [
        ("a", 0.9, [0.5, 2.0]),
        ("b", 0.7, [-1.5, 0.25]),
        ("c", 0.4, [3.0, -1.0]),
    ];
    let candidates: String = rows
        .iter()
        .map(|(id, click, [caps, length])| {
            format!("{}\n", json!({ "candidate_id": id, "p_click": click, "caps": caps, "length": length, "age": 1.5 }))
        })
        .collect();
    fs::write(at("candidates.ndjson"), candidates).unwrap();
    let ranked = crate::parity::ranked_when_ready(
        &at("candidates.ndjson"),
        "candidate_id",
        &combiner_address,
    );
    assert_eq!(ranked["candidates"].as_array().unwrap().len(), 3);
    for candidate in ranked["candidates"].as_array().unwrap() {
        let (_, click, [caps, length]) = rows.iter().find(|row| candidate["id"] == row.0).unwrap();
        let logit: f64 =
            coefficients[0] * caps + coefficients[1] * length + coefficients[2] * 1.5 + intercept;
        let expected = 1.0 / (1.0 + (-logit).exp());
        assert_eq!(candidate["probabilities"][0], *click);
        let bait = candidate["probabilities"][1].as_f64().unwrap();
        assert!((bait - expected).abs() < 1e-9, "{bait} against {expected}");
    }
}

#[test]
fn the_recipe_for_youtube_trains_and_ranks() {
    let Some(data) = shared_data("youtube_videos.csv") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut command = counterweight();
    command.args([
        "--json",
        "up",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
    ]);
    command
        .args(["--dataset", "data/recipes/youtube.toml", "--data"])
        .arg(&data);
    command
        .arg("--models")
        .arg(folder.path().join("models"))
        .arg("--state")
        .arg(folder.path().join("state"));
    let server = Server::start(&mut command);
    let welcome: serde_json::Value = serde_json::from_str(&server.hello).unwrap();
    let address = welcome["combiner"].as_str().unwrap();
    let file = data.join("youtube_videos.csv");
    let ranked = crate::parity::ranked_when_ready(file.to_str().unwrap(), "video_id", address);
    assert_eq!(ranked["candidates"].as_array().unwrap().len(), 28_167);
}
