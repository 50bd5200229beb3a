//! The answers of ServerMetadata, ModelMetadata and ModelConfig. They describe everything that a
//! client needs to call a model.

use std::collections::HashMap;

use counterweight_model::{Input, Kind, Side};
use counterweight_proto::inference::{
    DataType, InferParameter, ModelConfig, ModelInput, ModelMetadataResponse, ModelOutput,
    ServerMetadataResponse, infer_parameter::ParameterChoice,
    model_metadata_response::TensorMetadata,
};
use counterweight_tensor::Datatype;

use crate::{
    loaded::{LoadedVersion, text},
    wire::Output,
};

/// The name of the server in its metadata.
pub const SERVER_NAME: &str = "counterweight";
/// The name of our extension of the protocol: a tensor whose parameter `side` is `context` may have
/// one row, which then applies to all candidates.
pub const CONTEXT_BROADCAST: &str = "counterweight_context_broadcast";
/// The extensions of the protocol that the server supports.
pub const EXTENSIONS: [&str; 2] = ["model_repository", CONTEXT_BROADCAST];

const PLATFORM: &str = "counterweight_linear";
/// The dimension of a shape that may have any number of candidates.
const ANY: i64 = -1;

pub(crate) fn server_metadata() -> ServerMetadataResponse {
    ServerMetadataResponse {
        name: SERVER_NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        extensions: EXTENSIONS.map(str::to_owned).to_vec(),
    }
}

/// Describes a model; `versions` are the loaded ones, the default first.
pub(crate) fn model_metadata(
    loaded: &LoadedVersion,
    versions: Vec<String>,
) -> ModelMetadataResponse {
    let mut parameters = loaded.parameters();
    parameters.insert("objective".to_owned(), text(loaded.model.objective()));
    ModelMetadataResponse {
        name: loaded.name.clone(),
        versions,
        platform: PLATFORM.to_owned(),
        inputs: loaded.model.schema().inputs().iter().map(input).collect(),
        outputs: Output::ALL
            .into_iter()
            .map(|kind| output(loaded, kind))
            .collect(),
        parameters,
    }
}

/// Describes a model in the form that Triton's tools request.
pub(crate) fn model_config(loaded: &LoadedVersion) -> ModelConfig {
    let inputs = loaded.model.schema().inputs().iter().map(|described| {
        let tensor = input(described);
        ModelInput {
            data_type: data_type(&tensor.datatype).into(),
            name: tensor.name,
            dims: tensor.shape,
            optional: is_optional(described),
        }
    });
    let outputs = Output::ALL.into_iter().map(|kind| {
        let tensor = output(loaded, kind);
        ModelOutput {
            data_type: data_type(&tensor.datatype).into(),
            name: tensor.name,
            dims: tensor.shape,
        }
    });
    ModelConfig {
        name: loaded.name.clone(),
        platform: PLATFORM.to_owned(),
        max_batch_size: 0,
        input: inputs.collect(),
        output: outputs.collect(),
    }
}

/// Triton's name for a datatype of the protocol.
fn data_type(datatype: &str) -> DataType {
    let name = match datatype {
        "BYTES" => "TYPE_STRING".to_owned(),
        other => format!("TYPE_{other}"),
    };
    DataType::from_str_name(&name).unwrap_or(DataType::TypeInvalid)
}

fn is_optional(input: &Input) -> bool {
    input.optional || input.served.is_some()
}

fn input(input: &Input) -> TensorMetadata {
    let numbers = "FP64, FP32, BOOL and every integer type";
    // Numbers are FP64 by default, because FP32 would round a timestamp.
    let (datatype, accepts) = match input.kind {
        Kind::Numeric => (Datatype::Fp64, numbers),
        Kind::Boolean => (Datatype::Bool, numbers),
        Kind::Categorical => (
            Datatype::Bytes,
            "BYTES, BOOL and every integer type (read as decimal text)",
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
        ("optional".to_owned(), flag(is_optional(input))),
        ("accepts".to_owned(), text(accepts)),
    ]);
    if let Some(value) = input.served {
        parameters.insert("served".to_owned(), number(value));
    }
    TensorMetadata {
        name: input.name.clone(),
        datatype: datatype.as_str().to_owned(),
        shape,
        parameters,
    }
}

fn output(loaded: &LoadedVersion, output: Output) -> TensorMetadata {
    let features = loaded.model.schema().features();
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
            // The names are a JSON array in the order of the columns. The sum of a row plus the
            // offset is the logit.
            let names = serde_json::Value::from(names).to_string();
            let parameters = [
                ("features", text(names)),
                ("offset", number(loaded.model.offset())),
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
