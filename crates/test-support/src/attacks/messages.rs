//! The calls of attacks that consist of whole calls.

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use counterweight_proto::counterweight::v1::{
    Attribute, AttributeValue, AttributeValues, Condition, ExplainWeightsRequest,
    GetWeightsRequest, ListRevisionsRequest, ObjectiveWeight, ProfileChange, RankRequest,
    ReadLogRequest, Segment, SegmentList, SolveWeightsRequest, attribute_value, condition,
    solve_weights_request::Goal,
};
use counterweight_tensor::{Datatype, encode_f64, encode_strings, tensor};
use flate2::{Compression, write::GzEncoder};
use prost::Message;

use super::connection::{Call, frame};
use crate::requests::{
    COLUMNS, EXPANDED, PACKED, change, infer, ramp, rank_columns, rank_models, set,
};

const RANK: &str = "/counterweight.v1.RankingService/Rank";
const SET: &str = "/counterweight.v1.WeightsService/SetWeights";
const GET: &str = "/counterweight.v1.WeightsService/GetWeights";
const EXPLAIN: &str = "/counterweight.v1.WeightsService/ExplainWeights";
const SOLVE: &str = "/counterweight.v1.WeightsService/SolveWeights";
const RAMP: &str = "/counterweight.v1.WeightsService/StartRamp";
const HISTORY: &str = "/counterweight.v1.WeightsService/ListRevisions";
const WATCH: &str = "/counterweight.v1.WeightsService/WatchWeights";
const READ_LOG: &str = "/counterweight.v1.RankingService/ReadLog";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

const MB: usize = 1_000_000;

fn call(path: &'static str, message: &impl Message) -> Call {
    Call::new(path, &message.encode_to_vec())
}

/// As many empty sub-messages of one field as fit into `bytes`. `tag` is its tag on the wire.
fn empty(path: &'static str, tag: u8, bytes: usize) -> Call {
    Call::new(path, &[tag, 0].repeat(bytes / 2))
}

/// Two bytes on the wire that are hundreds in memory, to the combiner.
pub(super) fn empty_messages() -> Vec<Call> {
    vec![
        empty(RANK, 0x2a, 2 * MB), // inputs
        empty(RANK, 0x2a, 30 * MB),
        empty(RANK, 0x22, 30 * MB), // candidate_ids
        empty(SET, 0x0a, 2 * MB),   // changes
        empty(SET, 0x0a, 30 * MB),
        empty(EXPLAIN, 0x22, 2 * MB), // attributes
    ]
}

/// The same to a model server.
pub(super) fn empty_tensors() -> Vec<Call> {
    vec![
        empty(INFER, 0x2a, 2 * MB), // inputs
        empty(INFER, 0x2a, 30 * MB),
        empty(INFER, 0x22, 2 * MB),  // parameters
        empty(INFER, 0x32, 30 * MB), // outputs
    ]
}

/// 4 MB that ask for a packed tensor of 160 GB: one wide context row for every candidate.
pub(super) fn packed() -> Vec<Call> {
    let (candidates, width) = (100_000, 200_000);
    let request = RankRequest {
        profile: PACKED.to_owned(),
        candidate_ids: (0..candidates).map(|at| format!("{at:x}")).collect(),
        inputs: vec![
            tensor("quality", Datatype::Fp64, &[1]),
            tensor("wide", Datatype::Fp32, &[1, width]),
        ],
        raw_input_contents: vec![encode_f64(&[0.5]), vec![0; 4 * width].into()],
        ..RankRequest::default()
    };
    vec![call(RANK, &request)]
}

/// A list of 1 MB that the configuration repeats for each of 100,000 candidates.
pub(super) fn expanded() -> Vec<Call> {
    let candidates = 100_000;
    let topic = "t".repeat(MB);
    let request = RankRequest {
        profile: EXPANDED.to_owned(),
        candidate_ids: (0..candidates).map(|at| format!("{at:x}")).collect(),
        inputs: vec![
            tensor("quality", Datatype::Fp64, &[1]),
            tensor("topic", Datatype::Bytes, &[1]),
            tensor("topics", Datatype::Bytes, &[1]),
        ],
        raw_input_contents: vec![
            encode_f64(&[0.5]),
            encode_strings(["sport"]),
            encode_strings([format!("[\"{topic}\"]")]),
        ],
        ..RankRequest::default()
    };
    vec![call(RANK, &request)]
}

/// Names of 2 MB that are nearly known ones, so that a suggestion is looked for.
pub(super) fn long_names() -> Vec<Call> {
    let long = "engagement_".repeat(2 * MB / 11);
    let mut feature = rank_columns(10);
    feature.inputs.push(tensor(&long, Datatype::Fp64, &[1]));
    feature.raw_input_contents.push(encode_f64(&[1.0]));
    let mut profile = rank_columns(10);
    profile.profile.clone_from(&long);
    let weights = ProfileChange {
        weights: vec![ObjectiveWeight {
            objective: long.clone(),
            weight: -1.0,
        }],
        ..change(-1.0)
    };
    let attribute = Attribute {
        name: long.clone(),
        ..Attribute::default()
    };
    vec![
        call(RANK, &feature),
        call(RANK, &profile),
        call(
            GET,
            &GetWeightsRequest {
                profile: long.clone(),
            },
        ),
        call(SET, &set(weights)),
        call(SET, &set(with_segment(&long, "sport"))),
        call(
            EXPLAIN,
            &ExplainWeightsRequest {
                profile: COLUMNS.to_owned(),
                attributes: vec![attribute],
                ..ExplainWeightsRequest::default()
            },
        ),
    ]
}

/// Ids of 1 MB, in requests that are refused with the id and in one that is answered with it.
pub(super) fn long_ids() -> Vec<Call> {
    let id = "ü".repeat(MB / 2);
    let mut twice = rank_columns(3);
    twice.candidate_ids[1].clone_from(&id);
    twice.candidate_ids[2].clone_from(&id);
    let mut once = rank_columns(3);
    once.candidate_ids[1].clone_from(&id);
    once.request_id.clone_from(&id);
    once.unit_id.clone_from(&id);
    vec![call(RANK, &twice), call(RANK, &once)]
}

/// A change that gives the profile of columns one segment.
fn with_segment(name: &str, value: &str) -> ProfileChange {
    let value = AttributeValue {
        value: Some(attribute_value::Value::Text(value.to_owned())),
    };
    let any_of = condition::Test::AnyOf(AttributeValues {
        values: vec![value],
    });
    let segment = Segment {
        name: name.to_owned(),
        conditions: vec![Condition {
            attribute: "tier".to_owned(),
            test: Some(any_of),
        }],
        weights: change(-1.0).weights,
    };
    ProfileChange {
        segments: Some(SegmentList {
            segments: vec![segment],
        }),
        ..change(-1.0)
    }
}

/// A segment whose value is almost as long as a message may be; every later entry would copy it.
pub(super) fn segment_values() -> Vec<Call> {
    vec![call(SET, &set(with_segment("all", &"v".repeat(3_900_000))))]
}

/// Entries that are as large as they may be, and pages with as many of them as possible.
pub(super) fn history_pages() -> Vec<Call> {
    let mut calls = Vec::new();
    for length in [200, 2_000, 20_000] {
        calls.push(call(SET, &set(with_segment("all", &"v".repeat(length)))));
    }
    let page = ListRevisionsRequest {
        page_size: u32::MAX,
        ..ListRevisionsRequest::default()
    };
    calls.extend(std::iter::repeat_n(call(HISTORY, &page), 20));
    calls
}

/// A ramp of 10,000 steps within 10 s.
pub(super) fn ramps() -> Vec<Call> {
    vec![call(RAMP, &ramp(10, 10_000))]
}

/// A list of 100,000 topics in which the topic of each of 20,000 candidates is looked for.
pub(super) fn long_lists() -> Vec<Call> {
    let topics: Vec<String> = (0..100_000).map(|at| format!("t{at}")).collect();
    vec![call(INFER, &infer(20_000, &topics)).within(Duration::from_millis(600))]
}

/// The exact curve of all places of 5,000 candidates.
pub(super) fn solve() -> Vec<Call> {
    let candidates = 5_000;
    let request = SolveWeightsRequest {
        profile: COLUMNS.to_owned(),
        goal: Some(Goal::ExchangeRate(1.5)),
        objective: String::new(),
        k: candidates,
    };
    let solve = call(SOLVE, &request).within(Duration::from_secs(1));
    let mut calls = vec![call(RANK, &rank_columns(candidates as usize))];
    calls.extend(std::iter::repeat_n(solve, 10));
    calls
}

/// Bytes that are no message: a message cut off, a wrong wire type, text that is not UTF-8, a
/// length beyond the end, an endless number, groups without an end.
fn undecodable(path: &'static str, message: &impl Message) -> Vec<Call> {
    let whole = message.encode_to_vec();
    let wrong: [&[u8]; 6] = [
        &whole[..whole.len() - 1],
        &[0x08, 0x01],
        &[0x0a, 0x02, 0xff, 0xfe],
        &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff; 11],
        &[0x0b].repeat(200),
    ];
    wrong.iter().map(|bytes| Call::new(path, bytes)).collect()
}

/// Undecodable bytes to the combiner.
pub(super) fn undecodable_requests() -> Vec<Call> {
    let mut calls = undecodable(RANK, &rank_columns(3));
    calls.extend(undecodable(
        EXPLAIN,
        &ExplainWeightsRequest {
            profile: COLUMNS.to_owned(),
            ..ExplainWeightsRequest::default()
        },
    ));
    calls
}

/// Undecodable bytes to a model server.
pub(super) fn undecodable_tensors() -> Vec<Call> {
    undecodable(INFER, &infer(3, &["sport"]))
}

/// 128 MiB of zeros in 128 KiB, and a name of 70 MB.
pub(super) fn gzip_bombs() -> Vec<Call> {
    let named = GetWeightsRequest {
        profile: "p".repeat(70 * MB),
    };
    let bombs = [
        (RANK, gzip(&vec![0; 128 << 20])),
        (GET, gzip(&named.encode_to_vec())),
    ];
    bombs
        .map(|(path, body)| Call {
            body: frame(true, &body),
            encoding: "gzip",
            ..Call::new(path, &[])
        })
        .into()
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

/// A request to the model that is worth cancelling.
pub(super) fn rank_by_model() -> Call {
    call(RANK, &rank_models(100))
}

/// A request to a model server.
pub(super) fn infer_call() -> Call {
    call(INFER, &infer(500, &["sport", "music"]))
}

/// A request of 20,000 candidates, all of which are in the answer.
pub(super) fn long_answer() -> Call {
    call(RANK, &rank_columns(20_000))
}

/// A watch of all entries.
pub(super) fn watch() -> Call {
    Call {
        streams: true,
        ..Call::new(WATCH, &[0x08, 1])
    }
}

/// A read of the log of recent requests.
pub(super) fn read_log() -> Call {
    let request = ReadLogRequest {
        profile: COLUMNS.to_owned(),
    };
    Call {
        streams: true,
        ..call(READ_LOG, &request)
    }
}

/// A change of the weights, which every watcher is sent.
pub(super) fn set_weights() -> Vec<Call> {
    vec![call(SET, &set(change(-1.5))), call(SET, &set(change(-0.5)))]
}
