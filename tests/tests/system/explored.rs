//! Exploration from end to end: a running combiner draws λ, its log is exported, and what the
//! offline benchmark makes of it holds the truth that the simulator knows.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    fs::{self, File},
    path::Path,
};

use counterweight_evaluation::ope::Draw;
use counterweight_proto::counterweight::v1::{
    Cause, Exploration, ExplorationChange, ProfileChange, RankRequest, SetWeightsRequest,
    ranking_service_client::RankingServiceClient, weights_service_client::WeightsServiceClient,
};
use counterweight_ranking::{Density, sweep::Walk};
use counterweight_tensor::{Datatype, encode_f64, tensor};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use tonic::transport::Channel;

use crate::support::{Server, combiner, json, root, run, stderr};

/// Logs; each explores with its own seed.
const LOGS: u64 = 12;
/// Places of a page.
const K: u32 = 10;
/// The range that λ is drawn from.
const RANGE: (f64, f64) = (0.25, 1.25);
/// The λ whose value is estimated.
const TARGETS: [f64; 2] = [0.5, 1.0];
/// Change of the engagement logit per unit of ln(position), as data/README.md states the law.
const POSITION: f64 = -0.35;
/// The fewest of [`LOGS`] whose 95 % interval holds the truth: with a coverage of 0.95, fewer come
/// once in two hundred.
const FEWEST: usize = 9;

/// A request of the shipped sample, with the probabilities that it was logged with and those that
/// its labels were drawn from.
struct Request {
    id: String,
    user: String,
    ids: Vec<String>,
    /// By objective.
    logged: [Vec<f64>; 2],
    /// By objective; of engagement, at position 1.
    truth: [Vec<f64>; 2],
}

/// Columns of a Parquet file.
pub(crate) struct Columns(DataFrame);

impl Columns {
    pub(crate) fn read(path: &Path) -> Self {
        Self(
            ParquetReader::new(File::open(path).unwrap())
                .finish()
                .unwrap(),
        )
    }

    pub(crate) fn text(&self, name: &str) -> Vec<String> {
        let column = self.0.column(name).unwrap().str().unwrap();
        column.iter().map(|cell| cell.unwrap().to_owned()).collect()
    }

    /// Texts, of which some may be missing.
    pub(crate) fn texts(&self, name: &str) -> Vec<Option<String>> {
        let column = self.0.column(name).unwrap().str().unwrap();
        column.iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    /// Whole numbers of 64 bits.
    pub(crate) fn whole(&self, name: &str) -> Vec<i64> {
        let column = self.0.column(name).unwrap().i64().unwrap();
        column.iter().map(|cell| cell.unwrap()).collect()
    }

    /// Whole numbers of 32 bits, of which some may be missing.
    pub(crate) fn counts(&self, name: &str) -> Vec<Option<i32>> {
        let column = self.0.column(name).unwrap().i32().unwrap();
        column.iter().collect()
    }

    /// Flags, of which some may be missing.
    pub(crate) fn labels(&self, name: &str) -> Vec<Option<bool>> {
        let column = self.0.column(name).unwrap().bool().unwrap();
        column.iter().collect()
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        let column = self.0.column(name).unwrap().f64().unwrap();
        column.iter().map(|cell| cell.unwrap()).collect()
    }

    /// The places, from 1; none where not shown.
    pub(crate) fn places(&self) -> Vec<Option<i32>> {
        self.counts("position")
    }
}

fn sample() -> Vec<Request> {
    let log = Columns::read(&root().join("data/sample/impressions.parquet"));
    let truth = Columns::read(&root().join("data/sample/truth.parquet"));
    let (requests, users, ids) = (
        log.text("request_id"),
        log.text("user_id"),
        log.text("candidate_id"),
    );
    assert_eq!(truth.text("candidate_id"), ids, "the same rows");
    let logged = ["p_engagement", "p_engagement_bait"].map(|name| log.numbers(name));
    let known = ["truth_engagement_at_1", "truth_engagement_bait"].map(|name| truth.numbers(name));
    let rows: Vec<usize> = (0..ids.len()).collect();
    rows.chunk_by(|a, b| requests[*a] == requests[*b])
        .map(|rows| {
            let pick = |column: &Vec<f64>| rows.iter().map(|&row| column[row]).collect();
            Request {
                id: requests[rows[0]].clone(),
                user: users[rows[0]].clone(),
                ids: rows.iter().map(|&row| ids[row].clone()).collect(),
                logged: logged.each_ref().map(pick),
                truth: known.each_ref().map(pick),
            }
        })
        .collect()
}

/// True P(engagement) and P(bait) of a candidate at a place, from 0.
fn truth(request: &Request, candidate: usize, place: usize) -> [f64; 2] {
    let at_first = request.truth[0][candidate];
    let logit = (at_first / (1.0 - at_first)).ln() + POSITION * (place as f64 + 1.0).ln();
    [1.0 / (1.0 + (-logit).exp()), request.truth[1][candidate]]
}

/// What ranking by λ brings in truth: mean over requests of the mean over the page, by objective.
fn value(requests: &[Request], lambda: f64) -> [f64; 2] {
    let mut sum = [0.0; 2];
    for request in requests {
        let score = |i: usize| request.logged[0][i] - lambda * request.logged[1][i];
        let mut order: Vec<usize> = (0..request.ids.len()).collect();
        order.sort_by(|&a, &b| {
            score(b)
                .total_cmp(&score(a))
                .then_with(|| request.ids[a].cmp(&request.ids[b]))
        });
        order.truncate(K as usize);
        for (place, &i) in order.iter().enumerate() {
            let share = 1.0 / (order.len() * requests.len()) as f64;
            for (sum, p) in sum.iter_mut().zip(truth(request, i, place)) {
                *sum += share * p;
            }
        }
    }
    sum
}

/// Uniform on [0, 1), from text alone.
fn uniform(text: &str) -> f64 {
    let mut hash = text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    for shift in [33, 29, 32] {
        hash = (hash ^ (hash >> shift)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    }
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// The exported log as CSV, with labels drawn from the truth for what was shown.
fn labelled(log: &Columns, requests: &HashMap<&str, &Request>, seed: u64) -> String {
    const KEPT: [&str; 5] = [
        "p_engagement",
        "p_engagement_bait",
        "lambda",
        "lambda_low",
        "lambda_high",
    ];
    let (request, user, candidate) = (
        log.text("request_id"),
        log.text("user_id"),
        log.text("candidate_id"),
    );
    let density = log.text("lambda_density");
    let kept = KEPT.map(|name| log.numbers(name));
    let mut text = format!(
        "request_id,user_id,candidate_id,k,position,{},lambda_density,label_engagement,label_engagement_bait\n",
        KEPT.join(",")
    );
    for (row, place) in log.places().into_iter().enumerate() {
        let of = requests[request[row].as_str()];
        let labels = place.map_or_else(
            || ",".to_owned(),
            |place| {
                let i = of.ids.iter().position(|id| *id == candidate[row]).unwrap();
                let truth = truth(of, i, usize::try_from(place - 1).unwrap());
                let label = |m: usize| {
                    let drawn = uniform(&format!("{seed}/{}/{}/{m}", of.id, candidate[row]));
                    u8::from(drawn < truth[m])
                };
                format!("{},{}", label(0), label(1))
            },
        );
        let numbers = kept.each_ref().map(|column| column[row].to_string());
        let place = place.map_or_else(String::new, |place| place.to_string());
        writeln!(
            text,
            "{},{},{},{K},{place},{},{},{labels}",
            request[row],
            user[row],
            candidate[row],
            numbers.join(","),
            density[row]
        )
        .unwrap();
    }
    text
}

/// The propensities of every candidate on every place sum to one, by the log alone; and λ is within
/// its range and in the weights.
fn check_draws(log: &Columns) {
    let requests = log.text("request_id");
    let number = |name: &str| log.numbers(name);
    let (e, b) = (number("p_engagement"), number("p_engagement_bait"));
    let (lambda, low, high) = (
        number("lambda"),
        number("lambda_low"),
        number("lambda_high"),
    );
    let weights = [number("w_engagement"), number("w_engagement_bait")];
    let mut walk = Walk::default();
    let rows: Vec<usize> = (0..requests.len()).collect();
    for rows in rows.chunk_by(|a, b| requests[*a] == requests[*b]) {
        let (first, end) = (rows[0], rows[0] + rows.len());
        assert_eq!((low[first], high[first]), RANGE);
        assert!((low[first]..=high[first]).contains(&lambda[first]));
        assert_eq!(weights[1][first], -lambda[first] * weights[0][first]);
        let density = Density::Uniform {
            low: low[first],
            high: high[first],
        };
        assert_eq!(density.below(high[first]) - density.below(low[first]), 1.0);
        let draw = Draw {
            fixed: &e[first..end],
            swept: &b[first..end],
            density,
        };
        for place in draw.marginals(&mut walk, K as usize).unwrap() {
            let sum: f64 = place.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{}: {sum}", requests[first]);
        }
    }
}

async fn explore(channel: &Channel, profile: &str, seed: u64) {
    let exploration = Exploration {
        low: RANGE.0,
        high: RANGE.1,
        seed,
        ..Exploration::default()
    };
    let request = SetWeightsRequest {
        changes: vec![ProfileChange {
            profile: profile.to_owned(),
            exploration: Some(ExplorationChange {
                exploration: Some(exploration),
            }),
            ..ProfileChange::default()
        }],
        cause: Some(Cause {
            author: "a test".to_owned(),
            reason: "to learn".to_owned(),
            ..Cause::default()
        }),
        ..SetWeightsRequest::default()
    };
    WeightsServiceClient::new(channel.clone())
        .set_weights(request)
        .await
        .unwrap();
}

async fn rank(channel: &Channel, profile: &str, requests: &[Request]) {
    let mut client = RankingServiceClient::new(channel.clone());
    for request in requests {
        let column = |name: &str| tensor(name, Datatype::Fp64, &[request.ids.len()]);
        let asked = RankRequest {
            request_id: request.id.clone(),
            profile: profile.to_owned(),
            unit_id: request.user.clone(),
            candidate_ids: request.ids.clone(),
            inputs: vec![column("e"), column("b")],
            raw_input_contents: request
                .logged
                .iter()
                .map(|values| encode_f64(values))
                .collect(),
            limit: K,
            ..RankRequest::default()
        };
        let answer = client.rank(asked).await.unwrap().into_inner();
        assert!(answer.draw.is_some());
    }
}

fn serve(folder: &Path) -> (Server, String) {
    let mut config = "[store]\npath = \"weights.log\"\n\
        [[objective]]\nname = \"engagement\"\ncolumn = { name = \"e\" }\n\
        [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"b\" }\n"
        .to_owned();
    for log in 1..=LOGS {
        writeln!(
            config,
            "[profile.feed{log}]\nweights = {{ engagement = 1.0, engagement_bait = -0.5 }}"
        )
        .unwrap();
    }
    combiner(folder, &config)
}

#[test]
fn estimates_on_exported_logs_hold_the_truth() {
    let requests = sample();
    let by_id: HashMap<&str, &Request> = requests
        .iter()
        .map(|request| (request.id.as_str(), request))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = serve(folder.path());
    let address = address.as_str();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let channel = runtime
        .block_on(
            Channel::from_shared(format!("http://{address}"))
                .unwrap()
                .tcp_nodelay(true)
                .connect(),
        )
        .unwrap();
    let mut held: BTreeMap<(String, String, String), (usize, usize)> = BTreeMap::new();
    let values = TARGETS.map(|lambda| value(&requests, lambda));
    for seed in 1..=LOGS {
        let profile = format!("feed{seed}");
        runtime.block_on(async {
            explore(&channel, &profile, seed).await;
            rank(&channel, &profile, &requests).await;
        });
        let exported = folder.path().join(format!("{profile}.parquet"));
        let output = run([
            "log",
            "export",
            "--profile",
            &profile,
            "--address",
            address,
            "--out",
            exported.to_str().unwrap(),
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        let log = Columns::read(&exported);
        check_draws(&log);
        let csv = folder.path().join("labelled.csv");
        fs::write(&csv, labelled(&log, &by_id, seed)).unwrap();
        let targets = TARGETS.map(|lambda| lambda.to_string()).join(",");
        let report = json([
            "bench",
            "ope",
            "--log",
            csv.to_str().unwrap(),
            "--at",
            &targets,
        ]);
        assert_eq!(
            report["off_policy"]["requests"],
            requests.len(),
            "all were exported"
        );
        for row in report["off_policy"]["rows"].as_array().unwrap() {
            let at = TARGETS.iter().position(|at| row["lambda"] == *at).unwrap();
            let truth = values[at][usize::from(row["objective"] != "engagement")];
            for estimate in row["estimates"].as_array().unwrap() {
                let name = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let key = (
                    name(&row["objective"]),
                    TARGETS[at].to_string(),
                    name(&estimate["estimator"]),
                );
                let (given, holds) = held.entry(key).or_default();
                if let [low, high] = estimate["interval"]
                    .as_array()
                    .map_or(&[][..], Vec::as_slice)
                {
                    let (low, high) = (low.as_f64().unwrap(), high.as_f64().unwrap());
                    *given += 1;
                    *holds += usize::from((low..=high).contains(&truth));
                }
            }
        }
    }
    let sure = |name: &str| ["IIPS", "SNIIPS", "DR"].contains(&name);
    let judged: Vec<_> = held.iter().filter(|((_, _, name), _)| sure(name)).collect();
    assert_eq!(
        judged.len(),
        12,
        "two objectives, two targets, three estimators: {held:?}"
    );
    for (key, &(given, holds)) in judged {
        eprintln!("{key:?}: {holds} of {given} intervals hold the truth");
        let fewest = FEWEST.saturating_sub(LOGS as usize - given);
        assert!(given > 0 && holds >= fewest, "{key:?}: {holds} of {given}");
    }
}
