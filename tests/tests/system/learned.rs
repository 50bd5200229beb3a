//! A simulated month: users play against a running system, the logs are joined, and models that are
//! trained on the labelled log are as good as models that are trained on the labels of the law itself.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    path::{Path, PathBuf},
};

use counterweight_clock::DrivenClock;
use counterweight_simulator::Config;
use counterweight_users::{Played, play_days};
use polars::prelude::*;
use serde_json::Value;

use crate::{
    request_log::parts,
    support::{json, python, root, run, stderr, stdout},
    users::{DAY_MS, START_MS, both_logs, combiner, model_server},
};

const DAYS: u64 = 30;
const VISITS_A_DAY: u64 = 60;
const OBJECTIVES: [&str; 2] = ["engagement", "engagement_bait"];
/// How much worse a model of the joined log may be, in AUC.
const MARGIN: f64 = 0.005;

/// Plays the month, and makes parts of everything that was logged.
async fn play_month(folder: &Path) -> Vec<Played> {
    let model = model_server().await;
    let text = both_logs(&model.address);
    let clock = DrivenClock::new(START_MS);
    let server = combiner(folder, &text, &clock).await;
    let config = Config::of_days(DAYS, VISITS_A_DAY, 7);
    let playing = play_days(config, server.channel().await, clock.clone());
    let (visits, counts) = playing.await.unwrap();
    server.stop().await;
    assert_eq!(counts.failures(), 0, "{counts:?}");
    // The last segments become parts at the next start.
    clock.set(START_MS + 60 * DAY_MS);
    let server = combiner(folder, &text, &clock).await;
    parts(&folder.join("requests"), "requests");
    parts(&folder.join("events"), "events");
    server.stop().await;
    visits
}

/// The files of a labelled log.
fn files(labelled: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_to_string(labelled.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let hours = manifest["hours"].as_object().unwrap().values();
    let files = hours.flat_map(|hour| hour["files"].as_array().unwrap());
    files
        .map(|file| labelled.join(file["path"].as_str().unwrap()))
        .collect()
}

/// Writes the rows of the labelled log with the labels that the law drew, as columns `true_label_…`.
fn write_truth(labelled: &Path, visits: &[Played], out: &Path) {
    let mut labels: HashMap<(String, String), [bool; 2]> = HashMap::new();
    for visit in visits {
        for shown in &visit.shown {
            let reaction = &shown.reaction;
            let key = (visit.ranking_id.clone(), reaction.candidate_id.clone());
            labels.insert(key, reaction.labels);
        }
    }
    let mut all: Option<DataFrame> = None;
    for file in files(labelled) {
        let rows = ParquetReader::new(File::open(file).unwrap())
            .finish()
            .unwrap();
        match &mut all {
            Some(all) => {
                all.vstack_mut(&rows).unwrap();
            }
            None => all = Some(rows),
        }
    }
    let mut all = all.unwrap();
    let texts = |name: &str| all.column(name).unwrap().str().unwrap().clone();
    let (rankings, candidates) = (texts("ranking_id"), texts("candidate_id"));
    let drawn: Vec<_> = (0..all.height())
        .map(|row| {
            let key = (
                rankings.get(row).unwrap().to_owned(),
                candidates.get(row).unwrap().to_owned(),
            );
            labels.get(&key)
        })
        .collect();
    for (at, objective) in OBJECTIVES.iter().enumerate() {
        let column: Vec<Option<bool>> = drawn.iter().map(|own| own.map(|own| own[at])).collect();
        let name = format!("true_label_{objective}");
        all.with_column(Column::new(name.into(), column)).unwrap();
    }
    ParquetWriter::new(File::create(out).unwrap())
        .finish(&mut all)
        .unwrap();
}

/// AUC of a model on the largest part of the sample, which has the same law and other users.
fn auc(model: &Path) -> f64 {
    let dataset = root().join("data/sample/dataset.toml");
    let evaluated = json([
        "evaluate",
        "--model",
        model.to_str().unwrap(),
        "--dataset",
        dataset.to_str().unwrap(),
    ]);
    let parts = evaluated["parts"].as_array().unwrap();
    let train = parts.iter().find(|part| part["part"] == "train").unwrap();
    train["auc"].as_f64().unwrap()
}

/// Compares the labels with those of a join that DuckDB makes of the same parts by SQL.
fn compare_with_sql(folder: &Path) {
    let Some(python) = python("duckdb") else {
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/join_by_sql.py");
    let output = std::process::Command::new(python)
        .args([script, folder.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_of_a_joined_month_are_as_good_as_those_of_the_law() {
    let folder = tempfile::tempdir().unwrap();
    let visits = play_month(folder.path()).await;
    assert_eq!(visits.len() as u64, DAYS * VISITS_A_DAY);
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let joined = json([
        "log",
        "join",
        "--requests",
        &text("requests"),
        "--events",
        &text("events"),
        "--out",
        &text("joined"),
        "--grace",
        "36h",
    ]);
    let sent: u64 = visits
        .iter()
        .flat_map(|visit| &visit.shown)
        .flat_map(|shown| shown.events.iter().flatten())
        .map(|sent| u64::from(sent.copies))
        .sum();
    let fates = joined["all"]["events"].as_object().unwrap();
    let counted: u64 = fates.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(
        counted, sent,
        "every copy of every event has a fate: {fates:?}"
    );
    assert_eq!(joined["all"]["rankings"], visits.len());
    compare_with_sql(folder.path());

    write_truth(&path("joined"), &visits, &path("truth.parquet"));
    let described = json(["data", "init", "--log", &text("joined")]);
    let described = described["dataset"].as_str().unwrap();
    let manifest = path("joined/manifest.json").canonicalize().unwrap();
    let of_truth = described
        .replace(manifest.to_str().unwrap(), "truth.parquet")
        .replace("\"label_", "\"true_label_");
    assert!(of_truth.contains("true_label_engagement") && of_truth.contains("\"truth.parquet\""));
    fs::write(path("truth.toml"), of_truth).unwrap();

    let mut found = BTreeMap::new();
    for objective in OBJECTIVES {
        for (name, flag, source) in [
            ("of_log", "--log", text("joined")),
            ("of_law", "--dataset", text("truth.toml")),
        ] {
            let out = text(&format!("{name}/{objective}"));
            let trained = run([
                "train",
                flag,
                &source,
                "--objective",
                objective,
                "--out",
                &out,
                "--folds",
                "2",
                "--alpha",
                "100",
            ]);
            assert!(
                trained.status.success(),
                "{}{}",
                stdout(&trained),
                stderr(&trained)
            );
            found.insert((objective, name), auc(Path::new(&out)));
        }
        let (log, law) = (found[&(objective, "of_log")], found[&(objective, "of_law")]);
        println!("{objective}: AUC {log:.4} of the log, {law:.4} of the law");
        assert!(
            law > 0.6,
            "{objective}: the model of the law learned nothing: {law}"
        );
        assert!(
            (log - law).abs() < MARGIN,
            "{objective}: {log} of the log, {law} of the law"
        );
    }

    // The bench reads the same log without a description.
    let front = json(["bench", "front", "--log", &text("joined")]);
    assert!(front.to_string().contains("engagement_bait"));
}
