//! Decodes and encodes segments, experiments and exploration.

use counterweight_proto::counterweight::v1::{self as pb, attribute_value, condition};
use uuid::Uuid;

use crate::{
    config::Config,
    error::RequestError,
    weights::{
        Arm, Attribute, AudienceChange, Condition, Experiment, ExperimentChange, Explained,
        Exploration, InForce, PlanError, Segment, Test, Value, Verdict, shares,
    },
    wire::common::{decode_weights, density, draw, encode_weights, named_weights},
};

/// Decodes the audience of a change. Missing salts and seeds are made here, once, although the
/// change may be planned several times.
pub(super) fn change(change: &mut pb::ProfileChange) -> Result<AudienceChange, RequestError> {
    let profile = match change.profile.as_str() {
        "" => "default",
        name => name,
    };
    let segments = change.segments.take().map(|list| {
        let segments = list.segments.into_iter();
        segments
            .map(|wanted| decode_segment(profile, wanted))
            .collect()
    });
    let experiments = change.experiments.take().map(|list| {
        let experiments = list.experiments.into_iter();
        experiments.map(decode_experiment).collect()
    });
    let exploration = change.exploration.take().map(|wanted| {
        let wanted = wanted.exploration;
        wanted
            .map(|wanted| decode_exploration(profile, wanted))
            .transpose()
    });
    Ok(AudienceChange {
        segments: segments.transpose()?,
        experiments,
        exploration: exploration.transpose()?,
    })
}

fn decode_segment(profile: &str, segment: pb::Segment) -> Result<Segment, RequestError> {
    let name = segment.name;
    let conditions = segment.conditions.into_iter().map(|condition| {
        let attribute = condition.attribute;
        let test = test(condition.test).ok_or_else(|| PlanError::Rule {
            profile: profile.to_owned(),
            rule: format!("segment {name:?}, attribute {attribute:?}"),
            problem: "has no test or a value that is neither text nor number; send any_of or range"
                .to_owned(),
        })?;
        Ok(Condition { attribute, test })
    });
    Ok(Segment {
        conditions: conditions.collect::<Result<_, RequestError>>()?,
        weights: decode_weights(segment.weights),
        name,
    })
}

fn test(test: Option<condition::Test>) -> Option<Test> {
    Some(match test? {
        condition::Test::AnyOf(any_of) => Test::AnyOf(
            any_of
                .values
                .into_iter()
                .map(value)
                .collect::<Option<_>>()?,
        ),
        condition::Test::Range(range) => Test::Range {
            at_least: range.at_least,
            below: range.below,
        },
    })
}

fn value(value: pb::AttributeValue) -> Option<Value> {
    Some(match value.value? {
        attribute_value::Value::Text(text) => Value::Text(text),
        attribute_value::Value::Number(number) => Value::Number(number),
    })
}

fn decode_experiment(experiment: pb::Experiment) -> ExperimentChange {
    ExperimentChange {
        name: experiment.name,
        salt: some(experiment.salt),
        new_salt: Uuid::now_v7().simple().to_string(),
        segment: some(experiment.segment),
        arms: experiment
            .arms
            .into_iter()
            .map(|arm| {
                let buckets = arm.buckets;
                let weights = decode_weights(arm.weights);
                (
                    Arm {
                        name: arm.name,
                        weights,
                    },
                    buckets,
                )
            })
            .collect(),
    }
}

fn decode_exploration(
    profile: &str,
    exploration: pb::Exploration,
) -> Result<Exploration, RequestError> {
    let log_uniform = match pb::Density::try_from(exploration.density) {
        Ok(pb::Density::Unspecified | pb::Density::Uniform) => false,
        Ok(pb::Density::LogUniform) => true,
        Err(_) => {
            return Err(PlanError::Rule {
                profile: profile.to_owned(),
                rule: "exploration".to_owned(),
                problem: format!(
                    "{} is not a density; send uniform or log-uniform",
                    exploration.density
                ),
            }
            .into());
        }
    };
    Ok(Exploration {
        low: exploration.low + 0.0,
        high: exploration.high,
        log_uniform,
        arm: some(exploration.arm),
        seed: match exploration.seed {
            0 => Uuid::now_v7().as_u64_pair().1,
            seed => seed,
        },
    })
}

/// The attributes of the request to explain; missing ones are left out.
pub(super) fn attributes(attributes: Vec<pb::Attribute>) -> Result<Vec<Attribute>, RequestError> {
    let refused = |problem: String| RequestError::Field {
        field: "attributes",
        problem,
    };
    let mut known: Vec<Attribute> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let name = attribute.name;
        if known.iter().any(|known| known.name == name) {
            return Err(refused(format!(
                "{name:?} is sent twice; send each attribute once"
            )));
        }
        match attribute.value.and_then(value) {
            None => {
                return Err(refused(format!(
                    "{name:?} has no value; send text or a number, or leave it out"
                )));
            }
            Some(Value::Number(number)) if number.is_infinite() => {
                return Err(refused(format!(
                    "{name:?} is {number}; send a finite number, or leave it out"
                )));
            }
            Some(value) if value.is_missing() => {}
            Some(value) => known.push(Attribute { name, value }),
        }
    }
    Ok(known)
}

/// Encodes a segment.
pub(super) fn segment(segment: &Segment) -> pb::Segment {
    pb::Segment {
        name: segment.name.clone(),
        conditions: segment
            .conditions
            .iter()
            .map(|condition| pb::Condition {
                attribute: condition.attribute.clone(),
                test: Some(encode_test(&condition.test)),
            })
            .collect(),
        weights: encode_weights(&segment.weights),
    }
}

fn encode_test(test: &Test) -> condition::Test {
    match test {
        Test::AnyOf(values) => condition::Test::AnyOf(pb::AttributeValues {
            values: values.iter().map(encode_value).collect(),
        }),
        Test::Range { at_least, below } => condition::Test::Range(pb::AttributeRange {
            at_least: *at_least,
            below: *below,
        }),
    }
}

fn encode_value(value: &Value) -> pb::AttributeValue {
    let value = match value {
        Value::Text(text) => attribute_value::Value::Text(text.clone()),
        Value::Number(number) => attribute_value::Value::Number(*number),
    };
    pb::AttributeValue { value: Some(value) }
}

/// Encodes an experiment with its table.
pub(super) fn experiment(experiment: &Experiment) -> pb::Experiment {
    let shares = shares(&experiment.buckets, experiment.arms.len());
    let name = |arm: Option<usize>| {
        arm.and_then(|arm| experiment.arms.get(arm))
            .map(|arm| arm.name.clone())
    };
    pb::Experiment {
        name: experiment.name.clone(),
        salt: experiment.salt.clone(),
        segment: experiment.segment.clone().unwrap_or_default(),
        arms: experiment
            .arms
            .iter()
            .zip(shares)
            .map(|(arm, buckets)| pb::Arm {
                name: arm.name.clone(),
                buckets,
                weights: encode_weights(&arm.weights),
            })
            .collect(),
        buckets: experiment
            .buckets
            .iter()
            .map(|&(arm, count)| pb::BucketRun {
                arm: name(arm).unwrap_or_default(),
                count,
            })
            .collect(),
    }
}

/// Encodes exploration.
pub(super) fn exploration(exploration: &Exploration) -> pb::Exploration {
    pb::Exploration {
        low: exploration.low,
        high: exploration.high,
        density: density(exploration.density()).into(),
        arm: exploration.arm.clone().unwrap_or_default(),
        seed: exploration.seed,
    }
}

/// Encodes the weights that a request would get, and why.
pub(super) fn explained(
    config: &Config,
    profile: usize,
    in_force: &InForce,
    explained: Explained,
) -> pb::ExplainWeightsResponse {
    let named = |weights: &[f64]| named_weights(config.objective_names(profile), weights);
    let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
    pb::ExplainWeightsResponse {
        profile: config.profiles[profile].name.clone(),
        revision: in_force.revision,
        profile_weights: named(in_force.weights.as_slice()),
        weights: named(&explained.chosen.weights),
        segment: text(explained.chosen.segment.as_deref()),
        arm: text(explained.chosen.arm.as_deref()),
        draw: explained.chosen.draw.map(draw),
        segments: explained.segments.into_iter().map(verdict).collect(),
        experiments: explained.experiments.into_iter().map(verdict).collect(),
        exploration: explained.exploration,
    }
}

fn verdict(verdict: Verdict) -> pb::Verdict {
    pb::Verdict {
        name: verdict.name,
        applies: verdict.applies,
        reason: verdict.reason,
        bucket: verdict.bucket,
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
