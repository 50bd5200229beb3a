//! Messages filled at random from their descriptors.

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use rand::{RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;

/// Messages are nested no deeper.
const MAX_DEPTH: usize = 5;

/// Texts that mean something to the servers, and some that are awkward.
const TEXTS: [&str; 30] = [
    "",
    "default",
    "models",
    "model",
    "engagement",
    "engagement_bait",
    "by_model",
    "p_click",
    "p_bait",
    "quality",
    "topic",
    "topics",
    "tier",
    "FP32",
    "FP64",
    "INT64",
    "BOOL",
    "BYTES",
    "c1",
    "c2",
    "u",
    "1",
    "a b",
    "\u{1b}[31m",
    "\r\n",
    "\0",
    "ü😀",
    "%",
    "latest",
    "probability",
];
const INTEGERS: [i64; 14] = [
    0,
    1,
    2,
    3,
    10,
    -1,
    -2,
    100_000,
    1 << 31,
    (1 << 31) - 1,
    1 << 32,
    i64::MAX,
    i64::MIN,
    255,
];
const NUMBERS: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    0.5,
    -1.0,
    1e-300,
    1e300,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e-9,
];

/// A message in which about two thirds of the fields are set.
pub(super) fn message(
    rng: &mut ChaCha8Rng,
    of: &MessageDescriptor,
    depth: usize,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        if rng.random_bool(0.35) || (depth == MAX_DEPTH && matches!(field.kind(), Kind::Message(_)))
        {
            continue;
        }
        let value = if field.is_map() {
            map(rng, &field, depth)
        } else if field.cardinality() == Cardinality::Repeated {
            let count = rng.random_range(0..4);
            Value::List((0..count).map(|_| one(rng, &field, depth)).collect())
        } else {
            one(rng, &field, depth)
        };
        message.set_field(&field, value);
    }
    message
}

/// At most one entry: the order of several would differ from run to run.
fn map(rng: &mut ChaCha8Rng, field: &FieldDescriptor, depth: usize) -> Value {
    let Kind::Message(entry) = field.kind() else {
        return Value::Map([].into());
    };
    let value = entry.map_entry_value_field();
    let entry = rng.random_bool(0.5).then(|| {
        let key = MapKey::String(text(rng));
        (key, one(rng, &value, depth))
    });
    Value::Map(entry.into_iter().collect())
}

fn one(rng: &mut ChaCha8Rng, field: &FieldDescriptor, depth: usize) -> Value {
    let integer = |rng: &mut ChaCha8Rng| INTEGERS.choose(rng).copied().unwrap_or_default();
    let number = |rng: &mut ChaCha8Rng| match rng.random_bool(0.5) {
        true => NUMBERS.choose(rng).copied().unwrap_or_default(),
        false => rng.random_range(-2.0..2.0),
    };
    match field.kind() {
        Kind::Double => Value::F64(number(rng)),
        Kind::Float => Value::F32(number(rng) as f32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(integer(rng) as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(integer(rng)),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(integer(rng) as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(integer(rng).cast_unsigned()),
        Kind::Bool => Value::Bool(rng.random()),
        Kind::String => Value::String(text(rng)),
        Kind::Bytes => Value::Bytes(bytes(rng).into()),
        Kind::Enum(_) => Value::EnumNumber(rng.random_range(-1..8)),
        Kind::Message(of) => Value::Message(message(rng, &of, depth + 1)),
    }
}

fn text(rng: &mut ChaCha8Rng) -> String {
    let text = TEXTS.choose(rng).copied().unwrap_or_default();
    match rng.random_bool(0.02) {
        true => text.repeat(rng.random_range(2..200)),
        false => text.to_owned(),
    }
}

/// Tensor contents: texts with their lengths, or numbers.
fn bytes(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let count = rng.random_range(0..4);
    let mut bytes = Vec::new();
    for _ in 0..count {
        match rng.random_range(0..3) {
            0 => {
                let text = text(rng);
                bytes.extend((text.len() as u32).to_le_bytes());
                bytes.extend(text.into_bytes());
            }
            1 => bytes.extend(rng.random::<f32>().to_le_bytes()),
            _ => bytes.extend(rng.random::<f64>().to_le_bytes()),
        }
    }
    bytes
}
