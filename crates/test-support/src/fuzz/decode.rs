//! The path that bytes take before any method acts on them: the message, and the views of its
//! tensors.

use bytes::Bytes;
use counterweight_proto::{
    counterweight::v1::{
        DescribeRankingRequest, ExplainWeightsRequest, GetRevisionRequest, GetWeightsRequest,
        KillWeightsRequest, ListRevisionsRequest, PreviewWeightsRequest, RankRequest,
        ReadLogRequest, RollbackWeightsRequest, SetWeightsRequest, SkipEntryRequest,
        SolveWeightsRequest, StartRampRequest, StopRampRequest, VerifyWeightsRequest,
        WatchWeightsRequest, WriteEventsRequest,
    },
    inference::{
        ModelConfigRequest, ModelInferRequest, ModelMetadataRequest, ModelReadyRequest,
        ModelStatisticsRequest, RepositoryIndexRequest, RepositoryModelLoadRequest,
        RepositoryModelUnloadRequest, ServerLiveRequest, ServerMetadataRequest, ServerReadyRequest,
        model_infer_request::InferInputTensor,
    },
};
use counterweight_tensor::views;
use prost::{Message, Name};

use super::methods::Method;

/// Decodes what a method is sent as its server does. True where it is a message.
///
/// # Panics
/// A decoder has a bug, or the method is not in the list of decoders.
#[must_use]
pub fn decode(method: &Method, bytes: Bytes) -> bool {
    let name = method.input.full_name();
    let decoder = DECODERS.iter().find(|(own, _)| own() == name);
    let (_, decode) = decoder.unwrap_or_else(|| panic!("no decoder of {name}; add one"));
    decode(bytes)
}

type Decoder = (fn() -> String, fn(Bytes) -> bool);

const DECODERS: &[Decoder] = &[
    (RankRequest::full_name, rank),
    (ModelInferRequest::full_name, infer),
    plain::<DescribeRankingRequest>(),
    plain::<ExplainWeightsRequest>(),
    plain::<GetRevisionRequest>(),
    plain::<GetWeightsRequest>(),
    plain::<KillWeightsRequest>(),
    plain::<ListRevisionsRequest>(),
    plain::<PreviewWeightsRequest>(),
    plain::<ReadLogRequest>(),
    plain::<RollbackWeightsRequest>(),
    plain::<SetWeightsRequest>(),
    plain::<SkipEntryRequest>(),
    plain::<SolveWeightsRequest>(),
    plain::<StartRampRequest>(),
    plain::<StopRampRequest>(),
    plain::<VerifyWeightsRequest>(),
    plain::<WatchWeightsRequest>(),
    plain::<WriteEventsRequest>(),
    plain::<ModelConfigRequest>(),
    plain::<ModelMetadataRequest>(),
    plain::<ModelReadyRequest>(),
    plain::<ModelStatisticsRequest>(),
    plain::<RepositoryIndexRequest>(),
    plain::<RepositoryModelLoadRequest>(),
    plain::<RepositoryModelUnloadRequest>(),
    plain::<ServerLiveRequest>(),
    plain::<ServerMetadataRequest>(),
    plain::<ServerReadyRequest>(),
];

const fn plain<M: Message + Name + Default>() -> Decoder {
    (M::full_name, |bytes| M::decode(bytes).is_ok())
}

fn rank(bytes: Bytes) -> bool {
    let request = RankRequest::decode(bytes);
    request.is_ok_and(|request| read(&request.inputs, &request.raw_input_contents))
}

fn infer(bytes: Bytes) -> bool {
    let request = ModelInferRequest::decode(bytes);
    request.is_ok_and(|request| read(&request.inputs, &request.raw_input_contents))
}

/// Reads every tensor in every way. A tensor that is wrong is an error there and not here.
fn read(inputs: &[InferInputTensor], raw: &[Bytes]) -> bool {
    for view in views(inputs, raw).iter().flatten() {
        let lengths = [
            view.to_f64().map(|values| values.len()),
            view.to_f32().map(|values| values.len()),
            view.to_strings().map(|values| values.len()),
        ];
        for length in lengths.into_iter().flatten() {
            assert_eq!(length, view.elements());
        }
    }
    true
}
