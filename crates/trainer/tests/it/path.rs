//! One model through the whole path: train, evaluate, predict and score agree, and the same seed
//! gives the same bytes.

use std::collections::BTreeMap;
use std::path::Path;

use counterweight_dataset::Part;
use counterweight_model::Artefact;
use counterweight_trainer::{Progress, Stage, TrainerError, evaluate, fold_table, predict, train};

use crate::feed::{DESCRIPTION, Feed, SPLIT, part, quick};

fn described() -> String {
    format!("{DESCRIPTION}{SPLIT}")
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect()
}

/// The rows of a CSV file by column.
fn csv(path: &Path) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split(',')) {
            columns
                .entry((*name).to_owned())
                .or_default()
                .push(value.to_owned());
        }
    }
    columns
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let feed = Feed::new(1500, &described());
    let on = |threads: usize, name: &str, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let options = counterweight_trainer::TrainOptions { seed, ..quick() };
        let out = feed.path(name);
        let artefact = pool
            .install(|| feed.train_into("engagement", &options, &out))
            .unwrap();
        files(&out.join(artefact.version))
    };
    let first = on(1, "one", 1);
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        ["MANIFEST.json", "MODEL_CARD.md", "model.json"]
    );
    assert!(
        first == on(2, "two", 1),
        "two trainings with one seed differ"
    );
    assert!(first != on(1, "other", 2), "the seed has no effect");
}

#[test]
fn evaluate_predict_and_score_agree() {
    let feed = Feed::new(1200, &described());
    let artefact = feed.train("engagement", &quick()).unwrap();
    let loaded = Artefact::load(&feed.path("model")).unwrap();
    assert_eq!(loaded, artefact);

    let evaluation = evaluate(&loaded, &feed.dataset(), &mut |_| {}).unwrap();
    assert!(evaluation.same_data);
    let trained: Vec<_> = artefact
        .report
        .parts
        .iter()
        .filter(|part| part.part != "cross-fitted")
        .cloned()
        .collect();
    assert_eq!(evaluation.parts, trained);

    let out = feed.path("predictions.csv");
    assert_eq!(
        predict(&loaded, &feed.dataset(), &out, &mut |_| {}).unwrap(),
        1200
    );
    let written = csv(&out);
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        ["author", "id", "probability"]
    );
    let ids: Vec<String> = (0..1200).map(|row| format!("c{row}")).collect();
    assert_eq!(
        written["id"], ids,
        "one row per input row, unlabelled ones too, in their order"
    );

    let data = feed.dataset().load("engagement").unwrap();
    let rows = data.part(Part::Test);
    let scores = loaded
        .model
        .score(&data.rows.batch(&rows).unwrap())
        .unwrap();
    assert!(rows.len() > 100);
    for (&row, probability) in rows.iter().zip(scores.probabilities) {
        let number = usize::try_from(data.rows.numbers[row]).unwrap();
        assert_eq!(
            data.rows
                .id(counterweight_dataset::Role::Candidate)
                .unwrap()[row],
            ids[number]
        );
        assert_eq!(
            written["probability"][number]
                .parse::<f64>()
                .unwrap()
                .to_bits(),
            probability.to_bits()
        );
    }
}

#[test]
fn predictions_are_the_same_in_every_format() {
    use polars::prelude::{JsonFormat, JsonReader, ParquetReader, SerReader};
    let feed = Feed::new(400, &described());
    let artefact = feed.train("engagement", &quick()).unwrap();
    let write = |name: &str| {
        let out = feed.path(name);
        predict(&artefact, &feed.dataset(), &out, &mut |_| {}).unwrap();
        std::fs::File::open(out).unwrap()
    };
    write("p.csv");
    let from_csv: Vec<f64> = csv(&feed.path("p.csv"))["probability"]
        .iter()
        .map(|p| p.parse().unwrap())
        .collect();
    let ndjson = JsonReader::new(write("p.ndjson"))
        .with_json_format(JsonFormat::JsonLines)
        .finish()
        .unwrap();
    let parquet = ParquetReader::new(write("p.parquet")).finish().unwrap();
    for frame in [ndjson, parquet] {
        let found: Vec<f64> = frame
            .column("probability")
            .unwrap()
            .f64()
            .unwrap()
            .into_no_null_iter()
            .collect();
        assert_eq!(found, from_csv);
    }
    let rejected = predict(
        &artefact,
        &feed.dataset(),
        &feed.path("p.xlsx"),
        &mut |_| {},
    )
    .unwrap_err();
    assert!(matches!(rejected, TrainerError::Ending { .. }));
    let nowhere = predict(
        &artefact,
        &feed.dataset(),
        &feed.path("no/such/p.csv"),
        &mut |_| {},
    )
    .unwrap_err();
    assert!(nowhere.to_string().contains("no/such/p.csv"), "{nowhere}");
}

#[test]
fn the_label_median_is_that_of_the_training_rows_and_is_stored_in_the_model() {
    let feed = Feed::new(1500, &described());
    let artefact = feed.train("popular", &quick()).unwrap();
    let data = feed.dataset().load("popular").unwrap();
    let expected = data.labels(&data.part(Part::Train)).unwrap().threshold;
    assert_eq!(artefact.report.data.label_threshold, expected);
    assert!(expected.is_some());
    let evaluation = evaluate(&artefact, &feed.dataset(), &mut |_| {}).unwrap();
    assert_eq!(evaluation.parts[1], *part(&artefact, "test"));
}

#[test]
fn a_fold_table_refits_per_fold_and_numbers_its_rows() {
    let feed = Feed::new(900, DESCRIPTION);
    let mut folds_done = Vec::new();
    let table = fold_table(
        &feed.dataset(),
        "engagement",
        3,
        &quick(),
        &mut |progress: Progress| {
            assert_eq!(progress.stage, Stage::Fold);
            folds_done.push(progress.done);
        },
    )
    .unwrap();
    assert_eq!(folds_done, [0, 1, 2, 3]);
    assert_eq!(table.folds.len(), 3);
    // Row 7 of every 50 has no label.
    let expected: Vec<u64> = (0..900).filter(|row| row % 50 != 7).collect();
    assert_eq!(
        table.rows.iter().map(|row| row.row).collect::<Vec<_>>(),
        expected
    );
    let mut fold_of_author = BTreeMap::new();
    for row in &table.rows {
        assert_eq!(
            *fold_of_author.entry(row.row % 97).or_insert(row.fold),
            row.fold,
            "an author is in two folds"
        );
    }
    for fold in &table.folds {
        assert_eq!(
            fold.rows,
            table
                .rows
                .iter()
                .filter(|row| row.fold == fold.fold)
                .count() as u64
        );
        assert!(
            fold.auc.unwrap() > 0.7 && fold.log_loss.unwrap() < 0.62,
            "{fold:?}"
        );
    }
    assert!(table.means().iter().all(Option::is_some));
}

#[test]
fn every_stage_reports() {
    let feed = Feed::new(600, &described());
    let mut stages = Vec::new();
    let out = feed.path("model");
    train(
        &feed.dataset(),
        "engagement",
        &quick(),
        &out,
        &mut |progress| stages.push(progress.stage),
    )
    .unwrap();
    stages.dedup();
    assert_eq!(
        stages,
        [
            Stage::Read,
            Stage::Encode,
            Stage::Search,
            Stage::Fit,
            Stage::Measure
        ]
    );
}

#[test]
fn the_card_contains_the_figures_of_the_report() {
    let feed = Feed::new(1200, &described());
    let artefact = feed.train("engagement", &quick()).unwrap();
    let card = std::fs::read_to_string(
        feed.path("model")
            .join(&artefact.version)
            .join("MODEL_CARD.md"),
    )
    .unwrap();
    let test = part(&artefact, "test");
    for expected in [
        "# Model card: engagement".to_owned(),
        artefact.report.data.fingerprint.clone(),
        format!("{:.4}", test.auc.unwrap()),
        "24 without a label".to_owned(),
        "platt-".to_owned(),
        "| `quality` |".to_owned(),
        "`counterweight train` (seed 1)".to_owned(),
        "Converged after".to_owned(),
    ] {
        assert!(card.contains(&expected), "{expected} is not in\n{card}");
    }
}
