//! Shared by the tests: a small model with every kind of input, a server on a free port, and
//! clients.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::{borrow::Cow, path::Path, time::Duration};

use bytes::Bytes;
use counterweight_model::{
    Artefact, Batch, Calibrator, Column, DEFAULT_MAX_TEXT_BYTES, Expression, Feature, Input, Kind,
    Model, ModelParts, Report, Schema,
};
use counterweight_model_server::{ModelServerError, ServerConfig, serve};
use counterweight_proto::inference::{
    InferTensorContents, ModelInferRequest, ModelInferResponse, ServerLiveRequest,
    grpc_inference_service_client::GrpcInferenceServiceClient,
    model_infer_request::InferInputTensor,
};
use counterweight_tensor::{Datatype, encode_bool, encode_f32, encode_f64, encode_strings, tensor};
use counterweight_trainer::fit_encoders;
use tempfile::TempDir;
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

pub type Client = GrpcInferenceServiceClient<Channel>;

pub const MODEL: &str = "engagement";
pub const TITLES: [&str; 5] = [
    "vote now!!!",
    "how to bake bread",
    "tag a friend 😀",
    "",
    "tax law explained",
];
pub const CATEGORIES: [&str; 5] = ["7", "music", "", "news", "a category never seen"];
pub const VIEWS: [f64; 5] = [10.0, 250_000.0, 3.5, f64::NAN, 1_700_000_000.0];

/// Inputs of every kind and side.
pub fn schema() -> Schema {
    let optional = |input: Input| Input {
        optional: true,
        ..input
    };
    let inputs = vec![
        Input::candidate("views", Kind::Numeric),
        Input::candidate("title", Kind::Text),
        Input::candidate("category", Kind::Categorical),
        Input::candidate("embedding", Kind::Vector { dim: 3 }),
        optional(Input::candidate("tags", Kind::List)),
        optional(Input::candidate("verified", Kind::Boolean)),
        Input::context("hour", Kind::Numeric),
        Input::context("favourite", Kind::Categorical),
        Input {
            served: Some(1.0),
            ..Input::candidate("position", Kind::Numeric)
        },
    ];
    let mut features: Vec<Feature> = inputs
        .iter()
        .map(|input| Feature::of_input(&input.name))
        .collect();
    let equal = Expression::Equal {
        left: "favourite".to_owned(),
        right: "category".to_owned(),
    };
    features.push(Feature {
        name: "likes it".to_owned(),
        of: equal,
    });
    features.push(Feature {
        name: "log views".to_owned(),
        of: Expression::Log1p {
            input: "views".to_owned(),
        },
    });
    Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES).unwrap()
}

fn training_columns(rows: usize) -> Vec<Option<Column<'static>>> {
    let texts = |values: &[&'static str]| {
        Column::Text(
            (0..rows)
                .map(|row| Cow::Borrowed(values[row * 7 % values.len()]))
                .collect(),
        )
    };
    let tags = (0..rows)
        .map(|row| {
            ["a", "b", "c"]
                .into_iter()
                .take(row % 4)
                .map(str::to_owned)
                .collect()
        })
        .collect();
    vec![
        Some(Column::Numeric(
            (0..rows)
                .map(|row| (row * 37 % 101) as f64 * 100.0)
                .collect(),
        )),
        Some(texts(&[
            "vote now!!!",
            "how to bake bread",
            "tag a friend",
            "tax law explained",
            "react if you agree",
            "slow news day",
        ])),
        Some(texts(&["music", "news", "7", "sport"])),
        Some(Column::Vector {
            dim: 3,
            values: (0..rows * 3)
                .map(|at| (at * 13 % 29) as f32 / 29.0)
                .collect(),
        }),
        Some(Column::List(tags)),
        Some(Column::Numeric(
            (0..rows).map(|row| (row % 2) as f64).collect(),
        )),
        Some(Column::Numeric(
            (0..rows).map(|row| (row % 24) as f64).collect(),
        )),
        Some(texts(&["news", "sport", "music"])),
        Some(Column::Numeric(
            (0..rows).map(|row| (row % 10 + 1) as f64).collect(),
        )),
    ]
}

/// A model for [`schema`]; a different `intercept` gives a different version.
pub fn model(intercept: f64) -> Model {
    build(&schema(), training_columns(240), intercept)
}

/// A model with `width` numeric inputs, named `x0`, `x1`, …
pub fn numeric_model(width: usize, intercept: f64) -> Model {
    let inputs: Vec<Input> = (0..width)
        .map(|at| Input::candidate(format!("x{at}"), Kind::Numeric))
        .collect();
    let features = inputs
        .iter()
        .map(|input| Feature::of_input(&input.name))
        .collect();
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES).unwrap();
    let column = |at: usize| {
        Column::Numeric(
            (0..200)
                .map(|row| (row * (at + 3) * 31 % 97) as f64 / 97.0)
                .collect(),
        )
    };
    build(
        &schema,
        (0..width).map(|at| Some(column(at))).collect(),
        intercept,
    )
}

fn build(schema: &Schema, columns: Vec<Option<Column<'_>>>, intercept: f64) -> Model {
    let rows = columns[0].as_ref().unwrap().rows();
    let batch = Batch::new(schema, rows, columns).unwrap();
    let labels: Vec<bool> = (0..rows).map(|row| row * 5 % 7 < 3).collect();
    let folds: Vec<u32> = (0..rows).map(|row| (row % 5) as u32).collect();
    let (encoders, _) = fit_encoders(schema, &batch, &labels, &folds).unwrap();
    let coefficients = (0..encoders.width())
        .map(|at| ((at * 7 % 11) as f64 - 5.0) / 20.0)
        .collect();
    Model::new(ModelParts {
        objective: MODEL.to_owned(),
        encoders,
        coefficients,
        intercept,
        prior_correction: None,
        calibrator: Calibrator::Platt {
            slope: 0.9,
            intercept: 0.1,
        },
    })
    .unwrap()
}

/// Writes a version of the model `name` into the repository; `LATEST` then names it.
pub fn save(repository: &Path, name: &str, model: Model) -> Artefact {
    Artefact::save(
        model,
        Report::default(),
        "# A test's model\n",
        &repository.join(name),
    )
    .unwrap()
}

/// The columns of [`request`].
pub fn columns() -> Vec<Option<Column<'static>>> {
    let texts = |values: &[&'static str]| {
        Column::Text(values.iter().map(|&value| Cow::Borrowed(value)).collect())
    };
    let list = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>();
    vec![
        Some(Column::Numeric(VIEWS.to_vec())),
        Some(texts(&TITLES)),
        Some(texts(&CATEGORIES)),
        Some(Column::Vector {
            dim: 3,
            values: embedding(),
        }),
        Some(Column::List(vec![
            list(&["a"]),
            list(&[]),
            list(&["b", "c"]),
            list(&["new"]),
            list(&[]),
        ])),
        Some(Column::Numeric(vec![1.0, 0.0, 1.0, 0.0, 1.0])),
        Some(Column::Numeric(vec![13.0])),
        Some(texts(&["music"])),
        None,
    ]
}

fn embedding() -> Vec<f32> {
    (0..15).map(|at| at as f32 / 7.0).collect()
}

/// The probabilities of a model for [`columns`], computed without a server.
pub fn expected(model: &Model) -> Vec<f32> {
    let batch = Batch::new(model.schema(), 5, columns()).unwrap();
    model
        .score(&batch)
        .unwrap()
        .probabilities
        .iter()
        .map(|&p| p as f32)
        .collect()
}

/// A request with five candidates as raw tensors, a context of one row, and no position.
pub fn request() -> ModelInferRequest {
    let mut request = ModelInferRequest {
        model_name: MODEL.to_owned(),
        id: "r-1".to_owned(),
        ..Default::default()
    };
    put(
        &mut request,
        "views",
        Datatype::Fp64,
        &[5],
        encode_f64(&VIEWS),
    );
    put(
        &mut request,
        "title",
        Datatype::Bytes,
        &[5, 1],
        encode_strings(TITLES),
    );
    put(
        &mut request,
        "category",
        Datatype::Bytes,
        &[5],
        encode_strings(CATEGORIES),
    );
    put(
        &mut request,
        "embedding",
        Datatype::Fp32,
        &[5, 3],
        encode_f32(&embedding()),
    );
    let tags = ["[\"a\"]", "[]", "[\"b\", \"c\"]", "[\"new\"]", ""];
    put(
        &mut request,
        "tags",
        Datatype::Bytes,
        &[5],
        encode_strings(tags),
    );
    put(
        &mut request,
        "verified",
        Datatype::Bool,
        &[5],
        encode_bool(&[true, false, true, false, true]),
    );
    put(
        &mut request,
        "hour",
        Datatype::Fp32,
        &[1],
        encode_f32(&[13.0]),
    );
    put(
        &mut request,
        "favourite",
        Datatype::Bytes,
        &[1, 1],
        encode_strings(["music"]),
    );
    request
}

/// The same request with typed contents.
pub fn typed_request() -> ModelInferRequest {
    let raw = request();
    let views = counterweight_tensor::views(&raw.inputs, &raw.raw_input_contents).unwrap();
    let inputs = raw.inputs.iter().zip(&views).map(|(input, view)| {
        let mut contents = InferTensorContents::default();
        match view.datatype {
            Datatype::Fp64 => contents.fp64_contents = view.to_f64().unwrap(),
            Datatype::Fp32 => contents.fp32_contents = view.to_f32().unwrap(),
            Datatype::Bool => {
                contents.bool_contents = view
                    .to_f64()
                    .unwrap()
                    .iter()
                    .map(|&value| value == 1.0)
                    .collect();
            }
            _ => {
                contents.bytes_contents = view
                    .to_strings()
                    .unwrap()
                    .iter()
                    .map(|s| Bytes::from(s.to_string()))
                    .collect();
            }
        }
        InferInputTensor {
            contents: Some(contents),
            ..input.clone()
        }
    });
    ModelInferRequest {
        inputs: inputs.collect(),
        raw_input_contents: Vec::new(),
        ..raw.clone()
    }
}

/// Adds a raw tensor, or replaces the one with this name.
pub fn put(
    request: &mut ModelInferRequest,
    name: &str,
    datatype: Datatype,
    shape: &[usize],
    raw: Bytes,
) {
    remove(request, name);
    request.inputs.push(tensor(name, datatype, shape));
    request.raw_input_contents.push(raw);
}

pub fn remove(request: &mut ModelInferRequest, name: &str) {
    if let Some(at) = request.inputs.iter().position(|input| input.name == name) {
        request.inputs.remove(at);
        request.raw_input_contents.remove(at);
    }
}

/// The values of a raw FP32 output.
pub fn raw_output(response: &ModelInferResponse, name: &str) -> Vec<f32> {
    let at = response
        .outputs
        .iter()
        .position(|output| output.name == name)
        .unwrap();
    let bytes = &response.raw_output_contents[at];
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&chunk| f32::from_le_bytes(chunk))
        .collect()
}

/// The reason and the field of the `ErrorInfo` of a status.
pub fn info(status: &Status) -> (String, String) {
    let info = status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "counterweight");
    (
        info.reason,
        info.metadata.get("field").cloned().unwrap_or_default(),
    )
}

/// A running model server, which stops when it is dropped.
pub struct Running {
    pub repository: TempDir,
    pub server: counterweight_test_support::Running<ModelServerError>,
}

impl Running {
    /// Serves `repository`, with the settings that `adjust` changes.
    pub async fn start(repository: TempDir, adjust: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::new(repository.path());
        config.poll_interval = Duration::from_millis(20);
        adjust(&mut config);
        let start = |listeners, shutdown| serve(config, listeners, shutdown);
        let server = Self {
            repository,
            server: counterweight_test_support::Running::start(start).await,
        };
        // The socket is bound before the models are loaded, so wait for the first answer.
        let mut client = server.client().await;
        client.server_live(ServerLiveRequest {}).await.unwrap();
        server
    }

    /// Serves one version of one model.
    pub async fn with_model(model: Model) -> (Self, Artefact) {
        let repository = tempfile::tempdir().unwrap();
        let artefact = save(repository.path(), MODEL, model);
        (Self::start(repository, |_| {}).await, artefact)
    }

    pub async fn channel(&self) -> Channel {
        self.server.channel().await
    }

    pub async fn client(&self) -> Client {
        Client::new(self.channel().await).max_encoding_message_size(1 << 30)
    }

    /// The answer for `path` on the metrics listener.
    pub async fn http(&self, path: &str) -> String {
        self.server.http(path).await
    }
}
