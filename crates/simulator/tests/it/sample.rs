//! The shipped sample is identical to the generator's output, is small enough for the repository,
//! and is fully documented.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support;

use std::collections::BTreeSet;
use std::fs;

use counterweight_evaluation::metrics::{auc, log_loss};
use counterweight_simulator::{
    CANDIDATES_FILE, Config, DATASET_FILE, IMPRESSIONS_FILE, TRUTH_FILE, simulate,
};
use polars::prelude::{JsonFormat, JsonReader, SerReader};
use sha2::{Digest, Sha256};
use support::{Simulated, data, read};

#[test]
fn the_default_configuration_writes_the_shipped_sample_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mut done = 0;
    let config = Config::default();
    let summary = simulate(&config, dir.path(), |requests| {
        assert!(requests > done, "progress increases");
        done = requests;
    })
    .unwrap();
    assert_eq!(done, config.requests);
    assert!((12_000..=20_000).contains(&summary.labelled), "{summary:?}");
    for name in [IMPRESSIONS_FILE, TRUTH_FILE, CANDIDATES_FILE, DATASET_FILE] {
        let hash = |bytes: Vec<u8>| Sha256::digest(bytes);
        let (made, shipped) = (
            hash(fs::read(dir.path().join(name)).unwrap()),
            hash(fs::read(data("sample").join(name)).unwrap()),
        );
        assert_eq!(
            made, shipped,
            "{name} differs; run `counterweight data generate --seed 1 --out data/sample`"
        );
    }
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        4,
        "no temporary file is left"
    );
}

#[test]
fn the_shipped_sample_takes_three_megabytes_at_most() {
    let bytes: u64 = fs::read_dir(data("sample"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes <= 3_000_000, "{bytes} bytes");
}

/// The names in the first cells of Markdown table rows, with `<objective>` replaced.
fn documented(markdown: &str) -> BTreeSet<String> {
    let cells = markdown
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name);
    cells
        .flat_map(|name| {
            ["engagement", "engagement_bait"]
                .map(|objective| name.replace("<objective>", objective))
        })
        .collect()
}

#[test]
fn the_candidates_to_rank_are_the_next_request_without_columns_that_serving_adds() {
    let text = fs::read_to_string(data("sample").join(CANDIDATES_FILE)).unwrap();
    let rows = JsonReader::new(std::io::Cursor::new(text))
        .with_json_format(JsonFormat::JsonLines)
        .finish()
        .unwrap();
    assert!((20..=30).contains(&rows.height()));
    let ids = rows.column("request_id").unwrap().str().unwrap();
    assert!(
        ids.iter().all(|id| id == Some("r000002000")),
        "the log ends with request 1999"
    );
    let log = read(&data("sample"), IMPRESSIONS_FILE);
    let features = log
        .get_column_names()
        .into_iter()
        .skip_while(|name| *name != "user_sessions_7d");
    let expected: Vec<&str> = ["request_id", "candidate_id"]
        .into_iter()
        .chain(features.map(|name| name.as_str()))
        .collect();
    assert_eq!(rows.get_column_names(), expected);
}

#[test]
fn the_schema_names_every_column_of_the_sample() {
    let documented = documented(&fs::read_to_string(data("SCHEMA.md")).unwrap());
    for file in [IMPRESSIONS_FILE, TRUTH_FILE] {
        for name in read(&data("sample"), file).get_column_names() {
            assert!(
                documented.contains(name.as_str()),
                "{file} has {name}, which data/SCHEMA.md does not describe"
            );
        }
    }
}

#[test]
fn the_readme_states_the_metrics_of_the_truth() {
    let simulated = Simulated::read(&data("sample"));
    let readme = fs::read_to_string(data("README.md")).unwrap();
    for objective in ["engagement", "engagement_bait"] {
        let labels = simulated.numbers(&format!("label_{objective}"));
        let of_shown = |name: String| -> Vec<f64> {
            let values = simulated.numbers(&name);
            values
                .iter()
                .zip(&labels)
                .filter(|(_, label)| label.is_some())
                .filter_map(|(value, _)| *value)
                .collect()
        };
        let (truth, logged) = (
            of_shown(format!("truth_{objective}")),
            of_shown(format!("p_{objective}")),
        );
        let labels: Vec<bool> = labels.iter().flatten().map(|label| *label == 1.0).collect();
        let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
        let [truth_auc, truth_loss, logged_auc] = [
            auc(&truth, &labels),
            log_loss(&truth, &labels),
            auc(&logged, &labels),
        ]
        .map(Option::unwrap);
        let row = format!(
            "| {objective} | {share:.3} | {truth_auc:.4} | {truth_loss:.4} | {logged_auc:.4} |"
        )
        .replace("0.", ".");
        assert!(readme.contains(&row), "data/README.md must contain: {row}");
    }
}
