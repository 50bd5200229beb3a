//! Segments, experiments and exploration, as tests write them.

use counterweight_proto::counterweight::v1::{
    Arm, Attribute, AttributeRange, AttributeValue, AttributeValues, Condition, Experiment,
    ExperimentList, Exploration, ExplorationChange, ProfileChange, Segment, SegmentList,
    attribute_value::Value, condition::Test,
};

use super::weights::weights;

pub fn text(text: &str) -> AttributeValue {
    AttributeValue {
        value: Some(Value::Text(text.into())),
    }
}

pub fn number(number: f64) -> AttributeValue {
    AttributeValue {
        value: Some(Value::Number(number)),
    }
}

pub fn any_of(attribute: &str, values: Vec<AttributeValue>) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Some(Test::AnyOf(AttributeValues { values })),
    }
}

pub fn range(attribute: &str, at_least: Option<f64>, below: Option<f64>) -> Condition {
    Condition {
        attribute: attribute.into(),
        test: Some(Test::Range(AttributeRange { at_least, below })),
    }
}

pub fn segment(name: &str, conditions: Vec<Condition>, sets: &[(&str, f64)]) -> Segment {
    Segment {
        name: name.into(),
        conditions,
        weights: weights(sets),
    }
}

pub fn arm(name: &str, buckets: u32, sets: &[(&str, f64)]) -> Arm {
    Arm {
        name: name.into(),
        buckets,
        weights: weights(sets),
    }
}

pub fn experiment(name: &str, segment: &str, arms: Vec<Arm>) -> Experiment {
    Experiment {
        name: name.into(),
        segment: segment.into(),
        arms,
        ..Default::default()
    }
}

pub fn attribute(name: &str, value: AttributeValue) -> Attribute {
    Attribute {
        name: name.into(),
        value: Some(value),
    }
}

/// A change of the default profile's segments.
pub fn segments(segments: Vec<Segment>) -> ProfileChange {
    ProfileChange {
        profile: "default".into(),
        segments: Some(SegmentList { segments }),
        ..Default::default()
    }
}

/// A change of the default profile's experiments.
pub fn experiments(experiments: Vec<Experiment>) -> ProfileChange {
    ProfileChange {
        profile: "default".into(),
        experiments: Some(ExperimentList { experiments }),
        ..Default::default()
    }
}

/// A change of the default profile's exploration.
pub fn exploration(exploration: Option<Exploration>) -> ProfileChange {
    ProfileChange {
        profile: "default".into(),
        exploration: Some(ExplorationChange { exploration }),
        ..Default::default()
    }
}
