//! Real data: the references of others, and what the benchmark makes of it.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use common::root;
use counterweight_dataset::Dataset;
use counterweight_evaluation::{
    Basis, Draws, Log, LogOptions, OpeOptions, Order, Parts, Policy, Question, Swept, estimate,
};
use counterweight_model::Artefact;
use counterweight_test_support::shared_data;
use counterweight_trainer::{TrainOptions, train};

fn recipe(name: &str, folder: &std::path::Path) -> Dataset {
    Dataset::open(&root().join("data/recipes").join(name), Some(folder)).unwrap()
}

fn uniform(
    recipe_name: &str,
    folder: &std::path::Path,
    anyway: bool,
) -> counterweight_evaluation::OpeReport {
    let options = LogOptions {
        k: Some(3),
        ..LogOptions::default()
    };
    let mut log = Log::open(recipe(recipe_name, folder), Vec::new(), options).unwrap();
    let options = OpeOptions {
        policy: Policy::Uniform,
        level: 0.95,
        anyway,
    };
    estimate(&mut log, &Question::default(), &options, &mut |_| ())
        .unwrap()
        .0
}

/// Counted with pandas from the same file; to the digits it shows, the reference of the data's
/// README.
#[test]
fn the_uniform_policy_from_the_log_of_thompson_sampling() {
    let Some(folder) = shared_data("obd_men_bts.parquet") else {
        return;
    };
    let report = uniform("open_bandit.toml", &folder, true);
    let [ipw, snipw] = &report.rows[0].estimates[..] else {
        unreachable!("two estimators")
    };
    assert_eq!(
        (report.requests, ipw.estimator, snipw.estimator),
        (10_000, "IPW", "SNIPW")
    );
    assert!((ipw.value.unwrap() - 0.003_008_626_327_256_482).abs() < 1e-12);
    assert!((ipw.standard_error.unwrap() - 0.000_773_935_462_886_502_5).abs() < 1e-12);
    assert!((snipw.value.unwrap() - 0.003_189_423_162_277_403).abs() < 1e-12);
    assert!((ipw.effective - 655.709_849_587_326_9).abs() < 1e-6);
    // 656 effective of 10,000: not to be acted on.
    let refused = uniform("open_bandit.toml", &folder, false);
    let ipw = &refused.rows[0].estimates[0];
    assert_eq!(ipw.value, None);
    assert!(
        ipw.refusals[0].contains("655.7 effective slates of 10000"),
        "{:?}",
        ipw.refusals
    );
}

#[test]
fn the_uniform_policy_from_its_own_log_is_its_mean() {
    let Some(folder) = shared_data("obd_men_random.parquet") else {
        return;
    };
    let report = uniform("open_bandit_random.toml", &folder, false);
    let ipw = &report.rows[0].estimates[0];
    assert!((ipw.value.unwrap() - 0.0046).abs() < 1e-9);
    let (low, high) = ipw.interval.unwrap();
    assert!((high - low) / 2.0 - 1.96 * 0.0007 < 1e-4);
}

/// Trains on the training weeks, sweeps, and reads the lift of taking the arm that the engagement
/// model puts first.
#[test]
fn the_lift_of_choosing_the_arm_by_the_engagement_model() {
    let Some(folder) = shared_data("upworthy_arms.parquet") else {
        return;
    };
    let Some(_) = shared_data("webis_clickbait17_train.ndjson") else {
        return;
    };
    let models = tempfile::tempdir().unwrap();
    let train = |recipe_name: &str, objective: &str| -> Artefact {
        let dataset = recipe(recipe_name, &folder);
        train(
            &dataset,
            objective,
            &TrainOptions::default(),
            &models.path().join(objective),
            &mut |_| (),
        )
        .unwrap()
    };
    let artefacts = vec![
        train("upworthy.toml", "engagement"),
        train("webis.toml", "engagement_bait"),
    ];
    let options = LogOptions {
        k: Some(1),
        ..LogOptions::default()
    };
    let mut log = Log::open(recipe("upworthy.toml", &folder), artefacts, options).unwrap();
    let swept = Swept::read(
        &mut log,
        &Question::default(),
        Parts::All,
        &mut |_| (),
        &mut |_, _| Ok(()),
    )
    .unwrap();
    // Requests were counted with pandas: 3,818 tests outside the faulty weeks.
    let summary = &swept.summary;
    assert_eq!(summary.rows, 18_357);
    assert_eq!(
        summary.tune + summary.test + summary.training + summary.divided,
        3_818
    );
    assert_eq!(
        swept.basis(),
        Basis::Realised,
        "clicks came of it, bait is its model's word"
    );
    let lift = |part| {
        swept
            .baselines(part)
            .unwrap()
            .mean(0, Order::Highest(0))
            .unwrap()
    };
    let (tune, test) = (lift(Parts::Tune), lift(Parts::Test));
    // On the validation weeks the model is worth having; the test weeks say what it brings.
    assert!(tune.lift - 1.96 * tune.lift_error > 0.0, "{tune:?}");
    assert!((0.004..0.012).contains(&test.lift_error), "{test:?}");
    assert!(
        test.lift > -2.0 * test.lift_error && test.lift < 0.1,
        "{test:?}"
    );
    // A constant score is a random order when ties are averaged: no phantom gain.
    let random = swept
        .baselines(Parts::Test)
        .unwrap()
        .mean(0, Order::Random)
        .unwrap();
    assert_eq!(random.lift, 0.0);
    let report =
        counterweight_evaluation::FrontReport::new(&log, &swept, Parts::Test, Draws::default())
            .unwrap();
    assert!(
        report.curves[report.gain].starts_with("realised_")
            && report.curves[report.cost].starts_with("predicted_")
    );
}
