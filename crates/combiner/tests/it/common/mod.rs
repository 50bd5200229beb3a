//! What the tests share: a model server with a chosen behaviour, a combiner on port 0, and requests to
//! it.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses a part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

pub mod audience;
pub mod log;
pub mod replay;
pub mod weights;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use counterweight_clock::{Clock, SystemClock};
use counterweight_combiner::{CombinerError, Config, serve};
use counterweight_proto::{
    counterweight::v1::{
        RankRequest, RankResponse, ranking_service_client::RankingServiceClient,
        weights_service_client::WeightsServiceClient,
    },
    inference::{
        InferParameter, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
        ModelMetadataResponse, infer_parameter::ParameterChoice,
        model_infer_request::InferInputTensor, model_infer_response::InferOutputTensor,
        model_metadata_response::TensorMetadata,
    },
};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, tensor, views};
use counterweight_test_support::{FakeModel, Running, eventually, inference_service};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_types::StatusExt as _;

/// How a fake model answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// The first column of its first input is the probability.
    Normal,
    /// As normal, after a while.
    Slow(Duration),
    /// Nothing, until another mode is set: then it answers in that one.
    Silent,
    /// One row too few.
    Short,
    /// NaN for the last candidate.
    Nan,
    /// 1.5 for the last candidate.
    OutOfRange,
    /// A status.
    Status(tonic::Code),
    /// A status with these words.
    Says(tonic::Code, &'static str),
    /// UNAVAILABLE every second time.
    Flapping,
    /// `predict_proba` FP64 [n, 2] of one packed tensor: the last column of the input is the
    /// probability.
    PredictProba,
}

/// What a fake model is and has seen.
#[derive(Debug)]
pub struct State {
    mode: watch::Sender<Mode>,
    pub version: Mutex<String>,
    /// Versions that are loaded beside it.
    pub also: Mutex<Vec<String>>,
    /// name, datatype, side, optional
    pub inputs: Mutex<Vec<(String, &'static str, &'static str, bool)>>,
    pub seen: Mutex<Vec<(ModelInferRequest, MetadataMap)>>,
    pub calls: AtomicUsize,
    pub metadata_calls: AtomicUsize,
    /// Inference calls that were answered, and those that were broken off before.
    pub answered: AtomicUsize,
    pub broken_off: AtomicUsize,
}

impl State {
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Serves another version by default; the one before stays loaded or not.
    pub fn replace(&self, version: &str, keep: bool) {
        let before = std::mem::replace(&mut *self.version.lock().unwrap(), version.to_owned());
        if keep {
            self.also.lock().unwrap().push(before);
        }
    }

    /// The version that answers when this one is asked for; empty asks for the default.
    fn answering(&self, asked: &str) -> Result<String, Status> {
        let default = self.version.lock().unwrap().clone();
        if asked.is_empty() || asked == default {
            return Ok(default);
        }
        if self.also.lock().unwrap().iter().any(|also| also == asked) {
            return Ok(asked.to_owned());
        }
        Err(Status::not_found(format!("version {asked} is not loaded")))
    }

    pub fn last(&self) -> (ModelInferRequest, MetadataMap) {
        self.seen
            .lock()
            .unwrap()
            .last()
            .cloned()
            .expect("the model was called")
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn metadata_calls(&self) -> usize {
        self.metadata_calls.load(Ordering::SeqCst)
    }

    /// Waits until it was called so many times.
    pub async fn called(&self, times: usize) {
        eventually("the model is called", async || self.calls() >= times).await;
    }
}

/// A running fake model server, on its own runtime so that it dies with all its connections.
pub struct Model {
    pub state: Arc<State>,
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Model {
    /// Serves a model that takes `input` (required) on its own port.
    pub fn start(input: &str) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), input)
    }

    /// The same on a given port.
    pub fn on(address: SocketAddr, input: &str) -> Self {
        Self::behind(std::net::TcpListener::bind(address).unwrap(), input)
    }

    /// The same on a socket that listens.
    pub fn behind(listener: std::net::TcpListener, input: &str) -> Self {
        let state = Arc::new(State {
            mode: watch::Sender::new(Mode::Normal),
            version: Mutex::new("v1".to_owned()),
            also: Mutex::new(Vec::new()),
            inputs: Mutex::new(vec![(input.to_owned(), "FP32", "candidate", false)]),
            seen: Mutex::new(Vec::new()),
            calls: AtomicUsize::new(0),
            metadata_calls: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            broken_off: AtomicUsize::new(0),
        });
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let service = inference_service(Fake(Arc::clone(&state)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(TcpListener::from_std(listener).unwrap())
                .with_nodelay(Some(true));
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self {
            state,
            address,
            runtime: Some(runtime),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops at once, as a kill does.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Debug)]
struct Fake(Arc<State>);

/// Notes how a call ends: when it is broken off, its handler is dropped.
struct Ending<'a>(&'a State, bool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let counted = match self.1 {
            true => &self.0.answered,
            false => &self.0.broken_off,
        };
        counted.fetch_add(1, Ordering::SeqCst);
    }
}

fn parameter(choice: ParameterChoice) -> InferParameter {
    InferParameter {
        parameter_choice: Some(choice),
    }
}

#[tonic::async_trait]
impl FakeModel for Fake {
    async fn metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        self.0.metadata_calls.fetch_add(1, Ordering::SeqCst);
        let request = request.into_inner();
        let version = self.0.answering(&request.version)?;
        let inputs = self.0.inputs.lock().unwrap().clone();
        let list = inputs
            .into_iter()
            .map(|(name, datatype, side, optional)| TensorMetadata {
                name,
                datatype: datatype.to_owned(),
                shape: vec![-1],
                parameters: [
                    ("kind", ParameterChoice::StringParam("numeric".into())),
                    ("side", ParameterChoice::StringParam(side.into())),
                    ("optional", ParameterChoice::BoolParam(optional)),
                ]
                .into_iter()
                .map(|(key, choice)| (key.to_owned(), parameter(choice)))
                .collect(),
            });
        Ok(Response::new(ModelMetadataResponse {
            name: request.name,
            versions: match *self.0.mode.borrow() {
                // As MLServer does.
                Mode::PredictProba => Vec::new(),
                _ => vec![version],
            },
            inputs: list.collect(),
            ..Default::default()
        }))
    }

    async fn infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        let call = self.0.calls.fetch_add(1, Ordering::SeqCst);
        let mut ending = Ending(&self.0, false);
        let (metadata, _, message) = request.into_parts();
        self.0
            .seen
            .lock()
            .unwrap()
            .push((message.clone(), metadata));
        let mut modes = self.0.mode.subscribe();
        let mode = *modes.wait_for(|mode| *mode != Mode::Silent).await.unwrap();
        if let Mode::Slow(time) = mode {
            tokio::time::sleep(time).await;
        }
        ending.1 = true;
        match mode {
            Mode::Says(code, text) => return Err(Status::new(code, text)),
            Mode::Status(code) => return Err(Status::new(code, "set to fail")),
            Mode::Flapping if call.is_multiple_of(2) => {
                return Err(Status::unavailable("flapping"));
            }
            _ => {}
        }
        let version = self.0.answering(&message.model_version)?;
        let views = views(&message.inputs, &message.raw_input_contents)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let known = self.0.inputs.lock().unwrap().clone();
        if mode != Mode::PredictProba
            && let Some(view) = views
                .iter()
                .find(|view| !known.iter().any(|(name, ..)| name == view.name))
        {
            return Err(Status::invalid_argument(format!(
                "unknown input {}",
                view.name
            )));
        }
        let first = views
            .first()
            .ok_or_else(|| Status::invalid_argument("no input"))?;
        let width = first.width;
        let values = first
            .to_f64()
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let column = if mode == Mode::PredictProba {
            width - 1
        } else {
            0
        };
        let mut p: Vec<f64> = values.chunks(width).map(|row| row[column]).collect();
        match mode {
            Mode::Short => drop(p.pop()),
            Mode::Nan => *p.last_mut().unwrap() = f64::NAN,
            Mode::OutOfRange => *p.last_mut().unwrap() = 1.5,
            _ => {}
        }
        Ok(Response::new(Self::respond(&message, version, mode, &p)))
    }
}

impl Fake {
    fn respond(
        request: &ModelInferRequest,
        version: String,
        mode: Mode,
        p: &[f64],
    ) -> ModelInferResponse {
        let rows = i64::try_from(p.len()).unwrap();
        let name = request
            .outputs
            .first()
            .map(|output| output.name.clone())
            .unwrap_or_default();
        let (datatype, shape, raw) = if mode == Mode::PredictProba {
            let both: Vec<f64> = p.iter().flat_map(|&p| [1.0 - p, p]).collect();
            ("FP64", vec![rows, 2], encode_f64(&both))
        } else {
            let single: Vec<f32> = p.iter().map(|&p| p as f32).collect();
            ("FP32", vec![rows], encode_f32(&single))
        };
        ModelInferResponse {
            model_name: request.model_name.clone(),
            model_version: version,
            outputs: vec![InferOutputTensor {
                name,
                datatype: datatype.to_owned(),
                shape,
                ..Default::default()
            }],
            raw_output_contents: vec![raw],
            ..Default::default()
        }
    }
}

/// A running combiner.
pub struct Combiner {
    pub address: SocketAddr,
    pub folder: Arc<TempDir>,
    pub server: Running<CombinerError>,
}

impl Combiner {
    /// Serves the configuration (without `[store]`) on its own ports.
    pub async fn start(config: &str) -> Self {
        Self::start_in(config, Arc::new(tempfile::tempdir().unwrap())).await
    }

    pub async fn start_in(config: &str, folder: Arc<TempDir>) -> Self {
        Self::start_with(config, "path = \"weights.log\"", folder).await
    }

    /// The same with these lines in `[store]`.
    pub async fn start_with(config: &str, store: &str, folder: Arc<TempDir>) -> Self {
        Self::start_at(config, store, folder, SystemClock).await
    }

    /// The same by this clock.
    pub async fn start_at(
        config: &str,
        store: &str,
        folder: Arc<TempDir>,
        clock: impl Clock,
    ) -> Self {
        let text = format!("{config}\n[store]\n{store}\n");
        let mut config = Config::parse(&text, "test.toml", folder.path()).unwrap();
        config.clock = Arc::new(clock);
        let server = Running::start(|listeners, shutdown| serve(config, listeners, shutdown)).await;
        Self {
            address: server.address.parse().unwrap(),
            folder,
            server,
        }
    }

    pub async fn channel(&self) -> Channel {
        self.server.channel().await
    }

    pub async fn ranking(&self) -> RankingServiceClient<Channel> {
        RankingServiceClient::new(self.channel().await)
    }

    pub async fn weights(&self) -> WeightsServiceClient<Channel> {
        WeightsServiceClient::new(self.channel().await)
    }

    /// Tells the combiner to stop, without waiting.
    pub fn begin_stop(&mut self) {
        self.server.begin_stop();
    }

    pub async fn stopped(self) -> Result<(), CombinerError> {
        self.server.stopped().await
    }

    /// Stops and gives back the folder with the store.
    pub async fn stop(self) -> Arc<TempDir> {
        self.server.stop().await;
        self.folder
    }

    pub async fn metrics_text(&self) -> String {
        self.server.http("/metrics").await
    }
}

/// The configuration of an objective served by these endpoints.
pub fn objective(name: &str, endpoints: &[String], more: &str) -> String {
    format!(
        "[[objective]]\nname = {name:?}\n[objective.model]\nendpoints = {endpoints:?}\nname = \"m_{name}\"\n{more}\n"
    )
}

pub const PROFILES: &str = r#"
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
[profile.careful]
weights = { engagement = 1.0, engagement_bait = -0.5 }
on_model_failure = "without"
limit = 2
"#;

/// A model may take as long as a loaded machine needs.
const PATIENT: &str = "timeout_ms = 60000";

/// The objectives that two models serve.
pub fn two_objectives(e: &Model, b: &Model) -> String {
    objective("engagement", &[e.url()], PATIENT)
        + &objective("engagement_bait", &[b.url()], PATIENT)
}

/// Two models and the usual profiles; `more` goes to the front.
pub async fn two_models(more: &str) -> (Model, Model, Combiner) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let config = format!("{more}\n{}{PROFILES}", two_objectives(&e, &b));
    let combiner = Combiner::start(&config).await;
    (e, b, combiner)
}

pub fn ids(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("c{i:04}")).collect()
}

/// Candidates whose probabilities of engagement and bait are these.
pub fn request(engagement: &[f32], bait: &[f32]) -> RankRequest {
    let n = engagement.len();
    RankRequest {
        candidate_ids: ids(n),
        inputs: vec![
            tensor("xe", Datatype::Fp32, &[n]),
            tensor("xb", Datatype::Fp32, &[n]),
        ],
        raw_input_contents: vec![encode_f32(engagement), encode_f32(bait)],
        ..Default::default()
    }
}

pub fn push(request: &mut RankRequest, input: InferInputTensor, raw: Bytes) {
    request.inputs.push(input);
    request.raw_input_contents.push(raw);
}

/// Recomputes every score from weights and probabilities, and the order from the scores.
pub fn assert_recomputes(response: &RankResponse) {
    let weights: Vec<f64> = response
        .objectives
        .iter()
        .map(|objective| objective.weight)
        .collect();
    for candidate in &response.candidates {
        assert_eq!(candidate.probabilities.len(), weights.len());
        let mut score = 0.0_f64;
        for ((weight, p), contribution) in weights
            .iter()
            .zip(&candidate.probabilities)
            .zip(&candidate.contributions)
        {
            assert_eq!(contribution.to_bits(), (weight * p + 0.0).to_bits());
            score += contribution;
        }
        assert_eq!(score.to_bits(), candidate.score.to_bits(), "{candidate:?}");
    }
    assert!(response.candidates.windows(2).all(|pair| {
        pair[0].score > pair[1].score || (pair[0].score == pair[1].score && pair[0].id < pair[1].id)
    }));
}

/// The reason and the metadata of an error's `google.rpc.ErrorInfo`.
pub fn info(status: &Status) -> (String, std::collections::HashMap<String, String>) {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "counterweight");
    (info.reason.clone(), info.metadata.clone())
}
