//! Data and options that cannot be trained on, or only with care.

use counterweight_trainer::{Calibration, TrainOptions, TrainerError};

use crate::feed::{DESCRIPTION, Feed, SPLIT, part, quick};

#[test]
fn one_class_is_an_error_that_names_the_objective() {
    for label in [true, false] {
        let feed = Feed::of(300, DESCRIPTION, |_, _| label);
        let message = feed.train("engagement", &quick()).unwrap_err().to_string();
        assert!(
            message.contains("engagement") && message.contains(&u8::from(label).to_string()),
            "{message}"
        );
        assert!(!feed.path("model").exists(), "something was written");
    }
}

#[test]
fn constant_and_empty_columns_weigh_nothing_and_are_noted() {
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
    let refused =
        |options: TrainOptions| feed.train("engagement", &options).unwrap_err().to_string();
    assert_eq!(
        refused(TrainOptions {
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
        refused(alphas(&[1.0, -1.0])),
        "alpha is -1, but must be finite and above zero"
    );
    assert_eq!(
        refused(alphas(&[])),
        "alpha is empty, but must be at least one value"
    );
    let many = refused(TrainOptions {
        folds: 98,
        ..quick()
    });
    assert!(many.contains("97 groups into 98 folds"), "{many}");
    let few = refused(TrainOptions {
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
fn a_given_penalty_is_taken_as_it_is() {
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
        let feed = Feed::of(6000, &format!("{sampled}{split}"), rare);
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
        // The mean probability is that of the log, from which uncorrected ones are 0.2 away. Where a calibrate part of 600 rows
        // was given, it is that part's.
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
    let feed = Feed::of(6000, &format!("{sampled}{SPLIT}"), rare);
    let beta = TrainOptions {
        calibration: Calibration::Beta,
        ..quick()
    };
    let refused = feed.train("engagement", &beta).unwrap_err();
    assert!(
        matches!(refused, TrainerError::SampledCalibration { method: "beta" }),
        "{refused}"
    );
}
