//! Formats segments, experiments and exploration for people, one line each.

use counterweight_proto::counterweight::v1::{
    AttributeValue, Condition, Exploration, ObjectiveWeight, ProfileWeights,
    attribute_value::Value as Kind, condition::Test,
};
use counterweight_ranking::{number_text, symbol};
use serde_json::json;

use super::arms::percent;
use crate::{condition::parse_condition, draw_text::density_words};

/// The segments, experiments and exploration of a profile, one line each; empty if it has none.
pub(super) fn audience_lines(profile: &ProfileWeights) -> Vec<String> {
    let segments = profile.segments.iter().map(|segment| {
        format!(
            "segment {}: {} → {}",
            segment.name,
            conditions_text(&segment.conditions),
            replaced_weights(&segment.weights, profile)
        )
    });
    let experiments = profile.experiments.iter().map(|experiment| {
        let arms = experiment.arms.iter().map(|arm| {
            let (name, share) = (&arm.name, percent(arm.buckets));
            format!(
                "{name} {share} → {}",
                replaced_weights(&arm.weights, profile)
            )
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

/// The number of segments and experiments of a profile and its exploration, for one line of the
/// history; empty if it has none.
pub(super) fn audience_summary(profile: &ProfileWeights) -> String {
    let count = |count: usize, what: &str| match count {
        0 => String::new(),
        1 => format!(" + 1 {what}"),
        more => format!(" + {more} {what}s"),
    };
    let mut text = count(profile.segments.len(), "segment");
    text.push_str(&count(profile.experiments.len(), "experiment"));
    if let Some(exploration) = &profile.exploration {
        let [low, high] = [exploration.low, exploration.high].map(number_text);
        text.push_str(&format!(" + λ drawn from {low} to {high}"));
    }
    text
}

/// The weights of a segment or an arm, which replace those of the profile.
pub(super) fn replaced_weights(weights: &[ObjectiveWeight], profile: &ProfileWeights) -> String {
    if weights.is_empty() {
        return "weights unchanged".to_owned();
    }
    let texts = weights.iter().map(|weight| {
        let mut own = profile.weights.iter();
        match own.position(|own| own.objective == weight.objective) {
            Some(position) => {
                let value = number_text(weight.weight);
                format!("{} {} {value}", symbol(position), weight.objective)
            }
            None => format!("{} {}", weight.objective, number_text(weight.weight)),
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
                .filter_map(|(end, sign)| Some(format!("{name}{sign}{}", number_text(end?))))
                .collect(),
            None => vec![format!("{name}?")],
        }
    });
    each.collect::<Vec<_>>().join(" and ")
}

/// A value as it is written on the command line. Text that would be parsed differently is quoted.
fn value_text(value: &AttributeValue) -> String {
    match &value.value {
        Some(Kind::Number(number)) => number_text(*number),
        Some(Kind::Text(text)) => match parse_condition(&format!("a={text}")) {
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
    let [low, high] = [exploration.low, exploration.high].map(number_text);
    let seed = exploration.seed;
    let on = match exploration.arm.as_str() {
        "" => "on all requests".to_owned(),
        arm => format!("in {arm}"),
    };
    format!("λ is drawn {on}, {density} from {low} to {high}, seed {seed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::merge_ranges;

    #[test]
    fn conditions_are_shown_as_they_are_written() {
        for written in [
            &["c=DE,\"1\",2,\"a,b\",\"true\""][..],
            &["n>=5", "n<20"],
            &["c=DE", "n<2.5"],
        ] {
            let read: Result<Vec<_>, _> =
                written.iter().map(|text| parse_condition(text)).collect();
            let shown = conditions_text(&merge_ranges(&read.unwrap()).unwrap());
            assert_eq!(shown, written.join(" and "));
        }
    }
}
