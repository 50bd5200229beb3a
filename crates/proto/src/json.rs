//! Messages in the standard JSON mapping of proto3, made from the descriptors rather than by hand.
//!
//! Fields keep their names from `proto/`, 64-bit integers are numbers, and fields with a default
//! value are there, so that a script finds every field of a message without asking first.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Value, value::Serializer};

use crate::DESCRIPTORS;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the build script wrote these descriptors"
    )]
    DescriptorPool::decode(DESCRIPTORS).expect("the descriptors of this build are valid")
});

/// A message as JSON: infinities and NaN are strings, times are RFC 3339, enum values their names.
///
/// # Errors
/// A time or a duration that is out of range has no JSON form.
pub fn to_json<M: Message + Name>(message: &M) -> Result<Value, serde_json::Error> {
    const OPTIONS: SerializeOptions = SerializeOptions::new()
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false)
        .skip_default_fields(false);
    #[expect(
        clippy::expect_used,
        reason = "messages and descriptors are generated from the same files"
    )]
    let dynamic = POOL
        .get_message_by_name(&M::full_name())
        .and_then(|of| DynamicMessage::decode(of, message.encode_to_vec().as_slice()).ok())
        .expect("a generated message fits its descriptor");
    dynamic.serialize_with_options(Serializer, &OPTIONS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::counterweight::v1::{Density, Draw, WeightRange, WeightsEntry};

    #[test]
    fn a_message_follows_the_proto3_mapping() {
        let draw = Draw {
            lambda: 0.1,
            low: 0.0,
            high: f64::INFINITY,
            density: Density::LogUniform.into(),
            seed: u64::MAX,
        };
        assert_eq!(
            to_json(&draw).unwrap(),
            json!({
                "lambda": 0.1,
                "low": 0.0,
                "high": "Infinity",
                "density": "DENSITY_LOG_UNIFORM",
                "seed": u64::MAX,
            })
        );
        let nowhere = to_json(&WeightRange {
            low: f64::NEG_INFINITY,
            high: f64::NAN,
        });
        assert_eq!(
            nowhere.unwrap(),
            json!({ "low": "-Infinity", "high": "NaN" })
        );
    }

    #[test]
    fn defaults_are_shown_and_what_is_absent_is_not() {
        let entry = to_json(&WeightsEntry::default()).unwrap();
        assert_eq!(entry["author"], "");
        assert_eq!(entry["profiles"], json!([]));
        assert!(entry.get("time").is_none(), "{entry}");
    }

    #[test]
    fn a_time_out_of_range_is_an_error() {
        let entry = WeightsEntry {
            time: Some(prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
            ..WeightsEntry::default()
        };
        assert!(to_json(&entry).is_err());
    }
}
