//! How segments, experiments and exploration are shown: a line each for people, whole for programs.

use counterweight_proto::counterweight::v1::{
    Attribute, AttributeValue, Condition, Experiment, Exploration, ObjectiveWeight, ProfileWeights,
    Segment, attribute_value::Value as Kind, condition::Test,
};
use counterweight_ranking::symbol;
use serde_json::{Value, json};

use super::{condition::condition, share::percent, show::weights_json};
use crate::draw::{density_name, density_words};

/// What depends on who asks, a line each; empty where nothing does.
pub(super) fn lines(profile: &ProfileWeights) -> Vec<String> {
    let segments = profile.segments.iter().map(|segment| {
        format!(
            "segment {}: {} → {}",
            segment.name,
            conditions_text(&segment.conditions),
            differing(&segment.weights, profile)
        )
    });
    let experiments = profile.experiments.iter().map(|experiment| {
        let arms = experiment.arms.iter().map(|arm| {
            let (name, share) = (&arm.name, percent(arm.buckets));
            format!("{name} {share} → {}", differing(&arm.weights, profile))
        });
        let within = match experiment.segment.as_str() {
            "" => String::new(),
            segment => format!(" in segment {segment}"),
        };
        let arms: Vec<String> = arms.collect();
        format!(
            "experiment {}{within}: {}",
            experiment.name,
            arms.join("; ")
        )
    });
    let explores = profile.exploration.as_ref().map(exploration_text);
    segments.chain(experiments).chain(explores).collect()
}

/// How many of them there are, for one line of a history; empty where nothing depends on who asks.
pub(super) fn summary(profile: &ProfileWeights) -> String {
    let count = |count: usize, what: &str| match count {
        0 => String::new(),
        1 => format!(" + 1 {what}"),
        more => format!(" + {more} {what}s"),
    };
    let mut text = count(profile.segments.len(), "segment");
    text.push_str(&count(profile.experiments.len(), "experiment"));
    if let Some(exploration) = &profile.exploration {
        let (low, high) = (exploration.low, exploration.high);
        text.push_str(&format!(" + λ drawn from {low} to {high}"));
    }
    text
}

/// The weights that a segment or an arm puts in the place of the profile's.
pub(super) fn differing(weights: &[ObjectiveWeight], profile: &ProfileWeights) -> String {
    if weights.is_empty() {
        return "no weights of its own".to_owned();
    }
    let texts = weights.iter().map(|weight| {
        let mut own = profile.weights.iter();
        match own.position(|own| own.objective == weight.objective) {
            Some(at) => format!("{} {} {}", symbol(at), weight.objective, weight.weight),
            None => format!("{} {}", weight.objective, weight.weight),
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Conditions as they are written on the command line.
pub(super) fn conditions_text(conditions: &[Condition]) -> String {
    let each = conditions.iter().flat_map(|condition| {
        let name = &condition.attribute;
        match &condition.test {
            Some(Test::AnyOf(any)) => {
                let values: Vec<String> = any.values.iter().map(value_text).collect();
                vec![format!("{name}={}", values.join(","))]
            }
            Some(Test::Range(range)) => [(range.at_least, ">="), (range.below, "<")]
                .into_iter()
                .filter_map(|(end, sign)| Some(format!("{name}{sign}{}", end?)))
                .collect(),
            None => vec![format!("{name}?")],
        }
    });
    each.collect::<Vec<_>>().join(" and ")
}

/// A value as it is written: text that would be read as anything else is in quotes.
pub(super) fn value_text(value: &AttributeValue) -> String {
    match &value.value {
        Some(Kind::Number(number)) => number.to_string(),
        Some(Kind::Text(text)) => match condition(&format!("a={text}")) {
            Ok(Condition {
                test: Some(Test::AnyOf(any)),
                ..
            }) if any.values == [value.clone()] => text.clone(),
            _ => json!(text).to_string(),
        },
        None => "?".to_owned(),
    }
}

pub(super) fn exploration_text(exploration: &Exploration) -> String {
    let density = density_words(exploration.density());
    let (low, high, seed) = (exploration.low, exploration.high, exploration.seed);
    let on = match exploration.arm.as_str() {
        "" => "on all requests".to_owned(),
        arm => format!("in {arm}"),
    };
    format!("λ is drawn {on}, {density} from {low} to {high}, seed {seed}")
}

pub(super) fn segment_json(segment: &Segment) -> Value {
    json!({
        "name": segment.name,
        "conditions": segment.conditions.iter().map(condition_json).collect::<Vec<_>>(),
        "weights": weights_json(&segment.weights),
    })
}

fn condition_json(condition: &Condition) -> Value {
    match &condition.test {
        Some(Test::AnyOf(any)) => json!({
            "attribute": condition.attribute,
            "any_of": any.values.iter().map(value_json).collect::<Vec<_>>(),
        }),
        Some(Test::Range(range)) => json!({
            "attribute": condition.attribute,
            "at_least": range.at_least,
            "below": range.below,
        }),
        None => json!({ "attribute": condition.attribute }),
    }
}

fn value_json(value: &AttributeValue) -> Value {
    match &value.value {
        Some(Kind::Number(number)) => json!(number),
        Some(Kind::Text(text)) => json!(text),
        None => Value::Null,
    }
}

pub(super) fn experiment_json(experiment: &Experiment) -> Value {
    let arms = experiment.arms.iter().map(|arm| {
        json!({
            "name": arm.name,
            "buckets": arm.buckets,
            "weights": weights_json(&arm.weights),
        })
    });
    let runs = experiment.buckets.iter();
    let runs = runs.map(|run| json!({ "arm": none(&run.arm), "count": run.count }));
    json!({
        "name": experiment.name,
        "salt": experiment.salt,
        "segment": none(&experiment.segment),
        "arms": arms.collect::<Vec<_>>(),
        "buckets": runs.collect::<Vec<_>>(),
    })
}

pub(super) fn exploration_json(exploration: &Exploration) -> Value {
    json!({
        "low": exploration.low,
        "high": exploration.high,
        "density": density_name(exploration.density()),
        "arm": none(&exploration.arm),
        "seed": exploration.seed,
    })
}

pub(super) fn attribute_json(attribute: &Attribute) -> Value {
    json!({
        "name": attribute.name,
        "value": attribute.value.as_ref().map(value_json),
    })
}

/// An empty name is none.
fn none(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::condition::merged;

    #[test]
    fn conditions_are_shown_as_they_are_written() {
        for written in [
            &["c=DE,\"1\",2,\"a,b\",\"true\""][..],
            &["n>=5", "n<20"],
            &["c=DE", "n<2.5"],
        ] {
            let read: Result<Vec<_>, _> = written.iter().map(|text| condition(text)).collect();
            let shown = conditions_text(&merged(&read.unwrap()).unwrap());
            assert_eq!(shown, written.join(" and "));
        }
    }
}
