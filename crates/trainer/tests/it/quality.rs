//! The quality of models: a random label is not learnt, and a known law is recovered.

use std::path::{Path, PathBuf};

use counterweight_dataset::Dataset;
use counterweight_evaluation::metrics::part_report;
use counterweight_test_support::shared_data;
use counterweight_trainer::{TrainOptions, fold_table};

use crate::feed::{DESCRIPTION, Feed, SPLIT, part, quick};

#[test]
fn a_random_label_is_not_learnt() {
    use rand::RngExt;
    let feed = Feed::with_labels(4000, &format!("{DESCRIPTION}{SPLIT}"), |rng, _| {
        rng.random::<f64>() < 0.4
    });
    let artefact = feed.train("engagement", &quick()).unwrap();
    for name in ["cross-fitted", "test"] {
        let auc = part(&artefact, name).auc.unwrap();
        assert!(
            (auc - 0.5).abs() < 0.05,
            "{name}: AUC {auc} of a random label"
        );
    }
}

#[test]
fn a_known_law_is_recovered() {
    let feed = Feed::new(9000, &format!("{DESCRIPTION}{SPLIT}"));
    let artefact = feed.train("engagement", &quick()).unwrap();
    let test = part(&artefact, "test");
    // The AUC of the true probabilities is 0.81 for rows whose quality is not missing.
    assert!(test.auc.unwrap() > 0.78, "{test:?}");
    // With 2700 rows in ten bins, a perfectly calibrated model has an ECE of 0.02 by chance.
    assert!(test.ece.unwrap() < 0.04, "{test:?}");
    let cross_fitted = part(&artefact, "cross-fitted");
    assert!(cross_fitted.ece.unwrap() < 0.02, "{cross_fitted:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The true probabilities of the sample, one per row of the impression log.
fn truth(column: &str) -> Vec<f64> {
    use polars::prelude::{ParquetReader, SerReader};
    let file = std::fs::File::open(root().join("data/sample/truth.parquet")).unwrap();
    let truth = ParquetReader::new(file).finish().unwrap();
    let column = truth.column(column).unwrap().f64().unwrap();
    column.iter().map(|p| p.unwrap_or(f64::NAN)).collect()
}

#[test]
fn the_sample_is_learnt_close_to_its_law_and_calibrated() {
    let dataset = Dataset::open(&root().join("data/sample/dataset.toml"), None).unwrap();
    let options = TrainOptions {
        folds: 3,
        alphas: vec![100.0],
        ..TrainOptions::default()
    };
    for (objective, column) in [
        ("engagement", "truth_engagement"),
        ("engagement_bait", "truth_engagement_bait"),
    ] {
        let table = fold_table(&dataset, objective, 3, &options, &mut |_| {}).unwrap();
        let labels: Vec<bool> = table.rows.iter().map(|row| row.label).collect();
        let truth = truth(column);
        let truth: Vec<f64> = table
            .rows
            .iter()
            .map(|row| truth[usize::try_from(row.row).unwrap()])
            .collect();
        let law = part_report("law", &truth, &labels);
        let (found, best) = (table.pooled.auc.unwrap(), law.auc.unwrap());
        let ece = table.pooled.ece.unwrap();
        eprintln!(
            "{objective}: AUC {found:.4}, the law's {best:.4}; ECE {ece:.4}, the law's {:.4}",
            law.ece.unwrap()
        );
        assert!(
            found > best - 0.02,
            "{objective}: AUC {found}, the law's is {best}"
        );
        assert!(
            found < best + 0.01,
            "{objective}: better than the true probabilities, so a label leaks"
        );
        assert!(ece <= 0.02, "{objective}: {:?}", table.pooled);
    }
}

#[test]
fn webis_bait_is_predicted_from_its_posts() {
    let Some(folder) = shared_data("webis_clickbait17_train.ndjson") else {
        return;
    };
    let dataset = Dataset::open(&root().join("data/recipes/webis.toml"), Some(&folder)).unwrap();
    let objective = dataset.objectives()[0].to_owned();
    let options = TrainOptions {
        folds: 3,
        alphas: vec![10.0],
        ..TrainOptions::default()
    };
    let table = fold_table(&dataset, &objective, 2, &options, &mut |_| {}).unwrap();
    let [auc, log_loss, _] = table.means().map(Option::unwrap);
    // With two folds, only half of the rows are used to train. With five folds, the model is better
    // than scikit-learn's sparse pipeline (.847 / .390).
    assert!(
        auc > 0.84 && log_loss < 0.40,
        "AUC {auc}, log loss {log_loss}"
    );
}
