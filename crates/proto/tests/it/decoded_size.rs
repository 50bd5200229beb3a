//! `Contracts::decoded_size` against prost: it accepts what prost decodes, and its bound is never
//! below the memory that prost allocates.
#![allow(clippy::unwrap_used, clippy::panic)] // a test fails by panicking

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::LazyLock,
};

use bytes::Bytes;
use counterweight_proto::{
    Contracts, DESCRIPTORS, ScanError,
    counterweight::v1::{
        ExplainWeightsRequest, RankRequest, RollbackWeightsRequest, SetWeightsRequest,
        StartRampRequest,
    },
    inference::{
        ModelInferRequest, RepositoryModelLoadRequest, ServerLiveRequest,
        model_infer_request::InferInputTensor,
    },
};
use proptest::{collection::vec, prelude::*, sample::Index};
use prost::Message;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts what the running thread has allocated. To grow a block is to allocate the new one before
/// the old one is freed, as the default `realloc` does.
struct Counting;

#[expect(unsafe_code, reason = "only an allocator can count allocations")]
// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.get() + layout.size();
        IN_USE.set(in_use);
        PEAK.set(PEAK.get().max(in_use));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Another thread may have allocated it.
        IN_USE.set(IN_USE.get().saturating_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static CONTRACTS: LazyLock<Contracts> =
    LazyLock::new(|| Contracts::from_descriptors(&[DESCRIPTORS]).unwrap());
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap());

/// Decodes bytes; returns the most memory that this took, or `None` when they cannot be decoded.
fn peak<M: Message + Default>(bytes: &[u8]) -> Option<usize> {
    let bytes = Bytes::copy_from_slice(bytes);
    let before = IN_USE.get();
    PEAK.set(before);
    let decoded = M::decode(bytes);
    let peak = PEAK.get() - before + size_of::<M>();
    decoded.is_ok().then_some(peak)
}

/// A message type and the method that receives it.
struct Case {
    path: &'static str,
    message: &'static str,
    peak: fn(&[u8]) -> Option<usize>,
}

const RANK: Case = Case {
    path: "/counterweight.v1.RankingService/Rank",
    message: "counterweight.v1.RankRequest",
    peak: peak::<RankRequest>,
};

const CASES: [Case; 7] = [
    RANK,
    Case {
        path: "/counterweight.v1.WeightsService/SetWeights",
        message: "counterweight.v1.SetWeightsRequest",
        peak: peak::<SetWeightsRequest>,
    },
    Case {
        path: "/counterweight.v1.WeightsService/RollbackWeights",
        message: "counterweight.v1.RollbackWeightsRequest",
        peak: peak::<RollbackWeightsRequest>,
    },
    Case {
        path: "/counterweight.v1.WeightsService/StartRamp",
        message: "counterweight.v1.StartRampRequest",
        peak: peak::<StartRampRequest>,
    },
    Case {
        path: "/counterweight.v1.WeightsService/ExplainWeights",
        message: "counterweight.v1.ExplainWeightsRequest",
        peak: peak::<ExplainWeightsRequest>,
    },
    Case {
        path: "/inference.GRPCInferenceService/ModelInfer",
        message: "inference.ModelInferRequest",
        peak: peak::<ModelInferRequest>,
    },
    Case {
        path: "/inference.GRPCInferenceService/RepositoryModelLoad",
        message: "inference.RepositoryModelLoadRequest",
        peak: peak::<RepositoryModelLoadRequest>,
    },
];

impl Case {
    fn bound(&self, bytes: &[u8], limit: usize) -> Result<usize, ScanError> {
        let method = CONTRACTS.method(self.path).unwrap();
        CONTRACTS.decoded_size(method, bytes, limit)
    }

    /// Compares with prost; returns whether the bytes can be decoded.
    fn check(&self, bytes: &[u8]) -> Result<bool, TestCaseError> {
        match ((self.peak)(bytes), self.bound(bytes, usize::MAX)) {
            (Some(peak), Ok(bound)) => {
                prop_assert!(bound >= peak, "{}: {bound} < {peak}", self.message);
                Ok(true)
            }
            (None, Err(ScanError::Malformed(_))) => Ok(false),
            (peak, bound) => {
                let decodes = if peak.is_some() { "decodes" } else { "refuses" };
                Err(TestCaseError::fail(format!(
                    "{}: prost {decodes} it, and the scan says {bound:?}: {bytes:?}",
                    self.message
                )))
            }
        }
    }
}

/// Bytes that decide what is generated; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(first) % limit
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn delimited(content: &[u8], out: &mut Vec<u8>) {
    varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

/// The content of one value, and its wire type.
fn value(kind: &Kind, depth: usize, choices: &mut Choices<'_>, out: &mut Vec<u8>) -> u64 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => {
            out.extend_from_slice(&[choices.below(256) as u8; 8]);
            1
        }
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => {
            out.extend_from_slice(&[choices.below(256) as u8; 4]);
            5
        }
        Kind::String | Kind::Bytes => {
            let length = [0, 1, 3, 7, 8, 9, 33, 100, 300][choices.below(9)];
            delimited(&vec![b'a'; length], out);
            2
        }
        Kind::Message(inner) => {
            let mut content = Vec::new();
            message(inner, depth + 1, choices, &mut content);
            delimited(&content, out);
            2
        }
        _ => {
            varint(1 << (choices.below(65) % 64), out);
            0
        }
    }
}

/// The wire form of some message of this type.
fn message(of: &MessageDescriptor, depth: usize, choices: &mut Choices<'_>, out: &mut Vec<u8>) {
    let fields: Vec<_> = of.fields().collect();
    let count = if depth > 6 { 0 } else { choices.below(6) };
    for _ in 0..count {
        if fields.is_empty() || choices.below(12) == 11 {
            // A field that is not known: a number, or a group within a group.
            out.extend_from_slice(
                [
                    &[0xf8, 0x7f, 1][..],
                    &[0xfb, 0x7f, 0xfb, 0x7f, 0xfc, 0x7f, 0xfc, 0x7f],
                ][choices.below(2)],
            );
            continue;
        }
        let field = &fields[choices.below(fields.len())];
        let key = |wire: u64| u64::from(field.number()) << 3 | wire;
        let repeats = [1, 1, 2, 3, 4, 5, 9, 17, 33, 60][choices.below(10)];
        let packable = !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_));
        if field.is_list() && packable && choices.below(2) == 0 {
            let mut content = Vec::new();
            for _ in 0..repeats {
                value(&field.kind(), depth, choices, &mut content);
            }
            varint(key(2), out);
            delimited(&content, out);
            continue;
        }
        for _ in 0..repeats {
            let mut content = Vec::new();
            let wire = value(&field.kind(), depth, choices, &mut content);
            varint(key(wire), out);
            out.extend_from_slice(&content);
        }
    }
}

fn generated(case: &Case, choices: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let of = POOL.get_message_by_name(case.message).unwrap();
    message(&of, 0, &mut Choices(choices), &mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_bound_of_a_valid_message_holds(
        case in 0..CASES.len(),
        choices in vec(any::<u8>(), 0..400),
    ) {
        let case = &CASES[case];
        prop_assert!(case.check(&generated(case, &choices))?);
    }

    #[test]
    fn what_prost_refuses_is_refused_and_nothing_else(
        case in 0..CASES.len(),
        choices in vec(any::<u8>(), 0..200),
        damage in vec((any::<Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<Index>()),
    ) {
        let case = &CASES[case];
        let mut bytes = generated(case, &choices);
        if !bytes.is_empty() {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
        }
        case.check(&bytes)?;
    }

    #[test]
    fn random_bytes_are_judged_as_prost_judges_them(
        case in 0..CASES.len(),
        bytes in vec(prop_oneof![0_u8..80, any::<u8>()], 0..60),
    ) {
        CASES[case].check(&bytes)?;
    }
}

#[test]
fn empty_messages_are_counted_before_they_are_decoded() {
    let many = [0x2a, 0].repeat(100_000);
    assert!(RANK.check(&many).unwrap());
    assert!(RANK.bound(&many, usize::MAX).unwrap() > 100 * many.len());
    assert_eq!(RANK.bound(&many, 1 << 20), Err(ScanError::TooLarge));
}

#[test]
fn groups_may_be_nested_as_deeply_as_prost_allows() {
    for depth in [1, 98, 99, 100, 101, 200] {
        let nested = [[0xfb, 0x7f].repeat(depth), [0xfc, 0x7f].repeat(depth)].concat();
        assert_eq!(RANK.check(&nested).unwrap(), depth <= 100, "{depth}");
        let within = [
            &[
                0x2a,
                (nested.len() & 0x7f) as u8 | 0x80,
                (nested.len() >> 7) as u8,
            ],
            &nested[..],
        ]
        .concat();
        RANK.check(&within).unwrap();
    }
}

#[test]
fn the_field_that_is_malformed_is_named() {
    let named = |bytes: &[u8]| match RANK.bound(bytes, usize::MAX) {
        Err(ScanError::Malformed(malformed)) => (malformed.field(), malformed.to_string()),
        other => panic!("{other:?}"),
    };
    // A name within an input that is not UTF-8.
    let (field, text) = named(&[0x2a, 3, 0x0a, 1, 0xff]);
    assert_eq!(field, "inputs.name");
    assert_eq!(text, "field \"inputs.name\" is not valid UTF-8");
    let (field, text) = named(&[0x22, 50, b'x']);
    assert_eq!(field, "candidate_ids");
    assert!(text.contains("longer than the message"), "{text}");
    assert_eq!(named(&[0x20, 1]).0, "candidate_ids");
    assert_eq!(named(&[0]).1, "the message has a field of number 0");
}

#[test]
fn an_ordinary_request_is_bounded_by_little_more_than_itself() {
    let inputs = (0..32).map(|input| InferInputTensor {
        name: format!("feature_{input}"),
        datatype: "FP64".to_owned(),
        shape: vec![500],
        ..Default::default()
    });
    let request = RankRequest {
        candidate_ids: (0..500).map(|id| format!("candidate_{id}")).collect(),
        inputs: inputs.collect(),
        raw_input_contents: vec![Bytes::from(vec![0; 4000]); 32],
        ..Default::default()
    };
    let bytes = request.encode_to_vec();
    let bound = RANK.bound(&bytes, usize::MAX).unwrap();
    assert!(RANK.check(&bytes).unwrap());
    assert!(bound < bytes.len(), "{bound} for {} bytes", bytes.len());
}

#[test]
fn a_message_without_fields_and_an_unknown_method() {
    let live = Case {
        path: "/inference.GRPCInferenceService/ServerLive",
        message: "inference.ServerLiveRequest",
        peak: peak::<ServerLiveRequest>,
    };
    assert!(live.check(&[]).unwrap());
    assert!(
        live.check(&[0x08, 1]).unwrap(),
        "an unknown field is skipped"
    );
    assert_eq!(
        CONTRACTS.method("/inference.GRPCInferenceService/None"),
        None
    );
    let streams = CONTRACTS.method("/counterweight.v1.WeightsService/WatchWeights");
    assert!(streams.unwrap().server_streams);
}
