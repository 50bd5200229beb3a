//! The service `inference.GRPCInferenceService`: every method decodes, calls and encodes.

use std::{collections::HashMap, sync::Arc};

use counterweight_proto::inference::{
    ModelConfigRequest, ModelConfigResponse, ModelInferRequest, ModelInferResponse,
    ModelMetadataRequest, ModelMetadataResponse, ModelReadyRequest, ModelReadyResponse,
    ModelRepositoryParameter, ModelStatisticsRequest, ModelStatisticsResponse,
    RepositoryIndexRequest, RepositoryIndexResponse, RepositoryModelLoadRequest,
    RepositoryModelLoadResponse, RepositoryModelUnloadRequest, RepositoryModelUnloadResponse,
    ServerLiveRequest, ServerLiveResponse, ServerMetadataRequest, ServerMetadataResponse,
    ServerReadyRequest, ServerReadyResponse, grpc_inference_service_server::GrpcInferenceService,
    model_repository_parameter::ParameterChoice, repository_index_response::ModelIndex,
};
use counterweight_serving::{Call, Lifecycle, WorkPool};
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use crate::{
    ModelServerError,
    infer::{self, Bounds},
    loaded::LoadedVersion,
    metadata,
    metrics::Metrics,
    repository::Repository,
    statistics::Steps,
};

/// A request with a longer estimated time is scored on a worker thread, so that health checks are
/// answered at the same time.
const INLINE_NANOSECONDS: usize = 500_000;

/// The inference service.
pub(crate) struct Service {
    pub(crate) repository: Arc<Repository>,
    pub(crate) metrics: Metrics,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) work: WorkPool,
    /// The largest answer, in bytes.
    pub(crate) max_message_bytes: usize,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl GrpcInferenceService for Service {
    async fn server_live(&self, _: Request<ServerLiveRequest>) -> Answer<ServerLiveResponse> {
        Ok(Response::new(ServerLiveResponse { live: true }))
    }

    async fn server_ready(&self, _: Request<ServerReadyRequest>) -> Answer<ServerReadyResponse> {
        let ready = !self.lifecycle.is_draining() && self.repository.snapshot().is_ready();
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
        Ok(Response::new(metadata::server_metadata()))
    }

    async fn model_metadata(
        &self,
        request: Request<ModelMetadataRequest>,
    ) -> Answer<ModelMetadataResponse> {
        let request = request.into_inner();
        let snapshot = self.repository.snapshot();
        let loaded = snapshot.find(&request.name, &request.version)?;
        Ok(Response::new(metadata::model_metadata(
            &loaded,
            snapshot.loaded_versions(&request.name),
        )))
    }

    async fn model_infer(
        &self,
        mut request: Request<ModelInferRequest>,
    ) -> Answer<ModelInferResponse> {
        let call = Call::take_from(&mut request);
        let request = request.into_inner();
        let loaded = self
            .repository
            .find(&request.model_name, &request.model_version)
            .inspect_err(|error| {
                self.metrics.failed("", "", error.code().0);
            })?;
        let outcome = self.score(&loaded, request, &call).await;
        self.record(&loaded, &call, &outcome);
        Ok(Response::new(outcome?.0))
    }

    async fn model_config(
        &self,
        request: Request<ModelConfigRequest>,
    ) -> Answer<ModelConfigResponse> {
        let request = request.into_inner();
        let loaded = self.repository.find(&request.name, &request.version)?;
        Ok(Response::new(ModelConfigResponse {
            config: Some(metadata::model_config(&loaded)),
        }))
    }

    async fn model_statistics(
        &self,
        request: Request<ModelStatisticsRequest>,
    ) -> Answer<ModelStatisticsResponse> {
        let request = request.into_inner();
        let versions = self
            .repository
            .snapshot()
            .matching(&request.name, &request.version)?;
        let report =
            |loaded: &Arc<LoadedVersion>| loaded.statistics.report(&loaded.name, &loaded.version);
        Ok(Response::new(ModelStatisticsResponse {
            model_stats: versions.iter().map(report).collect(),
        }))
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
        spawn_blocking(move || repository.load(&model_name, &version))
            .await
            .map_err(ModelServerError::Task)??;
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
        // Triton's client always sends `unload_dependents`, but these models have no dependents.
        let version = version_parameter(parameters, &["unload_dependents"])?;
        let repository = Arc::clone(&self.repository);
        spawn_blocking(move || repository.unload(&model_name, &version))
            .await
            .map_err(ModelServerError::Task)??;
        Ok(Response::new(RepositoryModelUnloadResponse {}))
    }
}

impl Service {
    /// Scores a quick request on this thread, and any other on a worker thread.
    async fn score(
        &self,
        loaded: &Arc<LoadedVersion>,
        request: ModelInferRequest,
        call: &Call,
    ) -> Result<(ModelInferResponse, Steps), ModelServerError> {
        let max_message_bytes = self.max_message_bytes;
        let is_quick = infer::estimated_nanoseconds(&request) <= INLINE_NANOSECONDS;
        let infer = move |loaded: &LoadedVersion, stop: &dyn Fn() -> bool| {
            let bounds = Bounds {
                max_message_bytes,
                stop,
            };
            infer::infer(loaded, &request, bounds)
        };
        if is_quick {
            // Do not begin if the caller no longer waits for the answer.
            return match call.is_overdue() {
                true => Err(ModelServerError::DeadlineExceeded),
                false => infer(loaded, &|| false),
            };
        }
        let loaded = Arc::clone(loaded);
        let work = move |stop: &dyn Fn() -> bool| infer(&loaded, stop);
        self.work.run(call, work).await?
    }

    fn record(
        &self,
        loaded: &LoadedVersion,
        call: &Call,
        outcome: &Result<(ModelInferResponse, Steps), ModelServerError>,
    ) {
        let elapsed = call.arrived.elapsed();
        loaded.metrics.seconds.observe(elapsed.as_secs_f64());
        match outcome {
            Ok((_, steps)) => {
                loaded.metrics.ok.inc();
                loaded.statistics.answered(elapsed, *steps);
            }
            Err(error) => {
                loaded.statistics.failed(elapsed);
                self.metrics
                    .failed(&loaded.name, &loaded.version, error.code().0);
            }
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            let error = outcome.as_ref().err().map(tracing::field::display);
            tracing::debug!(
                model = loaded.name,
                version = loaded.version,
                ?elapsed,
                trace_id = call.trace.trace_id(),
                error,
                "inference"
            );
        }
    }
}

fn only_repository(name: &str) -> Result<(), ModelServerError> {
    if name.is_empty() {
        return Ok(());
    }
    Err(ModelServerError::Parameter {
        parameter: "repository_name".to_owned(),
        advice: "leave it empty, because the server has only one repository",
    })
}

/// Reads the parameter `version`. Parameters in `ignored` are ignored, and all others are rejected.
fn version_parameter(
    parameters: HashMap<String, ModelRepositoryParameter>,
    ignored: &[&str],
) -> Result<String, ModelServerError> {
    let mut version = String::new();
    for (name, value) in parameters {
        match value.parameter_choice {
            Some(ParameterChoice::StringParam(text)) if name == "version" => version = text,
            _ if ignored.contains(&name.as_str()) => {}
            _ => {
                let advice =
                    "use only the string parameter \"version\" of the repository extension";
                return Err(ModelServerError::Parameter {
                    parameter: name,
                    advice,
                });
            }
        }
    }
    Ok(version)
}
