//! Whatever bytes a caller sends: no panic, and no INTERNAL for a message that can be decoded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use bytes::{Buf, BufMut, Bytes};
use common::{Combiner, PROFILES, weights::bait};
use counterweight_proto::{
    counterweight::v1::{self as pb, RankRequest},
    inference::{InferTensorContents, model_infer_request::InferInputTensor},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use prost::Message;
use tokio::runtime::Runtime;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// A codec that passes bytes on as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// One method: its path, an example of its request, and whether bytes are such a request.
struct Method {
    path: &'static str,
    streams: bool,
    example: Vec<u8>,
    decodes: fn(&[u8]) -> bool,
}

fn method<M: Message + Default>(path: &'static str, example: &M) -> Method {
    Method {
        path,
        streams: path.ends_with("ReadLog") || path.ends_with("WatchWeights"),
        example: example.encode_to_vec(),
        decodes: |bytes| M::decode(bytes).is_ok(),
    }
}

fn methods() -> Vec<Method> {
    let cause = common::weights::cause("why");
    let at = common::weights::at("default");
    let target = common::weights::weights(&[("engagement_bait", -0.25)]);
    let change = common::weights::change("default", &[("engagement_bait", -1.0)], Some(0));
    vec![
        method(
            "/counterweight.v1.RankingService/Rank",
            &common::request(&[0.5, 0.25], &[0.125, 1.0]),
        ),
        method(
            "/counterweight.v1.RankingService/DescribeRanking",
            &pb::DescribeRankingRequest {},
        ),
        method(
            "/counterweight.v1.RankingService/ReadLog",
            &pb::ReadLogRequest {
                profile: "default".into(),
            },
        ),
        method(
            "/counterweight.v1.WeightsService/GetWeights",
            &pb::GetWeightsRequest {
                profile: "default".into(),
            },
        ),
        method(
            "/counterweight.v1.WeightsService/SetWeights",
            &bait(-1.0, None),
        ),
        method(
            "/counterweight.v1.WeightsService/RollbackWeights",
            &pb::RollbackWeightsRequest {
                revision: 0,
                profiles: vec![at.clone()],
                cause: cause.clone(),
                force: true,
            },
        ),
        method(
            "/counterweight.v1.WeightsService/StartRamp",
            &pb::StartRampRequest {
                profile: Some(at.clone()),
                target,
                duration: Some(prost_types::Duration {
                    seconds: 60,
                    nanos: 5,
                }),
                steps: 20,
                cause: cause.clone(),
                force: false,
            },
        ),
        method(
            "/counterweight.v1.WeightsService/StopRamp",
            &pb::StopRampRequest {
                profile: Some(at),
                cause: cause.clone(),
            },
        ),
        method(
            "/counterweight.v1.WeightsService/KillWeights",
            &pb::KillWeightsRequest {
                profile: "default".into(),
                cause,
                local: false,
            },
        ),
        method(
            "/counterweight.v1.WeightsService/ListRevisions",
            &pb::ListRevisionsRequest {
                profile: "default".into(),
                page_size: 3,
                page_token: "7".into(),
            },
        ),
        method(
            "/counterweight.v1.WeightsService/GetRevision",
            &pb::GetRevisionRequest {
                revision: 1,
                ..Default::default()
            },
        ),
        method(
            "/counterweight.v1.WeightsService/VerifyWeights",
            &pb::VerifyWeightsRequest {
                expected_hash: "0a".repeat(32),
            },
        ),
        method(
            "/counterweight.v1.WeightsService/WatchWeights",
            &pb::WatchWeightsRequest { from_revision: 1 },
        ),
        method(
            "/counterweight.v1.WeightsService/PreviewWeights",
            &pb::PreviewWeightsRequest {
                change: Some(change),
                k: 1,
            },
        ),
        method(
            "/counterweight.v1.WeightsService/SolveWeights",
            &pb::SolveWeightsRequest {
                profile: "default".into(),
                goal: Some(pb::solve_weights_request::Goal::BaitBudget(0.5)),
                objective: "engagement_bait".into(),
                k: 1,
            },
        ),
        method(
            "/counterweight.v1.WeightsService/ExplainWeights",
            &pb::ExplainWeightsRequest {
                profile: "default".into(),
                unit_id: "u".into(),
                request_id: "r".into(),
                attributes: vec![pb::Attribute {
                    name: "tier".into(),
                    value: Some(pb::AttributeValue {
                        value: Some(pb::attribute_value::Value::Number(1.0)),
                    }),
                }],
            },
        ),
    ]
}

/// What becomes of a message: bytes of its own, or the example with bytes replaced and cut off.
#[derive(Debug, Clone)]
enum Sent {
    Bytes(Vec<u8>),
    Changed {
        replaced: Vec<(Index, u8)>,
        kept: Option<Index>,
    },
}

impl Sent {
    fn bytes(&self, example: &[u8]) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone().into(),
            Self::Changed { replaced, kept } => {
                let mut bytes = example.to_vec();
                for (at, byte) in replaced.iter().filter(|_| !example.is_empty()) {
                    bytes[at.index(example.len())] = *byte;
                }
                if let Some(kept) = kept {
                    bytes.truncate(kept.index(example.len() + 1));
                }
                bytes.into()
            }
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let replaced = vec((any::<Index>(), any::<u8>()), 0..4);
    let changed = (replaced, proptest::option::weighted(0.2, any::<Index>()));
    prop_oneof![
        1 => vec(any::<u8>(), 0..64).prop_map(Sent::Bytes),
        4 => changed.prop_map(|(replaced, kept)| Sent::Changed { replaced, kept }),
    ]
}

const OBJECTIVES: &str = "[[objective]]\nname = \"engagement\"\ncolumn = { name = \"xe\" }\n\
    [[objective]]\nname = \"engagement_bait\"\ncolumn = { name = \"xb\" }\n";

/// A runtime with a combiner on it, and a channel to it.
fn started() -> (Runtime, Combiner, Channel) {
    let runtime = Runtime::new().unwrap();
    let config = format!("attributes = [\"tier\"]\n{OBJECTIVES}{PROFILES}");
    let combiner = runtime.block_on(Combiner::start(&config));
    let channel = runtime.block_on(combiner.channel());
    (runtime, combiner, channel)
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

async fn call(channel: &Channel, method: &Method, bytes: Bytes) -> Result<(), Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static(method.path);
    if method.streams {
        let answer = client
            .server_streaming(Request::new(bytes), path, Plain)
            .await;
        return answer.map(drop);
    }
    client
        .unary(Request::new(bytes), path, Plain)
        .await
        .map(drop)
}

fn is_bug(code: Code) -> bool {
    matches!(code, Code::Internal | Code::Unknown | Code::DataLoss)
}

#[test]
fn no_message_brings_a_method_down() {
    let (runtime, _combiner, channel) = started();
    let methods = methods();
    let outcome = runner(64).run(&sent(), |sent| {
        for method in &methods {
            let bytes = sent.bytes(&method.example);
            let decodes = (method.decodes)(&bytes);
            // What cannot be decoded is answered by tonic, with the code that gRPC prescribes.
            if let Err(status) = runtime.block_on(call(&channel, method, bytes))
                && decodes
            {
                let path = method.path;
                prop_assert!(!is_bug(status.code()), "{path}: {status:?}");
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

fn tensor() -> impl Strategy<Value = (InferInputTensor, Bytes)> {
    let name = select(vec!["xe", "xe", "xb", "xb", "tier", "other", ""]);
    let datatype = select(vec!["FP32", "FP64", "INT64", "BOOL", "BYTES", "FP16", ""]);
    let length = select(vec![3_i64, 3, 3, 1, 0, -1, 2, i64::MAX]);
    let shape = vec(length, 0..4);
    let contents = proptest::option::weighted(
        0.3,
        (vec(any::<f32>(), 0..4), vec(any::<f64>(), 0..4)).prop_map(|(fp32, fp64)| {
            InferTensorContents {
                fp32_contents: fp32,
                fp64_contents: fp64,
                ..Default::default()
            }
        }),
    );
    // Few of arbitrary bytes are numbers in [0, 1].
    let probabilities = vec(0.0_f32..=1.0, 0..5);
    let raw = prop_oneof![
        vec(any::<u8>(), 0..30),
        probabilities.prop_map(|values| values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    ];
    (name, datatype, shape, contents, raw).prop_map(|(name, datatype, shape, contents, raw)| {
        let tensor = InferInputTensor {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape,
            contents,
            ..Default::default()
        };
        (tensor, raw.into())
    })
}

fn rank_request() -> impl Strategy<Value = RankRequest> {
    let ids = prop_oneof![
        3 => Just(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]),
        1 => vec("[a-c]{0,2}", 0..4),
    ];
    let profile = select(vec!["", "default", "careful", "none"]);
    let limit = select(vec![0, 1, 3, u32::MAX]);
    (
        (ids, profile, limit, any::<bool>()),
        (vec(tensor(), 0..4), any::<bool>(), "\\PC{0,8}", "\\PC{0,8}"),
    )
        .prop_map(|((candidate_ids, profile, limit, stability), rest)| {
            let (tensors, with_raw, request_id, unit_id) = rest;
            let (inputs, raw): (Vec<_>, Vec<_>) = tensors.into_iter().unzip();
            RankRequest {
                candidate_ids,
                profile: profile.to_owned(),
                limit,
                stability,
                inputs,
                raw_input_contents: if with_raw { raw } else { Vec::new() },
                request_id,
                unit_id,
            }
        })
}

#[test]
fn every_rank_request_is_answered_or_refused_with_a_reason() {
    let (runtime, combiner, _) = started();
    let client = runtime.block_on(combiner.ranking());
    let outcome = runner(512).run(&rank_request(), |request| {
        let mut client = client.clone();
        match runtime.block_on(client.rank(request)) {
            Ok(answer) => common::assert_recomputes(answer.get_ref()),
            Err(status) => {
                prop_assert!(!is_bug(status.code()), "{status:?}");
                prop_assert!(!status.message().is_empty());
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
