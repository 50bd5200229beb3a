//! One model of a weighted sum of two losses, trained from files to an artefact.

use counterweight_dataset::{Dataset, Part};
use counterweight_model::Artefact;
use counterweight_trainer::{Combined, TrainerError, train_combined};

use crate::feed::{DESCRIPTION, Feed, quick};

/// An objective with the same label as `engagement`.
const AGAIN: &str = "[[objective]]\nname = \"again\"\nlabel = { column = \"clicked\" }\n";
/// Leaves out the rows without a label.
const FILTER: &str = "[[filter]]\ncolumn = \"clicked\"\nnot_missing = true\n";
const SPLIT: &str = "[split]\nby = \"group\"\ntrain = 0.6\ncalibrate = 0.1\ntest = 0.3\nseed = 3\n";

fn combined(gained: &str, avoided: &str, copies: [u32; 2]) -> Combined {
    Combined {
        gained: gained.to_owned(),
        avoided: avoided.to_owned(),
        copies,
    }
}

/// With e and 1 − e in equal shares, every prediction is ½. With many more copies of one label, the
/// rows are ordered by that label.
#[test]
fn the_label_with_more_copies_decides_the_order() {
    let feed = Feed::new(1200, &format!("{DESCRIPTION}{AGAIN}{FILTER}{SPLIT}"));
    let dataset = feed.dataset();
    let train = |copies| {
        let combined = combined("engagement", "again", copies);
        let out = feed.path("combined");
        train_combined(&dataset, &combined, &quick(), &out, &mut |_| ()).unwrap()
    };
    let even = train([1, 1]);
    assert_eq!(even.model.objective(), "engagement 1 : 1 not again");
    for coefficient in even.model.coefficients() {
        assert!(coefficient.abs() < 1e-6, "{coefficient}");
    }
    let [auc_of_most, auc_of_least] = [[9, 1], [1, 9]].map(|copies| {
        let artefact = train(copies);
        let mut parts = artefact.report.parts.iter();
        let test = parts.find(|part| part.part == "test").unwrap();
        let rows = test_rows(&dataset, &artefact);
        assert_eq!(
            test.rows as usize,
            10 * rows.len(),
            "every copy is measured"
        );
        auc(&rows)
    });
    assert!(auc_of_most > 0.65, "{auc_of_most}");
    assert!(
        auc_of_least < 0.35,
        "the order is not reversed: {auc_of_least}"
    );
}

/// The probability and `clicked` of each row of the test part.
fn test_rows(dataset: &Dataset, artefact: &Artefact) -> Vec<(f64, bool)> {
    let loaded = dataset
        .load_as("engagement", artefact.model.schema())
        .unwrap();
    let rows = loaded.part(Part::Test);
    let scores = artefact
        .model
        .score_as_logged(&loaded.rows.batch(&rows).unwrap())
        .unwrap();
    let labels = loaded.labels_at(None);
    let labels = rows.iter().map(|&row| labels[row]);
    scores.probabilities.into_iter().zip(labels).collect()
}

fn auc(rows: &[(f64, bool)]) -> f64 {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (high, _) in rows.iter().filter(|(_, label)| *label) {
        for (low, _) in rows.iter().filter(|(_, label)| !*label) {
            pairs += 1.0;
            wins += match high.total_cmp(low) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    wins / pairs
}

#[test]
fn labels_on_different_rows_are_rejected_with_the_row_counts() {
    // Every 50th row has likes and views, but no `clicked`.
    let feed = Feed::new(600, &format!("{DESCRIPTION}{AGAIN}{SPLIT}"));
    let try_to = |combined: &Combined| {
        let out = feed.path("combined");
        train_combined(&feed.dataset(), combined, &quick(), &out, &mut |_| ()).unwrap_err()
    };
    let error = try_to(&combined("engagement", "popular", [1, 1]));
    assert!(matches!(error, TrainerError::NotTogether { .. }));
    let message = error.to_string();
    assert!(
        message.contains("588 rows have both labels") && message.contains("not_missing"),
        "{message}"
    );
    let message = try_to(&combined("engagement", "again", [1, 0])).to_string();
    assert!(message.contains("copies is [1, 0]"), "{message}");
    assert!(!feed.path("combined").exists(), "an artefact was written");

    let fewer = "features = [\"quality\"]\n";
    let feed = Feed::new(300, &format!("{DESCRIPTION}{AGAIN}{fewer}{FILTER}{SPLIT}"));
    let message = train_combined(
        &feed.dataset(),
        &combined("engagement", "again", [1, 1]),
        &quick(),
        &feed.path("combined"),
        &mut |_| (),
    )
    .unwrap_err()
    .to_string();
    assert!(message.contains("their features differ"), "{message}");
}
