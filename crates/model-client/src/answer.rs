//! Reads the probabilities of a model's answer. An answer that is not one probability per candidate
//! is refused.

use counterweight_proto::inference::{InferTensorContents, ModelInferResponse};
use counterweight_ranking::clamp_probabilities;
use counterweight_tensor::{Data, Datatype, TensorView};

/// What a model predicts for a batch.
#[derive(Debug)]
pub struct Prediction {
    /// Finite, in [0, 1], one per candidate.
    pub probabilities: Vec<f64>,
    /// How many of them were clamped to [0, 1].
    pub clamped: usize,
    /// The version that answered; empty when it is not known.
    pub model_version: String,
    /// Name and version of the model's own calibrator; empty for none.
    pub calibrator: String,
}

/// The column `column` of the output `output`, one finite probability for each of `candidates`, and
/// how many of them were clamped to [0, 1].
///
/// # Errors
/// What is wrong with the answer, for a person.
pub(crate) fn probabilities(
    response: &ModelInferResponse,
    output: &str,
    column: usize,
    candidates: usize,
) -> Result<(Vec<f64>, usize), String> {
    let at = response
        .outputs
        .iter()
        .position(|tensor| tensor.name == output)
        .ok_or_else(|| {
            let found: Vec<&str> = response
                .outputs
                .iter()
                .map(|tensor| tensor.name.as_str())
                .collect();
            format!("it has no output {output:?}; its outputs are {found:?}")
        })?;
    let tensor = &response.outputs[at];
    let none = InferTensorContents::default();
    let data = match (response.raw_output_contents.get(at), &tensor.contents) {
        (Some(raw), _) => Data::Raw(raw),
        (None, Some(contents)) => Data::Typed(contents),
        (None, None) => Data::Typed(&none),
    };
    let view = TensorView::new(&tensor.name, &tensor.datatype, &tensor.shape, data)
        .map_err(|error| error.to_string())?;
    if !matches!(view.datatype, Datatype::Fp32 | Datatype::Fp64) {
        return Err(format!(
            "output {output:?} is {}, not FP32 or FP64",
            tensor.datatype
        ));
    }
    if view.rows != candidates {
        return Err(format!(
            "output {output:?} has {} rows for {candidates} candidates",
            view.rows
        ));
    }
    if column >= view.width {
        return Err(format!(
            "output {output:?} has {} columns and column {column} is configured",
            view.width
        ));
    }
    let mut values = view.to_f64().map_err(|error| error.to_string())?;
    if view.width > 1 {
        values = values
            .into_iter()
            .skip(column)
            .step_by(view.width)
            .collect();
    }
    match clamp_probabilities(&mut values) {
        Ok(clamped) => Ok((values, clamped)),
        Err(row) => Err(format!(
            "output {output:?}, row {row}, is {}, which is not a probability",
            values[row]
        )),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use counterweight_proto::inference::model_infer_response::InferOutputTensor;
    use counterweight_tensor::{encode_f32, encode_f64};

    use super::*;

    fn response(datatype: &str, shape: &[i64], raw: Bytes) -> ModelInferResponse {
        ModelInferResponse {
            outputs: vec![InferOutputTensor {
                name: "p".into(),
                datatype: datatype.into(),
                shape: shape.to_vec(),
                ..Default::default()
            }],
            raw_output_contents: vec![raw],
            ..Default::default()
        }
    }

    #[test]
    fn ours_and_predict_proba_serve() {
        let ours = response("FP32", &[2], encode_f32(&[0.25, 1.0]));
        assert_eq!(
            probabilities(&ours, "p", 0, 2).unwrap(),
            (vec![0.25, 1.0], 0)
        );
        let foreign = response("FP64", &[2, 2], encode_f64(&[0.9, 0.1, 0.4, 0.6]));
        assert_eq!(probabilities(&foreign, "p", 1, 2).unwrap().0, [0.1, 0.6]);
        let minus_zero = response("FP64", &[1], encode_f64(&[-0.0]));
        assert_eq!(
            probabilities(&minus_zero, "p", 0, 1).unwrap().0[0].to_bits(),
            0
        );
    }

    #[test]
    fn the_rounding_of_single_floats_is_clamped_and_counted() {
        let rounded = response("FP32", &[3], encode_f32(&[1.000_000_1, 0.5, -1e-7]));
        assert_eq!(
            probabilities(&rounded, "p", 0, 3).unwrap(),
            (vec![1.0, 0.5, 0.0], 2)
        );
    }

    #[test]
    fn what_is_not_one_probability_per_candidate_is_refused() {
        let cases = [
            (
                response("FP32", &[2], encode_f32(&[0.5; 2])),
                "q",
                0,
                2,
                "no output \"q\"",
            ),
            (
                response("FP32", &[2], encode_f32(&[0.5; 2])),
                "p",
                0,
                3,
                "2 rows for 3 candidates",
            ),
            (
                response("FP32", &[2], encode_f32(&[0.5; 3])),
                "p",
                0,
                2,
                "needs 8 bytes",
            ),
            (
                response("FP32", &[2], encode_f32(&[0.5; 2])),
                "p",
                1,
                2,
                "column 1 is configured",
            ),
            (
                response("FP32", &[1], encode_f32(&[f32::NAN])),
                "p",
                0,
                1,
                "is NaN",
            ),
            (
                response("FP32", &[1], encode_f32(&[f32::INFINITY])),
                "p",
                0,
                1,
                "is inf",
            ),
            (
                response("FP32", &[1], encode_f32(&[-0.1])),
                "p",
                0,
                1,
                "not a probability",
            ),
            (
                response("INT64", &[1], encode_f64(&[0.0])),
                "p",
                0,
                1,
                "not FP32 or FP64",
            ),
        ];
        for (response, output, column, candidates, expected) in cases {
            let error = probabilities(&response, output, column, candidates).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
