//! Whether off-policy intervals hold the truth as often as they claim, on logs drawn from a
//! simulated population. Slow, so it is asked for:
//! `cargo test -p counterweight-evaluation --test it coverage -- --ignored --nocapture` writes the
//! table of docs/offline.md.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use crate::common;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use common::{Csv, read};
use counterweight_evaluation::{Log, LogOptions, OpeOptions, Policy, Question, Request, estimate};
use counterweight_simulator::{Config, IMPRESSIONS_FILE, TRUTH_FILE, simulate};
use polars::prelude::{ParquetReader, SerReader};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Requests of the population: all that might have come.
const POPULATION: u64 = 20_000;
/// Logs, and the requests of each, drawn from the population.
const LOGS: usize = 200;
const REQUESTS: usize = 1_000;
const LAMBDAS: [f64; 3] = [0.5, 0.75, 1.0];
/// Change of the engagement logit per unit of ln(position), as data/README.md states the law.
const POSITION: f64 = -0.35;
const HEADER: &str = "request_id,user_id,candidate_id,k,position,p_engagement,p_engagement_bait,label_engagement,label_engagement_bait,lambda_low,lambda_high,lambda_density\n";

/// By objective, λ and estimator: the estimate's interval, none where it is refused.
type Answers = BTreeMap<(String, usize, &'static str), Option<(f64, f64)>>;

/// The requests of a large simulated log, each as the rows of a CSV file, and the value of each λ
/// over all of them.
fn population() -> (Vec<String>, [[f64; 2]; 3]) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        requests: POPULATION,
        ..Config::default()
    };
    simulate(&config, folder.path(), |_| ()).unwrap();
    let file = std::fs::File::open(folder.path().join(TRUTH_FILE)).unwrap();
    let truth = ParquetReader::new(file).finish().unwrap();
    let text = |name: &str| truth.column(name).unwrap().str().unwrap().clone();
    let number = |name: &str| truth.column(name).unwrap().f64().unwrap().clone();
    let (request, candidate) = (text("request_id"), text("candidate_id"));
    let engagement = number("truth_engagement_at_1");
    let bait = number("truth_engagement_bait");
    let known: HashMap<(&str, &str), [f64; 2]> = (0..truth.height())
        .map(|row| {
            let key = (request.get(row).unwrap(), candidate.get(row).unwrap());
            (key, [engagement.get(row).unwrap(), bait.get(row).unwrap()])
        })
        .collect();
    let log = folder.path().join(IMPRESSIONS_FILE);
    let mut log = Log::open_files(&[log], Vec::new(), LogOptions::default()).unwrap();
    let (requests, _) = read(&mut log).unwrap();
    let values = LAMBDAS.map(|lambda| {
        let mut sum = [0.0; 2];
        for request in &requests {
            let value = value(request, lambda, &known);
            sum[0] += value[0] / requests.len() as f64;
            sum[1] += value[1] / requests.len() as f64;
        }
        sum
    });
    (requests.iter().map(rows).collect(), values)
}

/// A request as rows of a CSV file.
fn rows(request: &Request) -> String {
    let mut text = String::new();
    for (i, id) in request.ids.iter().enumerate() {
        let shown = &request.logged.as_ref().unwrap().shown;
        let place = shown.iter().find(|(candidate, _)| *candidate == i);
        let position = place.map_or(String::new(), |(_, place)| (place + 1).to_string());
        let label = |m: usize| place.map_or(String::new(), |_| request.realised[m][i].to_string());
        let (e, b) = (request.probabilities[0][i], request.probabilities[1][i]);
        writeln!(
            text,
            "{},{:x},{id},{},{position},{e},{b},{},{},0,1.25,uniform",
            request.id,
            request.unit,
            request.k,
            label(0),
            label(1)
        )
        .unwrap();
    }
    text
}

/// The estimates from one log: the requests whose hash under the log's number is lowest.
fn one(number: usize, population: &[String]) -> Answers {
    let mut order: Vec<usize> = (0..population.len()).collect();
    order.sort_by_key(|request| xxh3_64_with_seed(&request.to_le_bytes(), number as u64));
    let mut text = HEADER.to_owned();
    for &request in &order[..REQUESTS] {
        text.push_str(&population[request]);
    }
    let options = OpeOptions {
        policy: Policy::Lambda(LAMBDAS.to_vec()),
        level: 0.95,
        anyway: false,
    };
    let csv = Csv::new(&text);
    let mut log = csv.open().unwrap();
    let (report, _) = estimate(&mut log, &Question::default(), &options, &mut |_| ()).unwrap();
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
    answers
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
    let (population, truth) = population();
    let all: Vec<Answers> = (0..LOGS)
        .into_par_iter()
        .map(|number| one(number, &population))
        .collect();
    eprintln!(
        "| outcome | λ | estimator | covered | of logs that are not refused | mean half width |\n|---|---|---|---:|---:|---:|"
    );
    for key in all[0].keys() {
        let (objective, at, estimator) = key;
        let truth = truth[*at][usize::from(objective != "engagement")];
        let given: Vec<(f64, f64)> = all.iter().filter_map(|answers| answers[key]).collect();
        if given.is_empty() {
            continue;
        }
        let fixed = given
            .iter()
            .filter(|(low, high)| (*low..=*high).contains(&truth))
            .count();
        let share = fixed as f64 / given.len() as f64;
        let width: f64 = given.iter().map(|(low, high)| 0.5 * (high - low)).sum();
        eprintln!(
            "| {objective} | {} | {estimator} | {:.1} % | {} | {:.4} |",
            LAMBDAS[*at],
            100.0 * share,
            given.len(),
            width / given.len() as f64
        );
        if matches!(*estimator, "IIPS" | "SNIIPS" | "DR") && given.len() > 100 {
            assert!(share >= 0.85, "{key:?}: {share}");
        }
    }
}
