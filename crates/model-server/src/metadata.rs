//! What ServerMetadata and ModelMetadata say, so that a client can be written from the answers alone.

use std::collections::HashMap;

use counterweight_model::{Input, Kind, Side};
use counterweight_proto::inference::{
    InferParameter, ModelMetadataResponse, ServerMetadataResponse,
    infer_parameter::ParameterChoice, model_metadata_response::TensorMetadata,
};
use counterweight_tensor::Datatype;

use crate::{
    served::{Served, text},
    wire::Output,
};

/// Name of the server in its metadata.
pub const SERVER_NAME: &str = "counterweight";
/// Our extension: a tensor whose parameter `side` is `context` may have one row, which then stands for all candidates.
pub const CONTEXT_BROADCAST: &str = "counterweight_context_broadcast";
/// All extensions of the protocol that are spoken.
pub const EXTENSIONS: [&str; 2] = ["model_repository", CONTEXT_BROADCAST];

/// Any number of candidates.
const ANY: i64 = -1;

pub(crate) fn of_server() -> ServerMetadataResponse {
    ServerMetadataResponse {
        name: SERVER_NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: EXTENSIONS.map(str::to_owned).to_vec(),
    }
}

/// `versions` are those that are loaded, the default first.
pub(crate) fn of_model(served: &Served, versions: Vec<String>) -> ModelMetadataResponse {
    let mut parameters = served.parameters();
    parameters.insert("objective".to_owned(), text(served.model.objective()));
    ModelMetadataResponse {
        name: served.name.clone(),
        versions,
        platform: "counterweight_linear".to_owned(),
        inputs: served.model.schema().inputs().iter().map(input).collect(),
        outputs: Output::ALL
            .into_iter()
            .map(|kind| output(served, kind))
            .collect(),
        parameters,
    }
}

fn input(input: &Input) -> TensorMetadata {
    let numbers = "FP64, FP32, BOOL and every integer type";
    // Doubles are named first for numbers: a timestamp does not survive FP32.
    let (datatype, accepts) = match input.kind {
        Kind::Numeric => (Datatype::Fp64, numbers),
        Kind::Boolean => (Datatype::Bool, numbers),
        Kind::Categorical => (
            Datatype::Bytes,
            "BYTES, BOOL and every integer type (taken as decimal text)",
        ),
        Kind::Text => (Datatype::Bytes, "BYTES"),
        Kind::List => (Datatype::Bytes, "BYTES, each a JSON array of strings"),
        Kind::Vector { .. } => (Datatype::Fp32, numbers),
    };
    let side = match input.side {
        Side::Candidate => "candidate",
        Side::Context => "context",
    };
    let shape = if let Kind::Vector { dim } = input.kind {
        vec![ANY, i64::try_from(dim).unwrap_or(i64::MAX)]
    } else {
        vec![ANY]
    };
    let mut parameters = HashMap::from([
        ("kind".to_owned(), text(input.kind.to_string())),
        ("side".to_owned(), text(side)),
        (
            "optional".to_owned(),
            flag(input.optional || input.served.is_some()),
        ),
        ("accepts".to_owned(), text(accepts)),
    ]);
    if let Some(served) = input.served {
        parameters.insert("served".to_owned(), number(served));
    }
    TensorMetadata {
        name: input.name.clone(),
        datatype: datatype.as_str().to_owned(),
        shape,
        parameters,
    }
}

fn output(served: &Served, output: Output) -> TensorMetadata {
    let features = served.model.schema().features();
    let (shape, parameters) = match output {
        Output::Probability => (
            vec![ANY],
            HashMap::from([("default".to_owned(), flag(true))]),
        ),
        Output::Logit => (vec![ANY], HashMap::new()),
        Output::Contributions => {
            let names: Vec<&str> = features
                .iter()
                .map(|feature| feature.name.as_str())
                .collect();
            let width = i64::try_from(names.len()).unwrap_or(i64::MAX);
            // Names as a JSON array, in the order of the columns; a row and the offset sum to the logit.
            let names = serde_json::Value::from(names).to_string();
            let parameters = [
                ("features", text(names)),
                ("offset", number(served.model.offset())),
            ];
            (
                vec![ANY, width],
                parameters
                    .map(|(key, value)| (key.to_owned(), value))
                    .into(),
            )
        }
    };
    TensorMetadata {
        name: output.name().to_owned(),
        datatype: Datatype::Fp32.as_str().to_owned(),
        shape,
        parameters,
    }
}

fn flag(value: bool) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::BoolParam(value)),
    }
}

fn number(value: f64) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::DoubleParam(value)),
    }
}
