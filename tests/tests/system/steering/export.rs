//! Exploration and its log: the benchmark reads what the combiner kept.

use std::path::{Path, PathBuf};

use super::{CANDIDATES, CONFIG, Combiner};
use crate::support::{json, run, stderr};
use crate::tables::rows_elsewhere;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_explored_is_exported_and_read_by_the_benchmark() {
    let combiner = Combiner::start(CONFIG);
    let out = combiner.path("log.parquet");
    let out = out.to_str().unwrap();
    let empty = combiner.run(&["log", "export", "--out", out]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(
        stderr(&empty).contains("has no recent requests"),
        "{}",
        stderr(&empty)
    );
    assert!(!PathBuf::from(out).exists());
    for bad in ["log.csv", "absent/log.parquet"] {
        let bad = combiner.path(bad);
        let output = combiner.run(&["log", "export", "--out", bad.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("cannot write"),
            "{}",
            stderr(&output)
        );
    }

    combiner.json(&[
        "weights",
        "explore",
        "--low",
        "0.2",
        "--high",
        "2",
        "--density",
        "log-uniform",
        "--seed",
        "7",
    ]);
    let answers = combiner.rank(300).await;
    let reported = combiner.json(&["weights", "explain", "--request-id", &answers[0].request_id]);
    assert_eq!(
        reported["draw"]["lambda"],
        answers[0].draw.unwrap().lambda,
        "{reported}"
    );
    let exported = combiner.json(&["log", "export", "--out", out, "--profile", "default"]);
    assert_eq!(exported["written"]["requests"], 300);
    assert_eq!(exported["written"]["candidates"], 300 * CANDIDATES);
    assert_eq!(exported["written"]["explored"], 300);
    assert_eq!(
        exported["objectives"],
        serde_json::json!(["engagement", "engagement_bait"])
    );
    if let Some(rows) = rows_elsewhere(&[Path::new(out)]) {
        assert_eq!(rows, [300 * CANDIDATES as u64]);
    }

    let front = json([
        "bench",
        "front",
        "--log",
        out,
        "--part",
        "all",
        "--replicates",
        "20",
    ]);
    assert_eq!(front["read"]["explored"], 300);
    assert_eq!(front["read"]["candidates"], 300 * CANDIDATES);
    let ope = run(["bench", "ope", "--log", out]);
    assert_eq!(ope.status.code(), Some(1), "no outcome is known yet");
    assert!(stderr(&ope).contains("no outcome"), "{}", stderr(&ope));
    let found = json([
        "bench",
        "recommend",
        "--log",
        out,
        "--basis",
        "predicted",
        "--bait-budget",
        "0.4",
        "--replicates",
        "20",
    ]);
    assert!(found["recommendation"].is_object(), "{found}");

    combiner.json(&["weights", "explore", "--stop"]);
    let answers = combiner.rank(1).await;
    assert_eq!(answers[0].draw, None);
}
