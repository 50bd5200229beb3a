//! The request log: every answer is in it, to the bit, and a log that does not work costs no ranking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use counterweight_journal::{Candidates, Found, Frames, LoggedFeature, RankingRecord};
use counterweight_proto::counterweight::v1::{RankRequest, RankResponse};
use counterweight_tensor::{Datatype, encode_f32, encode_strings, tensor};
use prost::Message as _;
use tonic::Code;

use crate::common::{self, Combiner, Model, PROFILES, info, request, two_models, two_objectives};

/// The records in the segments of a log whose server has stopped.
fn records(log: &Path) -> Vec<RankingRecord> {
    let mut segments: Vec<_> = fs::read_dir(log.join("wal")).unwrap().collect();
    segments.sort_by_key(|entry| entry.as_ref().unwrap().path());
    let mut records = Vec::new();
    for segment in segments {
        let bytes = fs::read(segment.unwrap().path()).unwrap();
        for found in Frames::new(&bytes) {
            let Found::Record(payload) = found else {
                panic!("a damaged segment");
            };
            records.push(RankingRecord::decode(payload).unwrap());
        }
    }
    records
}

fn ids(record: &RankingRecord) -> Vec<&str> {
    let mut rest = &*record.ids;
    let lengths = record.id_lengths.iter();
    lengths
        .map(|&length| {
            let (id, others) = rest.split_at(length as usize);
            rest = others;
            id
        })
        .collect()
}

/// Recomputes the page of an answer from its record alone.
fn assert_replays(record: &RankingRecord, answer: &RankResponse) {
    assert_eq!(record.request_id, answer.request_id);
    assert_eq!(
        (&record.profile, record.revision),
        (&answer.profile, answer.revision)
    );
    let ids = ids(record);
    let score = |at: usize| {
        let combined = record.objectives.iter();
        combined
            .filter(|objective| !objective.probabilities.is_empty())
            .map(|objective| objective.weight * objective.probabilities[at])
            .reduce(|sum, term| sum + term)
            .unwrap()
    };
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(ids[a].cmp(ids[b])));
    order.truncate(usize::try_from(record.k).unwrap());
    let page: Vec<usize> = record.page.iter().map(|&at| at as usize).collect();
    assert_eq!(page, order);
    assert_eq!(page.len(), answer.candidates.len());
    for (&at, candidate) in page.iter().zip(&answer.candidates) {
        assert_eq!(ids[at], candidate.id);
        assert_eq!(score(at).to_bits(), candidate.score.to_bits());
    }
}

fn candidates(name: usize, n: usize) -> RankRequest {
    let p = |i: usize, m: usize| ((i * m + name) % 7) as f32 / 10.0;
    let e: Vec<f32> = (0..n).map(|i| p(i, 3)).collect();
    let b: Vec<f32> = (0..n).map(|i| p(i, 5)).collect();
    let mut request = request(&e, &b);
    request.candidate_ids.reverse();
    request.unit_id = format!("user {}", name % 3);
    request.limit = [0, 1, 10][name % 3];
    request
}

#[tokio::test]
async fn every_answer_is_logged_to_the_bit() {
    let (_e, _b, combiner) = two_models("request_log = { path = \"log\" }").await;
    let mut client = combiner.ranking().await;
    let mut answers = HashMap::new();
    for name in 0..100 {
        let answer = client.rank(candidates(name, 1 + name % 30)).await.unwrap();
        let answer = answer.into_inner();
        answers.insert(answer.ranking_id.clone(), answer);
    }
    assert_eq!(answers.len(), 100, "every ranking has an id of its own");
    let folder = combiner.stop().await;
    let records = records(&folder.path().join("log"));
    assert_eq!(records.len(), 100);
    for record in &records {
        assert_replays(record, &answers[&record.ranking_id]);
    }
    let units: std::collections::BTreeSet<_> = records.iter().map(|one| &*one.unit).collect();
    assert_eq!(units.len(), 3);
    assert!(units.iter().all(|unit| unit.len() == 32), "{units:?}");
    // Nothing on the disk says who the units are.
    for entry in fs::read_dir(folder.path().join("log/wal")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(5).any(|bytes| bytes == b"user "));
    }
}

/// The features that are logged of a request with a number for each candidate, a vector that all
/// share, and an attribute.
async fn logged(log: &str) -> HashMap<String, LoggedFeature> {
    let more = format!("attributes = [\"country\"]\nrequest_log = {{ path = \"log\", {log} }}");
    let (e, _b, combiner) = two_models(&more).await;
    let mut inputs = e.state.inputs.lock().unwrap().clone();
    inputs.push(("embedding".to_owned(), "FP32", "context", true));
    *e.state.inputs.lock().unwrap() = inputs;
    let mut client = combiner.ranking().await;
    let mut request = request(&[0.1, 0.9, 0.5], &[0.0; 3]);
    let country = tensor("country", Datatype::Bytes, &[1]);
    common::push(&mut request, country, encode_strings(["de"]));
    let embedding = tensor("embedding", Datatype::Fp32, &[1, 2]);
    common::push(&mut request, embedding, encode_f32(&[0.25, 0.5]));
    request.limit = 2;
    client.rank(request).await.unwrap();
    let folder = combiner.stop().await;
    let records = records(&folder.path().join("log"));
    let features = records[0].features.iter();
    features
        .map(|one| (one.name.clone(), one.clone()))
        .collect()
}

#[tokio::test]
async fn features_are_logged_of_the_page_of_all_or_of_none() {
    let page = logged("features = \"page\"").await;
    assert_eq!(page["xe"].contents, encode_f32(&[0.9, 0.5]));
    assert_eq!(page["xe"].candidates(), Candidates::Page);
    assert_eq!(page["xe"].side, "candidate");
    assert!(page["embedding"].shared);
    assert_eq!(page["embedding"].contents, encode_f32(&[0.25, 0.5]));
    for all in ["features = \"all\"", "all_share = 1.0"] {
        let all = logged(all).await;
        assert_eq!(all["xe"].contents, encode_f32(&[0.1, 0.9, 0.5]));
        assert_eq!(all["xe"].candidates(), Candidates::All);
    }
    let none = logged("features = \"none\"").await;
    assert_eq!(none.keys().collect::<Vec<_>>(), ["country"]);
    assert_eq!(none["country"].contents, encode_strings(["de"]));
    let secret = logged("feature = { country = { log = false }, xe = { log = true } }").await;
    assert!(!secret.contains_key("country") && secret.contains_key("xe"));
}

/// A combiner whose log is in a folder that cannot be made, since its parent is a file.
async fn impossible(sync: &str) -> (Model, Model, Combiner) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let config = format!(
        "request_log = {{ path = \"file/log\", unit_key = \"key\", sync = \"{sync}\" }}\n{}{PROFILES}",
        two_objectives(&e, &b)
    );
    let combiner = Combiner::start_in(&config, Arc::new(folder)).await;
    (e, b, combiner)
}

#[tokio::test]
async fn a_log_that_does_not_work_costs_no_ranking_and_every_loss_is_counted() {
    let (_e, _b, combiner) = impossible("interval").await;
    let mut client = combiner.ranking().await;
    for name in 0..7 {
        client.rank(candidates(name, 5)).await.unwrap();
    }
    let health = combiner.server.http("/healthz").await;
    assert!(
        health.contains("ok\nthe request log does not work"),
        "{health}"
    );
    assert!(
        health.contains("the request log lost 7 records"),
        "{health}"
    );
    let text = combiner.metrics_text().await;
    for expected in [
        "counterweight_request_log_dropped_total{reason=\"not_open\"} 7",
        "counterweight_request_log_written_total 0",
        "counterweight_request_log_working 0",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[tokio::test]
async fn who_must_prove_every_ranking_gets_no_answer_that_is_not_logged() {
    let (_e, _b, combiner) = impossible("request").await;
    let mut client = combiner.ranking().await;
    let error = client.rank(candidates(1, 5)).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(info(&error).0, "NOT_LOGGED");
    assert!(error.message().contains("could not be logged"), "{error}");

    let more = "request_log = { path = \"log\", sync = \"request\", unit = \"raw\" }";
    let (_e, _b, combiner) = two_models(more).await;
    let mut client = combiner.ranking().await;
    let answer = client.rank(candidates(1, 5)).await.unwrap().into_inner();
    // It is on the disk although the server runs on.
    let records = records(&combiner.folder.path().join("log"));
    assert_replays(&records[0], &answer);
    assert_eq!(records[0].unit, "user 1");
}
