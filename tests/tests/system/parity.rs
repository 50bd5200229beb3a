//! One text, one probability: `evaluate`, `predict`, the model server and the combiner agree to
//! 1e-6.

use std::fs;

use counterweight_proto::inference::{
    ModelInferRequest, grpc_inference_service_client::GrpcInferenceServiceClient,
};
use counterweight_tensor::{Datatype, encode_strings, tensor};
use counterweight_test_support::wait_until;
use serde_json::json as value;

use crate::support::{Server, combiner, counterweight, json, run};

const DATASET: &str = r#"
name = "texts"
files = ["FILE"]
[columns]
candidate = "id"
[[input]]
name = "text"
kind = "text"
[[objective]]
name = "engagement_bait"
label = { column = "bait" }
"#;

fn texts() -> Vec<(String, bool)> {
    let honest = [
        "The council met on",
        "Results of the",
        "Photos from the",
        "Notes on the",
    ];
    let bait = [
        "You won't BELIEVE the",
        "TAG a friend who",
        "Share if you",
        "10 Things about the",
    ];
    (0..240)
        .map(|i| {
            let bait_text = i % 3 == 0;
            let head = if bait_text {
                bait[i / 3 % 4]
            } else {
                honest[i % 4]
            };
            // Some labels disagree with their text, so that no coefficient runs away.
            (
                format!(
                    "{head} {} garden, no. {}",
                    ["old", "new", "tiny"][i % 5 % 3],
                    i % 17
                ),
                bait_text != (i % 11 == 0),
            )
        })
        .collect()
}

fn csv(rows: &[(String, bool)]) -> String {
    let mut text = "id,text,bait\n".to_owned();
    for (i, (title, bait)) in rows.iter().enumerate() {
        text.push_str(&format!("t{i:03},\"{title}\",{}\n", u8::from(*bait)));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evaluate_predict_model_server_and_combiner_agree() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rows = texts();
    fs::write(at("texts.csv"), csv(&rows)).unwrap();
    fs::write(at("texts.toml"), DATASET.replace("FILE", "texts.csv")).unwrap();
    let model = at("models/engagement_bait");
    json([
        "train",
        "--dataset",
        &at("texts.toml"),
        "--objective",
        "engagement_bait",
        "--out",
        &model,
    ]);

    // `predict`: the order of the input, ids and a probability.
    json([
        "predict",
        "--model",
        &model,
        "--dataset",
        &at("texts.toml"),
        "--out",
        &at("out.csv"),
    ]);
    let predicted: Vec<f64> = fs::read_to_string(at("out.csv"))
        .unwrap()
        .lines()
        .enumerate()
        .filter_map(|(line, text)| {
            let (id, probability) = text.split_once(',').unwrap();
            if line == 0 {
                assert_eq!((id, probability), ("id", "probability"));
                return None;
            }
            assert_eq!(id, format!("t{:03}", line - 1));
            Some(probability.parse().unwrap())
        })
        .collect();
    assert_eq!(predicted.len(), rows.len());

    // `evaluate` on a single row labelled 1: its log loss is −ln p.
    fs::write(at("one.toml"), DATASET.replace("FILE", "one.csv")).unwrap();
    for i in [0, 1, 2, 100] {
        fs::write(at("one.csv"), csv(&[(rows[i].0.clone(), true)])).unwrap();
        let evaluation = json(["evaluate", "--model", &model, "--dataset", &at("one.toml")]);
        let log_loss = evaluation["parts"][0]["log_loss"].as_f64().unwrap();
        assert!(
            ((-log_loss).exp() - predicted[i]).abs() < 1e-6,
            "row {i}: {log_loss}, {}",
            predicted[i]
        );
    }

    // The model server.
    let server = Server::start(counterweight().args([
        "serve-model",
        "--repository",
        &at("models"),
        "--listen",
        "127.0.0.1:0",
    ]));
    let address = server.hello.trim().rsplit(' ').next().unwrap().to_owned();
    let mut client = GrpcInferenceServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let request = ModelInferRequest {
        model_name: "engagement_bait".to_owned(),
        inputs: vec![tensor("text", Datatype::Bytes, &[rows.len()])],
        raw_input_contents: vec![encode_strings(rows.iter().map(|row| row.0.as_bytes()))],
        ..ModelInferRequest::default()
    };
    let answer = client.model_infer(request).await.unwrap().into_inner();
    let served: Vec<f64> = answer.raw_output_contents[0]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
        .collect();
    assert_eq!(served.len(), rows.len());

    // The combiner, over that server.
    let config = format!(
        "[store]\npath = \"weights.log\"\n[[objective]]\nname = \"engagement_bait\"\n[objective.model]\nname = \"engagement_bait\"\nendpoints = [\"http://{address}\"]\n[profile.default.weights]\nengagement_bait = -1.0\n"
    );
    let (_combiner, combiner_address) = combiner(folder.path(), &config);
    let candidates: String = rows
        .iter()
        .enumerate()
        .map(|(i, row)| format!("{}\n", value!({ "id": format!("t{i:03}"), "text": row.0 })))
        .collect();
    fs::write(at("candidates.ndjson"), candidates).unwrap();
    let ranked = ranked_when_ready(&at("candidates.ndjson"), "id", &combiner_address);
    for candidate in ranked["candidates"].as_array().unwrap() {
        let i: usize = candidate["id"].as_str().unwrap()[1..].parse().unwrap();
        let probability = candidate["probabilities"][0].as_f64().unwrap();
        assert!(
            (probability - predicted[i]).abs() < 1e-6 && (served[i] - predicted[i]).abs() < 1e-6,
            "{candidate}"
        );
    }
    assert_eq!(ranked["candidates"].as_array().unwrap().len(), rows.len());
}

/// Ranks as soon as the combiner has reached its model.
pub(crate) fn ranked_when_ready(file: &str, id: &str, address: &str) -> serde_json::Value {
    let rank = [
        "--json",
        "rank",
        file,
        "--id",
        id,
        "-k",
        "0",
        "--address",
        address,
    ];
    wait_until("the combiner has reached its model", || {
        let output = run(rank);
        let ranked = output.status.success().then_some(output.stdout)?;
        Some(serde_json::from_slice(&ranked).unwrap())
    })
}
