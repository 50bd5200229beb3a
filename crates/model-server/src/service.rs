//! `inference.GRPCInferenceService`: every method decodes, calls and encodes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use counterweight_proto::inference::{
    ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse,
    ModelReadyRequest, ModelReadyResponse, ModelRepositoryParameter, RepositoryIndexRequest,
    RepositoryIndexResponse, RepositoryModelLoadRequest, RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest, RepositoryModelUnloadResponse, ServerLiveRequest,
    ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse, ServerReadyRequest,
    ServerReadyResponse, grpc_inference_service_server::GrpcInferenceService,
    model_repository_parameter::ParameterChoice, repository_index_response::ModelIndex,
};
use counterweight_telemetry::TraceContext;
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use crate::{
    ModelServerError, admission::Timing, infer, metadata, metrics::Metrics, repository::Repository,
    served::Served,
};

/// Above this a request is scored on a thread of its own, so that health checks are answered meanwhile.
const INLINE_NANOSECONDS: usize = 500_000;

/// The service.
pub(crate) struct Service {
    pub(crate) repository: Arc<Repository>,
    pub(crate) metrics: Metrics,
    pub(crate) draining: Arc<AtomicBool>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Answer<ServerLiveResponse> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Answer<ServerReadyResponse> {
        let ready = !self.draining.load(Ordering::Relaxed) && self.repository.snapshot().is_ready();
        Ok(Response::new(ServerReadyResponse { ready }))
    }

    async fn model_ready(&self, request: Request<ModelReadyRequest>) -> Answer<ModelReadyResponse> {
        let request = request.into_inner();
        let ready = self
            .repository
            .find(&request.name, &request.version)
            .is_ok();
        Ok(Response::new(ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<ServerMetadataRequest>,
    ) -> Answer<ServerMetadataResponse> {
        Ok(Response::new(metadata::of_server()))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Answer<ModelMetadataResponse> {
        let request = request.into_inner();
        let snapshot = self.repository.snapshot();
        let served = snapshot.find(&request.name, &request.version)?;
        Ok(Response::new(metadata::of_model(
            &served,
            snapshot.loaded_versions(&request.name),
        )))
    }

    async fn model_infer(&self, request: Request<ModelInferRequest>) -> Answer<ModelInferResponse> {
        let timing = timing(&request);
        let trace = TraceContext::parse(request.metadata());
        let request = request.into_inner();
        let served = self
            .repository
            .find(&request.model_name, &request.model_version)
            .inspect_err(|error| {
                self.metrics.failed("", "", error.code().0);
            })?;
        let outcome = score(&served, request, timing).await;
        self.record(&served, timing, trace, &outcome);
        Ok(Response::new(outcome?))
    }

    async fn repository_index(
        &self,
        request: Request<RepositoryIndexRequest>,
    ) -> Answer<RepositoryIndexResponse> {
        let request = request.into_inner();
        only_repository(&request.repository_name)?;
        let lines = self
            .repository
            .snapshot()
            .index()
            .into_iter()
            .filter(|line| line.ready || !request.ready);
        let models = lines.map(|line| ModelIndex {
            name: line.model,
            version: line.version,
            state: if line.ready { "READY" } else { "UNAVAILABLE" }.to_owned(),
            reason: line.reason,
        });
        Ok(Response::new(RepositoryIndexResponse {
            models: models.collect(),
        }))
    }

    async fn repository_model_load(
        &self,
        request: Request<RepositoryModelLoadRequest>,
    ) -> Answer<RepositoryModelLoadResponse> {
        let RepositoryModelLoadRequest {
            repository_name,
            model_name,
            parameters,
        } = request.into_inner();
        only_repository(&repository_name)?;
        let version = version_parameter(parameters, &[])?;
        let repository = Arc::clone(&self.repository);
        blocking(move || repository.load(&model_name, &version)).await?;
        Ok(Response::new(RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<RepositoryModelUnloadRequest>,
    ) -> Answer<RepositoryModelUnloadResponse> {
        let RepositoryModelUnloadRequest {
            repository_name,
            model_name,
            parameters,
        } = request.into_inner();
        only_repository(&repository_name)?;
        // Triton's client always sends `unload_dependents`; no model of ours has dependents.
        let version = version_parameter(parameters, &["unload_dependents"])?;
        let repository = Arc::clone(&self.repository);
        blocking(move || repository.unload(&model_name, &version)).await?;
        Ok(Response::new(RepositoryModelUnloadResponse {}))
    }
}

impl Service {
    fn record(
        &self,
        served: &Served,
        timing: Timing,
        trace: Option<TraceContext>,
        outcome: &Result<ModelInferResponse, ModelServerError>,
    ) {
        let elapsed = timing.arrived.elapsed();
        served.metrics.seconds.observe(elapsed.as_secs_f64());
        match outcome {
            Ok(_) => served.metrics.ok.inc(),
            Err(error) => self
                .metrics
                .failed(&served.name, &served.version, error.code().0),
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let error = outcome.as_ref().err().map(tracing::field::display);
            let trace_id = trace.map(|trace| trace.trace_id());
            tracing::debug!(
                model = served.name,
                version = served.version,
                ?elapsed,
                trace_id,
                error,
                "inference"
            );
        }
    }
}

/// Scores here when that is quick, on a blocking thread when it is not.
async fn score(
    served: &Arc<Served>,
    request: ModelInferRequest,
    timing: Timing,
) -> Result<ModelInferResponse, ModelServerError> {
    if infer::estimated_nanoseconds(&request) <= INLINE_NANOSECONDS {
        timing.check()?;
        return infer::infer(served, &request);
    }
    let served = Arc::clone(served);
    blocking(move || {
        timing.check()?;
        infer::infer(&served, &request)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ModelServerError> + Send + 'static,
) -> Result<T, ModelServerError> {
    spawn_blocking(work).await?
}

fn timing<T>(request: &Request<T>) -> Timing {
    request
        .extensions()
        .get()
        .copied()
        .unwrap_or_else(|| Timing {
            arrived: Instant::now(),
            deadline: None,
        })
}

fn only_repository(name: &str) -> Result<(), ModelServerError> {
    if name.is_empty() {
        return Ok(());
    }
    Err(ModelServerError::Parameter {
        parameter: "repository_name".to_owned(),
        advice: "there is one repository; leave the name empty",
    })
}

/// The parameter `version`; any other one that is not to be passed over is refused.
fn version_parameter(
    parameters: HashMap<String, ModelRepositoryParameter>,
    passed_over: &[&str],
) -> Result<String, ModelServerError> {
    let mut version = String::new();
    for (name, value) in parameters {
        match value.parameter_choice {
            Some(ParameterChoice::StringParam(text)) if name == "version" => version = text,
            _ if passed_over.contains(&name.as_str()) => {}
            _ => {
                let advice = "the repository extension takes the string parameter \"version\" only";
                return Err(ModelServerError::Parameter {
                    parameter: name,
                    advice,
                });
            }
        }
    }
    Ok(version)
}
