//! Builds and encodes the requests of a run, and checks with a first request that the server
//! answers them.

use std::time::Duration;

use bytes::Bytes;
use counterweight_proto::{
    code_name,
    counterweight::v1::{
        DescribeRankingRequest, RankRequest, RankResponse,
        ranking_service_client::RankingServiceClient,
    },
    inference::{
        InferParameter, ModelInferRequest, ModelInferResponse, ModelMetadataRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
        infer_parameter::ParameterChoice, model_infer_request::InferRequestedOutputTensor,
    },
};
use http::uri::PathAndQuery;
use prost::Message as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tonic::{Request, Status, transport::Channel};

use crate::{
    InferWorkload, LoadError, Options, RankWorkload, TensorSpec, Workload,
    inputs::fill,
    wire::{Caller, connect},
};

/// Number of different requests, which are sent in turn so that caches do not see equal bytes.
const DIFFERENT_REQUESTS: usize = 16;

/// Everything that a run sends, prepared before it starts.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// One per connection.
    pub(crate) callers: Vec<Caller>,
    /// Encoded requests.
    pub(crate) messages: Vec<Bytes>,
    /// The gRPC method's path.
    pub(crate) method: &'static str,
}

impl Prepared {
    /// Mean size of a request in bytes.
    pub(crate) fn request_bytes(&self) -> u64 {
        let sum: usize = self.messages.iter().map(Bytes::len).sum();
        (sum / self.messages.len()) as u64
    }
}

/// Connects, asks the server for its inputs if the options do not name them, encodes the requests
/// and tries the first one on each connection.
pub(crate) async fn prepare(options: &Options) -> Result<Prepared, LoadError> {
    let channels = connect(&options.address, options.channels).await?;
    let specs = specs(options, &channels[0]).await?;
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let messages = (0..DIFFERENT_REQUESTS)
        .map(|_| encode(&options.workload, &specs, &mut rng))
        .collect::<Result<Vec<Bytes>, LoadError>>()?;
    let method = match options.workload {
        Workload::Rank(_) => "/counterweight.v1.RankingService/Rank",
        Workload::Infer(_) => "/inference.GRPCInferenceService/ModelInfer",
    };
    let path = PathAndQuery::from_static(method);
    let mut callers: Vec<Caller> = channels
        .into_iter()
        .map(|channel| Caller::new(channel, path.clone()))
        .collect();
    for caller in &mut callers {
        try_first(options, caller, messages[0].clone()).await?;
    }
    Ok(Prepared {
        callers,
        messages,
        method,
    })
}

async fn specs(options: &Options, channel: &Channel) -> Result<Vec<TensorSpec>, LoadError> {
    let described = match &options.workload {
        Workload::Rank(rank) if rank.inputs.is_empty() => {
            describe_ranking(channel.clone(), options.timeout).await
        }
        Workload::Infer(infer) if infer.inputs.is_empty() => {
            describe_model(channel.clone(), infer, options.timeout).await
        }
        Workload::Rank(RankWorkload { inputs, .. })
        | Workload::Infer(InferWorkload { inputs, .. }) => return Ok(inputs.clone()),
    };
    described.map_err(|(method, status)| LoadError::Describe {
        method,
        address: options.address.clone(),
        code: code_name(status.code()),
        message: status.message().to_owned(),
    })
}

async fn describe_ranking(
    channel: Channel,
    timeout: Duration,
) -> Result<Vec<TensorSpec>, (&'static str, Status)> {
    let mut request = Request::new(DescribeRankingRequest {});
    request.set_timeout(timeout);
    let answer = RankingServiceClient::new(channel)
        .describe_ranking(request)
        .await
        .map_err(|status| ("DescribeRanking", status))?;
    let features = answer.into_inner().features.into_iter();
    Ok(features
        .map(|feature| TensorSpec {
            name: feature.name,
            datatype: feature.datatype,
            shape: feature.shape,
            kind: feature.kind,
            side: feature.side,
            ..TensorSpec::default()
        })
        .collect())
}

async fn describe_model(
    channel: Channel,
    infer: &InferWorkload,
    timeout: Duration,
) -> Result<Vec<TensorSpec>, (&'static str, Status)> {
    let mut request = Request::new(ModelMetadataRequest {
        name: infer.model.clone(),
        version: infer.version.clone(),
    });
    request.set_timeout(timeout);
    let answer = GrpcInferenceServiceClient::new(channel)
        .model_metadata(request)
        .await
        .map_err(|status| ("ModelMetadata", status))?;
    let text = |parameter: Option<&InferParameter>| match parameter
        .and_then(|parameter| parameter.parameter_choice.as_ref())
    {
        Some(ParameterChoice::StringParam(text)) => text.clone(),
        _ => String::new(),
    };
    let inputs = answer.into_inner().inputs.into_iter();
    Ok(inputs
        .map(|input| TensorSpec {
            kind: text(input.parameters.get("kind")),
            side: text(input.parameters.get("side")),
            name: input.name,
            datatype: input.datatype,
            shape: input.shape,
            ..TensorSpec::default()
        })
        .collect())
}

fn encode(
    workload: &Workload,
    specs: &[TensorSpec],
    rng: &mut ChaCha8Rng,
) -> Result<Bytes, LoadError> {
    let message = match workload {
        Workload::Rank(rank) => {
            let inputs = fill(specs, rank.candidates, rank.contents, rng)?;
            let request = RankRequest {
                profile: rank.profile.clone(),
                candidate_ids: (0..rank.candidates).map(|id| format!("c{id:06}")).collect(),
                inputs: inputs.tensors,
                raw_input_contents: inputs.raw,
                limit: rank.limit,
                ..RankRequest::default()
            };
            request.encode_to_vec()
        }
        Workload::Infer(infer) => {
            let inputs = fill(specs, infer.rows, infer.contents, rng)?;
            let outputs = infer.outputs.iter().map(|name| InferRequestedOutputTensor {
                name: name.clone(),
                ..InferRequestedOutputTensor::default()
            });
            let request = ModelInferRequest {
                model_name: infer.model.clone(),
                model_version: infer.version.clone(),
                inputs: inputs.tensors,
                raw_input_contents: inputs.raw,
                outputs: outputs.collect(),
                ..ModelInferRequest::default()
            };
            request.encode_to_vec()
        }
    };
    Ok(message.into())
}

/// Sends the first request, which must succeed with a complete answer: a run in which every request
/// fails measures nothing.
async fn try_first(
    options: &Options,
    caller: &mut Caller,
    message: Bytes,
) -> Result<(), LoadError> {
    let address = options.address.clone();
    let deadline = Instant::now() + options.timeout;
    let answer = match caller.call(message, deadline).await {
        Ok(answer) => answer,
        Err(status) => {
            return Err(LoadError::FirstRequest {
                address,
                code: code_name(status.code()),
                message: status.message().to_owned(),
            });
        }
    };
    check(&options.workload, answer).map_err(|reason| LoadError::Answer { address, reason })
}

fn check(workload: &Workload, answer: Bytes) -> Result<(), String> {
    match workload {
        Workload::Rank(rank) => {
            let answer = RankResponse::decode(answer).map_err(|error| error.to_string())?;
            let expected = match rank.limit as usize {
                0 => rank.candidates,
                limit => limit.min(rank.candidates),
            };
            if answer.candidates.len() != expected {
                let found = answer.candidates.len();
                return Err(format!("it has {found} candidates instead of {expected}"));
            }
        }
        Workload::Infer(_) => {
            let answer = ModelInferResponse::decode(answer).map_err(|error| error.to_string())?;
            if answer.outputs.is_empty() {
                return Err("it has no output tensor".to_owned());
            }
        }
    }
    Ok(())
}
