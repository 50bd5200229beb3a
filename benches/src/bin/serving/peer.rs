//! Proof that both servers serve the same model, without which their figures would not compare.

use anyhow::{Context as _, Result, ensure};
use counterweight_benches::Linear;
use counterweight_proto::inference::{
    ModelInferRequest, ModelInferResponse,
    grpc_inference_service_client::GrpcInferenceServiceClient,
    model_infer_request::InferRequestedOutputTensor,
};
use counterweight_tensor::{Datatype, encode_f64, tensor};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{ENGAGEMENT, FEATURES, ROWS};

const TOLERANCE: f64 = 1e-5;

/// Asks both servers for the same random rows; the largest difference between them, and of either
/// to the formula.
pub(crate) async fn compare(ours: &str, theirs: &str, model: &str, linear: &Linear) -> Result<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let rows: Vec<Vec<f64>> = (0..ROWS)
        .map(|_| (0..FEATURES).map(|_| rng.random()).collect())
        .collect();
    let formula: Vec<f64> = rows.iter().map(|row| probability(linear, row)).collect();
    let ours = ask(ours, by_column(&rows)).await.context("our server")?;
    let theirs = ask(theirs, packed(model, &rows))
        .await
        .context("MLServer")?;
    ensure!(
        ours.len() == ROWS && theirs.len() == 2 * ROWS,
        "{ROWS} and {} numbers expected, {} and {} received",
        2 * ROWS,
        ours.len(),
        theirs.len()
    );
    let mut largest = 0.0_f64;
    for row in 0..ROWS {
        // scikit-learn answers with the probability of either class.
        let (ours, theirs) = (ours[row], theirs[2 * row + 1]);
        let difference = [ours - theirs, ours - formula[row], theirs - formula[row]];
        for difference in difference.map(f64::abs) {
            ensure!(
                difference <= TOLERANCE,
                "row {row}: ours says {ours}, MLServer {theirs}, the formula {}; does it serve the coefficients of --write-coefficients?",
                formula[row]
            );
            largest = largest.max(difference);
        }
    }
    Ok(largest)
}

fn probability(linear: &Linear, row: &[f64]) -> f64 {
    let products = linear.coefficients.iter().zip(row).map(|(w, x)| w * x);
    let logit = linear.intercept + products.sum::<f64>();
    1.0 / (1.0 + (-logit).exp())
}

/// Our form: a tensor per feature.
fn by_column(rows: &[Vec<f64>]) -> ModelInferRequest {
    let column = |feature: usize| rows.iter().map(|row| row[feature]).collect::<Vec<f64>>();
    ModelInferRequest {
        model_name: ENGAGEMENT.to_owned(),
        inputs: (0..FEATURES)
            .map(|feature| tensor(&format!("x{feature:02}"), Datatype::Fp64, &[rows.len()]))
            .collect(),
        raw_input_contents: (0..FEATURES)
            .map(|feature| encode_f64(&column(feature)))
            .collect(),
        ..ModelInferRequest::default()
    }
}

/// MLServer's form: one matrix, and the output named.
fn packed(model: &str, rows: &[Vec<f64>]) -> ModelInferRequest {
    ModelInferRequest {
        model_name: model.to_owned(),
        inputs: vec![tensor("predict", Datatype::Fp64, &[rows.len(), FEATURES])],
        raw_input_contents: vec![encode_f64(&rows.concat())],
        outputs: vec![InferRequestedOutputTensor {
            name: "predict_proba".to_owned(),
            ..InferRequestedOutputTensor::default()
        }],
        ..ModelInferRequest::default()
    }
}

/// The numbers of the first output.
async fn ask(address: &str, request: ModelInferRequest) -> Result<Vec<f64>> {
    let mut client = GrpcInferenceServiceClient::connect(format!("http://{address}")).await?;
    let answer = client.model_infer(request).await?.into_inner();
    let ModelInferResponse {
        outputs,
        raw_output_contents,
        ..
    } = answer;
    let output = outputs.first().context("no output")?;
    let bytes = raw_output_contents.first().context("no raw output")?;
    match output.datatype.as_str() {
        "FP32" => Ok(bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f32::from_le_bytes(b).into())
            .collect()),
        "FP64" => Ok(bytes
            .as_chunks()
            .0
            .iter()
            .map(|&b| f64::from_le_bytes(b))
            .collect()),
        other => anyhow::bail!("output {} is {other}", output.name),
    }
}
