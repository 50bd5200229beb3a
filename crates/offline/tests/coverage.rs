//! Whether off-policy intervals hold the truth as often as they claim, on simulated logs. Slow, so it is asked for:
//! `cargo test -p counterweight-offline --test coverage -- --ignored --nocapture` writes the table of docs/offline.md.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;

use std::collections::{BTreeMap, HashMap};

use common::read;
use counterweight_offline::{Log, LogOptions, OpeOptions, Policy, Question, Request, estimate};
use counterweight_simulator::{Config, IMPRESSIONS_FILE, TRUTH_FILE, simulate};
use polars::prelude::{ParquetReader, SerReader};
use rayon::prelude::*;

const SEEDS: u64 = 200;
const REQUESTS: u64 = 1_000;
const LAMBDAS: [f64; 3] = [0.25, 0.625, 1.0];
/// Change of the engagement logit per unit of ln(position), as data/README.md states the law.
const POSITION: f64 = -0.35;

/// By objective, λ and estimator: the estimate's interval, none where it is refused.
type Answers = BTreeMap<(String, usize, &'static str), Option<(f64, f64)>>;

fn one(seed: u64) -> (Answers, [[f64; 2]; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        requests: REQUESTS,
        seed,
        ..Config::default()
    };
    simulate(&config, folder.path(), |_| ()).unwrap();
    let open = || {
        let file = folder.path().join(IMPRESSIONS_FILE);
        Log::open_files(&[file], Vec::new(), LogOptions::default()).unwrap()
    };
    let options = OpeOptions {
        policy: Policy::Lambda(LAMBDAS.to_vec()),
        level: 0.95,
        anyway: false,
    };
    let (report, _) = estimate(&mut open(), &Question::default(), &options, &mut |_| ()).unwrap();
    let mut answers = Answers::new();
    for row in report.rows {
        let at = LAMBDAS
            .iter()
            .position(|at| Some(*at) == row.lambda)
            .unwrap();
        for estimate in row.estimates {
            answers.insert(
                (row.objective.clone(), at, estimate.estimator),
                estimate.interval,
            );
        }
    }
    let file = std::fs::File::open(folder.path().join(TRUTH_FILE)).unwrap();
    let truth = ParquetReader::new(file).finish().unwrap();
    let text = |name: &str| truth.column(name).unwrap().str().unwrap().clone();
    let number = |name: &str| truth.column(name).unwrap().f64().unwrap().clone();
    let (request, candidate) = (text("request_id"), text("candidate_id"));
    let (engagement, bait) = (
        number("truth_engagement_at_1"),
        number("truth_engagement_bait"),
    );
    let known: HashMap<(&str, &str), [f64; 2]> = (0..truth.height())
        .map(|row| {
            let key = (request.get(row).unwrap(), candidate.get(row).unwrap());
            (key, [engagement.get(row).unwrap(), bait.get(row).unwrap()])
        })
        .collect();
    let (requests, _) = read(&mut open()).unwrap();
    let values = LAMBDAS.map(|lambda| {
        let mut sum = [0.0; 2];
        for request in &requests {
            let value = value(request, lambda, &known);
            sum[0] += value[0] / requests.len() as f64;
            sum[1] += value[1] / requests.len() as f64;
        }
        sum
    });
    (answers, values)
}

/// What a page of the target brings in truth, per place.
fn value(request: &Request, lambda: f64, known: &HashMap<(&str, &str), [f64; 2]>) -> [f64; 2] {
    let score = |i: usize| request.probabilities[0][i] - lambda * request.probabilities[1][i];
    let mut order: Vec<usize> = (0..request.ids.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    let mut sum = [0.0; 2];
    for (place, &i) in order.iter().take(request.k).enumerate() {
        let [at_first, bait] = known[&(request.id.as_str(), request.ids[i].as_str())];
        let logit = (at_first / (1.0 - at_first)).ln() + POSITION * (place as f64 + 1.0).ln();
        sum[0] += 1.0 / (1.0 + (-logit).exp()) / request.k as f64;
        sum[1] += bait / request.k as f64;
    }
    sum
}

#[test]
#[ignore = "takes minutes; run it when an estimator changes"]
fn intervals_hold_the_truth_as_often_as_they_claim() {
    let all: Vec<(Answers, [[f64; 2]; 3])> = (1..=SEEDS).into_par_iter().map(one).collect();
    // The value over all requests that might have come: the mean over the logs of all seeds.
    let population = |at: usize, objective: usize| {
        all.iter()
            .map(|(_, values)| values[at][objective])
            .sum::<f64>()
            / SEEDS as f64
    };
    eprintln!(
        "| outcome | λ | estimator | of all logs' value | of its own log's value | refused | mean half width |\n|---|---|---|---:|---:|---:|---:|"
    );
    for key in all[0].0.keys() {
        let (objective, at, estimator) = key;
        let which = usize::from(objective != "engagement");
        let truth = population(*at, which);
        let given: Vec<((f64, f64), f64)> = all
            .iter()
            .filter_map(|(answers, values)| Some((answers[key]?, values[*at][which])))
            .collect();
        let covered = |truth: &dyn Fn(f64) -> f64| {
            let held = given
                .iter()
                .filter(|((low, high), own)| (*low..=*high).contains(&truth(*own)));
            held.count() as f64 / given.len() as f64
        };
        let (share, own) = (covered(&|_| truth), covered(&|own| own));
        let width: f64 = given
            .iter()
            .map(|((low, high), _)| 0.5 * (high - low))
            .sum();
        eprintln!(
            "| {objective} | {} | {estimator} | {:.1} % | {:.1} % | {} of {SEEDS} | {:.4} |",
            LAMBDAS[*at],
            100.0 * share,
            100.0 * own,
            SEEDS as usize - given.len(),
            width / given.len() as f64
        );
        if matches!(*estimator, "IIPS" | "SNIIPS" | "DR") && given.len() > 100 {
            assert!(own >= 0.9, "{key:?}: {own}");
        }
    }
}
