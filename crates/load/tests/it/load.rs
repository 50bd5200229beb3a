//! Load runs against a test server, so that the report can be compared with what the server did.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)] // test helpers

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use counterweight_load::{
    Contents, InferWorkload, LoadError, Mode, Options, RankWorkload, Report, TensorSpec, Workload,
    run,
};
use counterweight_proto::{
    counterweight::v1::{
        DescribeRankingRequest, DescribeRankingResponse, FeatureDescription, RankRequest,
        RankResponse, RankedCandidate, ReadLogRequest, ReadLogResponse,
        ranking_service_server::{RankingService, RankingServiceServer},
    },
    inference::{
        InferParameter, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
        ModelMetadataResponse, infer_parameter::ParameterChoice,
        model_infer_response::InferOutputTensor, model_metadata_response::TensorMetadata,
    },
};
use counterweight_test_support::{FakeModel, inference_service};
use tokio::{join, time::Instant};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// How the test server deviates from answering normally.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// From this request on, answers are delayed by this duration.
    Stall(u64, Duration),
    /// Of each ten requests, three are refused and one is unavailable.
    Refusals,
    /// Only the first request is answered.
    Silence,
    /// Every request is refused.
    Always,
    /// Answers have no content.
    Hollow,
}

#[derive(Debug, Clone)]
struct Fake {
    fault: Fault,
    seen: Arc<AtomicU64>,
    stalled_until: Arc<Mutex<Option<Instant>>>,
    last: Arc<Mutex<Option<ModelInferRequest>>>,
}

impl Fake {
    async fn misbehave(&self) -> Result<(), Status> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::None | Fault::Hollow => {}
            Fault::Stall(from, length) => {
                let until = {
                    let mut until = self.stalled_until.lock().unwrap();
                    if number == from {
                        *until = Some(Instant::now() + length);
                    }
                    *until
                };
                if let Some(until) = until {
                    tokio::time::sleep_until(until).await;
                }
            }
            Fault::Refusals => match number % 10 {
                3..=5 => return Err(Status::resource_exhausted("busy")),
                7 => return Err(Status::unavailable("gone")),
                _ => {}
            },
            Fault::Silence if number > 0 => pending().await,
            Fault::Silence => {}
            Fault::Always => return Err(Status::invalid_argument("send feature \"views\"")),
        }
        Ok(())
    }
}

fn string(text: &str) -> InferParameter {
    InferParameter {
        parameter_choice: Some(ParameterChoice::StringParam(text.into())),
    }
}

#[tonic::async_trait]
impl FakeModel for Fake {
    async fn metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Result<Response<ModelMetadataResponse>, Status> {
        if request.into_inner().name != "bait" {
            return Err(Status::not_found("no such model"));
        }
        let tensor =
            |name: &str, datatype: &str, shape: &[i64], kind: &str, side: &str| TensorMetadata {
                name: name.into(),
                datatype: datatype.into(),
                shape: shape.to_vec(),
                parameters: [("kind", kind), ("side", side)]
                    .map(|(key, value)| (key.to_owned(), string(value)))
                    .into(),
            };
        Ok(Response::new(ModelMetadataResponse {
            name: "bait".into(),
            inputs: vec![
                tensor("title", "BYTES", &[-1], "text", "candidate"),
                tensor("views", "FP64", &[-1, 1], "numeric", "candidate"),
                tensor("user", "FP32", &[-1, 8], "vector", "context"),
            ],
            ..ModelMetadataResponse::default()
        }))
    }

    async fn infer(
        &self,
        request: Request<ModelInferRequest>,
    ) -> Result<Response<ModelInferResponse>, Status> {
        *self.last.lock().unwrap() = Some(request.into_inner());
        self.misbehave().await?;
        let outputs = (self.fault != Fault::Hollow).then(|| InferOutputTensor {
            name: "probability".into(),
            ..InferOutputTensor::default()
        });
        Ok(Response::new(ModelInferResponse {
            outputs: outputs.into_iter().collect(),
            raw_output_contents: vec![Bytes::from(vec![0; 400])],
            ..ModelInferResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl RankingService for Fake {
    async fn rank(&self, request: Request<RankRequest>) -> Result<Response<RankResponse>, Status> {
        self.misbehave().await?;
        let request = request.into_inner();
        let views = counterweight_tensor::views(&request.inputs, &request.raw_input_contents)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let shapes: Vec<_> = views
            .iter()
            .map(|view| (view.name, (view.rows, view.width)))
            .collect();
        let rows = request.candidate_ids.len();
        if shapes != [("score", (rows, 1)), ("hour", (1, 1))] {
            return Err(Status::invalid_argument(format!("{shapes:?}")));
        }
        let limit = if request.limit == 0 {
            rows
        } else {
            request.limit as usize
        };
        let ranked = request.candidate_ids.into_iter().take(limit);
        Ok(Response::new(RankResponse {
            candidates: ranked
                .map(|id| RankedCandidate {
                    id,
                    ..RankedCandidate::default()
                })
                .collect(),
            ..RankResponse::default()
        }))
    }

    async fn describe_ranking(
        &self,
        _: Request<DescribeRankingRequest>,
    ) -> Result<Response<DescribeRankingResponse>, Status> {
        let feature = |name: &str, side: &str| FeatureDescription {
            name: name.into(),
            datatype: "FP64".into(),
            shape: vec![-1],
            side: side.into(),
            ..FeatureDescription::default()
        };
        Ok(Response::new(DescribeRankingResponse {
            features: vec![feature("score", "candidate"), feature("hour", "context")],
            ..DescribeRankingResponse::default()
        }))
    }

    type ReadLogStream = tokio_stream::Empty<Result<ReadLogResponse, Status>>;

    async fn read_log(
        &self,
        _: Request<ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn serve(fault: Fault) -> (SocketAddr, Fake) {
    let fake = Fake {
        fault,
        seen: Arc::default(),
        stalled_until: Arc::default(),
        last: Arc::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Server::builder()
        .add_service(inference_service(fake.clone()))
        .add_service(RankingServiceServer::new(fake.clone()));
    tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
    (address, fake)
}

fn infer() -> InferWorkload {
    InferWorkload {
        model: "bait".into(),
        version: String::new(),
        rows: 20,
        contents: Contents::Raw,
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

fn rank(limit: u32) -> Workload {
    Workload::Rank(RankWorkload {
        profile: String::new(),
        candidates: 30,
        limit,
        contents: Contents::Typed,
        inputs: Vec::new(),
    })
}

fn options(address: SocketAddr, workload: Workload, mode: Mode, seconds: f64) -> Options {
    Options {
        mode,
        seconds,
        warm_up_seconds: 0.0,
        ..Options::new(address.to_string(), workload)
    }
}

async fn load(options: &Options) -> Report {
    run(options, |_| {}).await.unwrap()
}

const STALL: Duration = Duration::from_millis(300);

/// At 1000 arrivals per second, a stall of 300 ms delays all requests that arrive in its first
/// 200 ms by at least 100 ms. A slow test machine can only increase latencies, so it cannot reduce
/// this count. A generator that waits for answers, or counts from the actual send time, finds only
/// a handful.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_loop_counts_a_stall_in_every_request_that_arrived_during_it() {
    let (address, _) = serve(Fault::Stall(100, STALL)).await;
    let workload = Workload::Infer(infer());
    let report = load(&options(
        address,
        workload,
        Mode::Open { rate: 1000.0 },
        1.0,
    ))
    .await;
    assert_eq!(report.requests, 1000, "{report:?}");
    assert_eq!(report.failed(), 0, "{report:?}");
    let latency = report.latency.unwrap();
    // 200 of 1000 requests take at least 100 ms. The slowest 100 arrive in the first 100 ms of the
    // stall, so they take at least 200 ms, and the 90th percentile is near 200 ms.
    assert!(latency.p90_ms >= 180.0, "{latency:?}");
    assert!(latency.max_ms >= 290.0, "{latency:?}");
    assert!(report.send_lag.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_counts_a_stall_once_per_request_in_flight() {
    let (address, fake) = serve(Fault::Stall(10, STALL)).await;
    let workload = Workload::Infer(infer());
    let report = load(&options(
        address,
        workload,
        Mode::Closed { concurrency: 2 },
        1.0,
    ))
    .await;
    let latency = report.latency.unwrap();
    assert!(latency.max_ms >= 290.0, "{latency:?}");
    assert!(report.send_lag.is_none());
    // The request before the run is not counted; every other request is.
    assert_eq!(report.requests, fake.seen.load(Ordering::SeqCst) - 1);
    assert!(report.requests > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_counted_by_code_and_do_not_change_the_latencies() {
    for mode in [Mode::Closed { concurrency: 1 }, Mode::Open { rate: 500.0 }] {
        let (address, fake) = serve(Fault::Refusals).await;
        let workload = Workload::Infer(infer());
        let report = load(&options(address, workload, mode, 0.5)).await;
        // One request was sent before the run.
        assert_eq!(report.requests + 1, fake.seen.load(Ordering::SeqCst));
        let expected = |from: u64, to: u64| {
            (1..=report.requests)
                .filter(|number| (from..to).contains(&(number % 10)))
                .count() as u64
        };
        assert_eq!(report.errors["RESOURCE_EXHAUSTED"], expected(3, 6));
        assert_eq!(report.errors["UNAVAILABLE"], expected(7, 8));
        assert_eq!(report.errors.len(), 2);
        let answered = report.requests - report.failed();
        assert!((report.throughput * report.seconds - answered as f64).abs() < 0.5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_an_answer_is_deadline_exceeded_and_the_run_ends() {
    let check = async |mode, expected| {
        let (address, _) = serve(Fault::Silence).await;
        let mut options = options(address, Workload::Infer(infer()), mode, 0.2);
        options.timeout = Duration::from_secs(1);
        let report = load(&options).await;
        assert_eq!(report.errors["DEADLINE_EXCEEDED"], expected, "{report:?}");
        assert_eq!(report.requests, expected, "{report:?}");
        assert_eq!(report.latency, None);
    };
    join!(
        check(Mode::Closed { concurrency: 3 }, 3),
        check(Mode::Open { rate: 100.0 }, 20)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_follow_the_model_metadata() {
    let (address, fake) = serve(Fault::None).await;
    let mut workload = infer();
    workload.outputs = vec!["probability".into()];
    let mode = Mode::Closed { concurrency: 4 };
    let mut run_options = options(address, Workload::Infer(workload), mode, 0.1);
    run_options.channels = 2;
    let report = load(&run_options).await;
    assert_eq!((report.failed(), report.channels), (0, 2));
    assert!(report.answer_bytes > 400 && report.request_bytes > 20 * 8);
    let request = fake.last.lock().unwrap().clone().unwrap();
    let views = counterweight_tensor::views(&request.inputs, &request.raw_input_contents).unwrap();
    let found: Vec<_> = views
        .iter()
        .map(|view| (view.name, (view.rows, view.width)))
        .collect();
    assert_eq!(
        found,
        [("title", (20, 1)), ("views", (20, 1)), ("user", (1, 8))]
    );
    assert_eq!(request.outputs[0].name, "probability");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packed_input_is_sent_as_given() {
    let (address, fake) = serve(Fault::None).await;
    let mut workload = infer();
    workload.model = "model without metadata".into();
    workload.rows = 100;
    workload.contents = Contents::Typed;
    workload.inputs = vec![TensorSpec::packed("predict", "FP32", 32)];
    let mode = Mode::Closed { concurrency: 1 };
    load(&options(address, Workload::Infer(workload), mode, 0.05)).await;
    let request = fake.last.lock().unwrap().clone().unwrap();
    assert_eq!(request.inputs[0].shape, [100, 32]);
    assert!(request.raw_input_contents.is_empty());
    let contents = request.inputs[0].contents.as_ref().unwrap();
    assert_eq!(contents.fp32_contents.len(), 3200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rank_requests_follow_the_description_and_warm_up_is_not_counted() {
    let (address, fake) = serve(Fault::None).await;
    let mut run_options = options(address, rank(10), Mode::Open { rate: 200.0 }, 0.5);
    run_options.warm_up_seconds = 0.2;
    let mut last = None;
    let report = run(&run_options, |progress| last = Some(progress))
        .await
        .unwrap();
    assert_eq!((report.requests, report.failed()), (100, 0), "{report:?}");
    assert_eq!(fake.seen.load(Ordering::SeqCst), 1 + 40 + 100);
    let last = last.unwrap();
    assert_eq!(
        (last.answered, last.failed, last.warming_up),
        (100, 0, false)
    );
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_start_says_why() {
    let mode = Mode::Closed { concurrency: 1 };
    let fails = async |options: &Options, words: &[&str]| {
        let error = run(options, |_| {}).await.unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    };
    let (address, _) = serve(Fault::Always).await;
    let refused = options(address, rank(0), mode, 0.1);
    fails(
        &refused,
        &["INVALID_ARGUMENT", "views", &address.to_string()],
    )
    .await;

    let (address, _) = serve(Fault::Hollow).await;
    fails(
        &options(address, Workload::Infer(infer()), mode, 0.1),
        &["no output"],
    )
    .await;
    let mut unknown = infer();
    unknown.model = "other".into();
    let unknown = options(address, Workload::Infer(unknown), mode, 0.1);
    fails(&unknown, &["ModelMetadata", "NOT_FOUND", "no such model"]).await;

    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = options(closed, rank(0), mode, 0.1);
    fails(&nobody, &[&closed.to_string(), "refused", "running"]).await;
    for address in ["https://127.0.0.1:1", "not an address"] {
        let mut bad = nobody.clone();
        bad.address = address.into();
        fails(&bad, &[address, "HOST:PORT"]).await;
    }
}

#[tokio::test]
async fn options_out_of_range_are_named() {
    let base = options(
        ([127, 0, 0, 1], 1).into(),
        rank(0),
        Mode::Closed { concurrency: 1 },
        1.0,
    );
    let mut bad: Vec<(&str, Options)> = Vec::new();
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        bad.push((
            "seconds",
            Options {
                seconds,
                ..base.clone()
            },
        ));
    }
    for warm_up_seconds in [-1.0, f64::NAN] {
        bad.push((
            "warm_up_seconds",
            Options {
                warm_up_seconds,
                ..base.clone()
            },
        ));
    }
    for rate in [0.0, f64::NAN, f64::INFINITY] {
        bad.push((
            "rate",
            Options {
                mode: Mode::Open { rate },
                ..base.clone()
            },
        ));
    }
    let mode = Mode::Closed { concurrency: 0 };
    bad.push((
        "concurrency",
        Options {
            mode,
            ..base.clone()
        },
    ));
    bad.push((
        "channels",
        Options {
            channels: 0,
            ..base.clone()
        },
    ));
    bad.push((
        "timeout",
        Options {
            timeout: Duration::ZERO,
            ..base.clone()
        },
    ));
    let workload = Workload::Infer(InferWorkload { rows: 0, ..infer() });
    bad.push((
        "rows",
        Options {
            workload,
            ..base.clone()
        },
    ));
    for (name, options) in bad {
        match run(&options, |_| {}).await {
            Err(LoadError::Option { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}
