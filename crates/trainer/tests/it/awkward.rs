//! Data and options with which training must fail, or that need special care.

use counterweight_trainer::{Calibration, Stage, TrainOptions, TrainerError, fold_table, train};

use crate::feed::{DESCRIPTION, Feed, SPLIT, part, quick};

#[test]
fn one_class_is_an_error_that_names_the_objective() {
    for label in [true, false] {
        let feed = Feed::with_labels(300, DESCRIPTION, |_, _| label);
        let message = feed.train("engagement", &quick()).unwrap_err().to_string();
        assert!(
            message.contains("engagement") && message.contains(&u8::from(label).to_string()),
            "{message}"
        );
        assert!(!feed.path("model").exists(), "an artefact was written");
    }
}

#[test]
fn constant_and_empty_columns_have_no_weight_and_are_noted() {
    let feed = Feed::new(800, DESCRIPTION);
    let artefact = feed.train("engagement", &quick()).unwrap();
    let names = artefact.model.encoders().column_names();
    for (name, weight) in names.iter().zip(artefact.model.coefficients()) {
        assert!(weight.is_finite());
        if name.starts_with("constant") || name.starts_with("nothing") {
            assert_eq!(*weight, 0.0, "{name}");
        }
    }
    let notes = artefact.report.notes.join("\n");
    assert!(
        notes.contains("constant") && notes.contains("nothing"),
        "{notes}"
    );
    assert!(artefact.report.convergence.converged);
}

#[test]
fn options_out_of_range_are_named() {
    let feed = Feed::new(300, DESCRIPTION);
    let error_message =
        |options: TrainOptions| feed.train("engagement", &options).unwrap_err().to_string();
    assert_eq!(
        error_message(TrainOptions {
            folds: 1,
            ..quick()
        }),
        "folds is 1, but must be at least 2"
    );
    let alphas = |alphas: &[f64]| TrainOptions {
        alphas: alphas.to_vec(),
        ..quick()
    };
    assert_eq!(
        error_message(alphas(&[1.0, -1.0])),
        "alpha is -1, but must be finite and above zero"
    );
    assert_eq!(
        error_message(alphas(&[])),
        "alpha is empty, but must be at least one value"
    );
    let many = error_message(TrainOptions {
        folds: 98,
        ..quick()
    });
    assert!(many.contains("97 groups into 98 folds"), "{many}");
    let few = error_message(TrainOptions {
        calibration: Calibration::Isotonic,
        ..quick()
    });
    assert!(few.contains("at least 1000 rows"), "{few}");
}

#[test]
fn an_unknown_objective_is_named() {
    let feed = Feed::new(100, DESCRIPTION);
    let message = feed.train("engagment", &quick()).unwrap_err().to_string();
    assert!(
        message.contains("engagment") && message.contains("engagement"),
        "{message}"
    );
}

#[test]
fn a_given_penalty_is_used_without_a_search() {
    let feed = Feed::new(400, DESCRIPTION);
    let artefact = feed
        .train(
            "engagement",
            &TrainOptions {
                alphas: vec![7.0],
                ..quick()
            },
        )
        .unwrap();
    let chosen = &artefact.report.regularisation;
    assert_eq!(
        (chosen.alpha, chosen.chosen_by.as_str(), chosen.curve.len()),
        (7.0, "given", 0)
    );
    let searched = feed
        .train("engagement", &quick())
        .unwrap()
        .report
        .regularisation;
    assert_eq!(
        searched
            .curve
            .iter()
            .map(|point| point.alpha)
            .collect::<Vec<_>>(),
        [0.1, 1.0, 10.0]
    );
    let best = searched
        .curve
        .iter()
        .map(|point| point.log_loss)
        .fold(f64::INFINITY, f64::min);
    let chosen = searched
        .curve
        .iter()
        .find(|point| point.alpha == searched.alpha)
        .unwrap();
    assert_eq!(chosen.log_loss, best);
}

#[test]
fn sampled_negatives_are_corrected_to_the_base_rate_of_the_log() {
    let rare = |rng: &mut rand_chacha::ChaCha8Rng, logit: f64| {
        use rand::RngExt;
        rng.random::<f64>() < 1.0 / (1.0 + (2.5 - logit).exp())
    };
    let sampled = DESCRIPTION.replace(
        "label = { column = \"clicked\" }",
        "label = { column = \"clicked\" }\nsample_negatives = 0.2",
    );
    for (calibration, split) in [
        (Calibration::Platt, SPLIT.to_owned()),
        (Calibration::None, SPLIT.to_owned()),
        (
            Calibration::Beta,
            SPLIT.replace("train = 0.7", "train = 0.5\ncalibrate = 0.2"),
        ),
    ] {
        let feed = Feed::with_labels(6000, &format!("{sampled}{split}"), rare);
        let artefact = feed
            .train(
                "engagement",
                &TrainOptions {
                    calibration,
                    ..quick()
                },
            )
            .unwrap();
        assert_eq!(
            artefact.model.prior_correction().unwrap().negative_rate,
            0.2
        );
        // The mean probability is the base rate of the log; without the correction it would be 0.2
        // higher. With a calibrate part of 600 rows, it is the base rate of that part.
        let calibrated = calibration == Calibration::Beta;
        let (judge, off) = if calibrated {
            ("calibrate", 0.002)
        } else {
            ("test", 0.02)
        };
        let judge = part(&artefact, judge);
        let bins = judge.calibration.iter();
        let mean = bins
            .map(|bin| bin.mean_probability * bin.rows as f64)
            .sum::<f64>()
            / judge.rows as f64;
        let rate = judge.positives as f64 / judge.rows as f64;
        assert!(
            (mean - rate).abs() < off,
            "{calibration:?}: {mean} is not {rate}"
        );
        let train = part(&artefact, "train");
        let sampled_rate = train.positives as f64 / train.rows as f64;
        assert!(sampled_rate > 2.0 * rate, "negatives were not sampled");
    }
    let feed = Feed::with_labels(6000, &format!("{sampled}{SPLIT}"), rare);
    let beta = TrainOptions {
        calibration: Calibration::Beta,
        ..quick()
    };
    let rejected = feed.train("engagement", &beta).unwrap_err();
    assert!(
        matches!(
            rejected,
            TrainerError::SampledCalibration { method: "beta" }
        ),
        "{rejected}"
    );
}

/// A feed without a split, in which only the rows with these numbers are positive.
fn rare(positive: &[u64]) -> Feed {
    let row = std::cell::Cell::new(0);
    Feed::with_labels(400, DESCRIPTION, |_, _| {
        row.set(row.get() + 1);
        positive.contains(&(row.get() - 1))
    })
}

#[test]
fn a_fold_that_contains_all_rows_of_a_class_is_named() {
    let message = rare(&[3])
        .train("engagement", &quick())
        .unwrap_err()
        .to_string();
    for part in [
        "objective `engagement`: fold ",
        " (folds 0 to 2) contains the only positive row",
        "rows are all negative; add positive rows of other groups, or try another seed",
    ] {
        assert!(message.contains(part), "{message}");
    }
    // Rows 0 and 97 have the same author, so they are always in the same fold.
    let message = rare(&[0, 95])
        .train("engagement", &quick())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("contains all 2 positive rows"),
        "{message}"
    );
}

#[test]
fn a_fold_of_an_evaluation_that_cannot_be_trained_is_named() {
    let feed = rare(&[3]);
    let error = fold_table(&feed.dataset(), "engagement", 4, &quick(), &mut |_| {}).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("training on all folds but fold ") && message.contains("engagement"),
        "{message}"
    );
}

#[test]
fn a_calibrate_part_of_one_class_is_named_before_any_fit() {
    let split = "[split]\nby = \"column\"\ncolumn = \"part\"\n";
    let feed = Feed::new(400, &format!("{DESCRIPTION}{split}"));
    let log = std::fs::read_to_string(feed.path("log.csv")).unwrap();
    let mut lines = log.lines();
    let mut text = format!("{},part\n", lines.next().unwrap());
    for line in lines {
        let clicked = line.split(',').nth_back(2).unwrap();
        let part = match clicked {
            "0" if line.len() % 5 == 0 => "calibrate",
            _ => "train",
        };
        text += &format!("{line},{part}\n");
    }
    std::fs::write(feed.path("log.csv"), text).unwrap();
    let mut stages = vec![];
    let error = train(
        &feed.dataset(),
        "engagement",
        &quick(),
        &feed.path("model"),
        &mut |progress| stages.push(progress.stage),
    )
    .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("rows of the calibrate part are negative")
            && message.contains("leave the part out"),
        "{message}"
    );
    assert_eq!(stages, [Stage::Read]);
    // Without a calibrator, the part is used only for metrics.
    let options = TrainOptions {
        calibration: Calibration::None,
        ..quick()
    };
    assert!(feed.train("engagement", &options).is_ok());
}
