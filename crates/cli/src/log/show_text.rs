//! One ranking in plain words, for somebody who answers a user's question.

use counterweight_impressions::{
    Explained, FeatureTerms, InputValue, NotExplained, RankedObjective, RowExplained,
};
use counterweight_ranking::{Density, contribution, number_text, symbol};

use super::{revision::Revision, shown::Shown};
use crate::{
    clock::local_time_or_empty,
    output::{escape, lines},
};

/// How many features are named in each direction.
const MOST_NAMED: usize = 3;
/// Characters of a value that are printed.
const MOST_CHARACTERS: usize = 40;

/// The page in words, best first.
pub(super) fn text(shown: &Shown) -> String {
    let mut text = ranking_lines(shown);
    text.extend([weights_line(shown), source_line(shown), author_line(shown)]);
    text.extend(missing_lines(shown));
    text.extend(shared_lines(shown));
    for place in 0..shown.ranking.request.page.len() {
        text.push(String::new());
        text.extend(place_lines(shown, place));
    }
    text.push(String::new());
    text.extend(own_lines(shown));
    if explained_rows(shown).next().is_some() {
        text.push(
            "The numbers in brackets are what a feature added to the logit. All of them and the intercept sum to it exactly; --json has them in their order."
                .to_owned(),
        );
    }
    lines(text)
}

fn explained_rows(shown: &Shown) -> impl Iterator<Item = &RowExplained> {
    let explained = shown.ranking.explained.iter();
    explained.flat_map(|explained| match explained {
        Explained::Candidates(rows) => &rows[..],
        Explained::Not(_) => &[],
    })
}

fn ranking_lines(shown: &Shown) -> Vec<String> {
    let request = &shown.ranking.request;
    let time = prost_types::Timestamp {
        seconds: request.time_ms.div_euclid(1000),
        nanos: i32::try_from(request.time_ms.rem_euclid(1000) * 1_000_000).unwrap_or(0),
    };
    let answered = format!(
        "Ranking {} answered request {} of profile {} at {}.",
        shown.ranking.ranking,
        request.id,
        request.profile,
        local_time_or_empty(Some(&time))
    );
    let unit = match &request.user {
        Some(unit) => format!(", to the unit that the log has as {unit}"),
        None => String::new(),
    };
    let showed = format!(
        "It showed {} of {} candidates{unit}.",
        request.page.len(),
        request.candidates.len()
    );
    vec![answered, showed]
}

fn weights_text(shown: &Shown, weights: &[f64]) -> String {
    let objectives = shown.ranking.request.objectives.iter().zip(weights);
    let each = objectives.enumerate().map(|(at, (objective, weight))| {
        format!("{} {} {}", symbol(at), objective.name, number_text(*weight))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn weights_line(shown: &Shown) -> String {
    let weights = weights_text(shown, &shown.weights());
    match shown.ranking.not_combined.is_empty() {
        true => format!("The weights were {weights}."),
        false => format!(
            "The weights were {weights}. It was ranked without {}.",
            shown.ranking.not_combined.join(" and ")
        ),
    }
}

/// Where the weights came from.
fn source_line(shown: &Shown) -> String {
    let request = &shown.ranking.request;
    let revision = format!("revision {}", request.revision);
    if let Some(draw) = request.draw {
        let (low, high) = draw.density.range();
        let density = match draw.density {
            Density::Uniform { .. } => "every value alike",
            Density::LogUniform { .. } => "every ratio alike",
        };
        return format!(
            "The profile explores: λ = {} was drawn for this request from {} to {}, {density}, as {revision} of the profile says.",
            number_text(draw.lambda),
            number_text(low),
            number_text(high)
        );
    }
    if let Some(arm) = &request.arm {
        let (experiment, arm) = arm.rsplit_once('/').unwrap_or(("", arm));
        return format!(
            "They are those of arm {arm} of experiment {experiment}, as {revision} of the profile says."
        );
    }
    if let Some(segment) = &request.segment {
        return format!("They are those of segment {segment}, as {revision} of the profile says.");
    }
    match &shown.own {
        Some(own) if *own != shown.weights() => format!(
            "They are not those of {revision}, and no segment, arm or draw applied: a local kill had put the safe weights in force."
        ),
        _ => format!(
            "No segment, arm or draw replaced them: they are the profile's own, of {revision}."
        ),
    }
}

fn author_line(shown: &Shown) -> String {
    let revision = shown.ranking.request.revision;
    match (&shown.revision, revision) {
        (_, 0) => "Revision 0 is the configuration: nobody had set weights.".to_owned(),
        (
            Some(Revision {
                set_by: Some(set_by),
                ..
            }),
            _,
        ) => format!(
            "{} set revision {revision} at {}: {}",
            set_by.author,
            local_time_or_empty(set_by.time.as_ref()),
            set_by.reason
        ),
        _ => format!("Give --address or --history to see who set revision {revision}, and why."),
    }
}

/// Why it cannot be said which features moved the probabilities of an objective.
fn missing_lines(shown: &Shown) -> Vec<String> {
    let objectives = shown.ranking.request.objectives.iter();
    let explained = objectives.zip(&shown.ranking.explained);
    let line = |(objective, explained): (&RankedObjective, &Explained)| {
        let Explained::Not(why) = explained else {
            return None;
        };
        let name = &objective.name;
        let version = objective.model.as_deref().unwrap_or_default();
        Some(match why {
            NotExplained::NoModel => {
                format!("The probabilities of {name} came with the request.")
            }
            NotExplained::NotAtHand if shown.has_models => {
                format!(
                    "--models does not have model {version}, which gave the probabilities of {name}."
                )
            }
            NotExplained::NotAtHand => format!(
                "The probabilities of {name} are from model {version}. Give --models to see which features moved them."
            ),
            NotExplained::NotLogged(features) => format!(
                "Model {version} of {name} reads features that are not in the log: {}.",
                features.join(", ")
            ),
            NotExplained::WithoutFeatures => format!(
                "The features of these candidates are not in the log, so it cannot be said what moved {name}."
            ),
        })
    };
    explained.filter_map(line).collect()
}

fn place_lines(shown: &Shown, place: usize) -> Vec<String> {
    let request = &shown.ranking.request;
    let at = request.page[place];
    let rank = match place {
        0 => "the highest score".to_owned(),
        place => format!("the {} highest score", ordinal(place + 1)),
    };
    let mut lines = vec![format!(
        "{} was at place {} because it had {rank} of {} candidates, {:.4}.",
        request.candidates[at],
        place + 1,
        request.candidates.len(),
        shown.scores[at]
    )];
    let objectives = request.objectives.iter().zip(&shown.ranking.explained);
    for (position, (objective, explained)) in objectives.enumerate() {
        let probability = objective.probabilities[at];
        let part = contribution(objective.weight, probability);
        let effect = match part {
            part if part > 0.0 => format!("adds {part:.4}"),
            part if part < 0.0 => format!("takes {:.4} away", -part),
            _ => "changes nothing".to_owned(),
        };
        lines.push(format!(
            "  {} {}: {:.2} % likely, which {effect} (weight {}).",
            symbol(position),
            objective.name,
            100.0 * probability,
            number_text(objective.weight)
        ));
        if let Explained::Candidates(rows) = explained {
            let row = rows.iter().find(|row| row.candidate == at);
            let Some(row) = row else {
                lines.push("     Its features are not in the log.".to_owned());
                continue;
            };
            let own = row.features.iter().filter(|one| !is_shared(rows, one));
            let moved = moved_texts(own).into_iter();
            lines.extend(moved.map(|moved| format!("     It was {moved}.")));
        }
    }
    lines
}

/// What moved an objective alike for all candidates of the page, and so cannot explain their order.
fn shared_lines(shown: &Shown) -> Vec<String> {
    let objectives = shown.ranking.request.objectives.iter();
    let explained = objectives.zip(&shown.ranking.explained);
    let line = |(objective, explained): (&RankedObjective, &Explained)| {
        let Explained::Candidates(rows) = explained else {
            return None;
        };
        let features = rows.first()?.features.iter();
        let moved = moved_texts(features.filter(|one| is_shared(rows, one)));
        let name = &objective.name;
        let line = |moved| format!("For every candidate shown, {name} was {moved}.");
        Some(moved.into_iter().map(line).collect::<Vec<_>>())
    };
    explained.filter_map(line).flatten().collect()
}

/// Whether a feature added the same to all of several candidates.
fn is_shared(rows: &[RowExplained], feature: &FeatureTerms) -> bool {
    let has = |row: &RowExplained| {
        let mut features = row.features.iter();
        features.any(|own| own.feature == feature.feature && own.sum == feature.sum)
    };
    rows.len() > 1 && rows.iter().all(has)
}

/// The features that moved a logit most, up and down.
fn moved_texts<'f>(features: impl Iterator<Item = &'f FeatureTerms>) -> Vec<String> {
    let mut features: Vec<&FeatureTerms> = features.filter(|one| one.sum != 0.0).collect();
    features.sort_by(|a, b| b.sum.abs().total_cmp(&a.sum.abs()));
    let named = |up: bool, verb: &str| {
        let moved = features.iter().filter(|one| (one.sum > 0.0) == up);
        let named: Vec<_> = moved
            .take(MOST_NAMED)
            .map(|one| feature_text(one))
            .collect();
        (!named.is_empty()).then(|| format!("{verb} most by {}", named.join(", ")))
    };
    let moved = [named(true, "raised"), named(false, "lowered")];
    moved.into_iter().flatten().collect()
}

fn feature_text(feature: &FeatureTerms) -> String {
    let input = |one: &InputValue| match &one.value {
        None => format!("{} missing", one.input),
        // Nobody can read an embedding.
        Some(_) if one.kind.starts_with("vector") => one.input.clone(),
        Some(value) => format!("{} = {}", one.input, clipped(value)),
    };
    let inputs: Vec<String> = feature.inputs.iter().map(input).collect();
    let inputs = inputs.join(" and ");
    match &feature.inputs[..] {
        [one] if one.input == feature.feature => format!("{inputs} ({:+.2})", feature.sum),
        _ => format!("{} of {inputs} ({:+.2})", feature.feature, feature.sum),
    }
}

fn clipped(value: &str) -> String {
    let mut characters = value.chars();
    let mut text: String = characters.by_ref().take(MOST_CHARACTERS).collect();
    if characters.next().is_some() {
        text.push('…');
    }
    escape(&text).into_owned()
}

/// What the page would have been at the profile's own weights.
fn own_lines(shown: &Shown) -> Vec<String> {
    let Some(own) = &shown.own else {
        let why = match shown.revision {
            None => {
                "Give --address to see what would have been shown at the profile's own weights."
            }
            Some(_) => {
                "What the profile's own weights were is not known any more: revision 0 is the configuration of that time."
            }
        };
        return vec![why.to_owned()];
    };
    let Some(page) = shown.page_at_own() else {
        return Vec::new();
    };
    let weights = weights_text(shown, own);
    let request = &shown.ranking.request;
    if page == request.page {
        return vec![format!(
            "At the profile's own weights, {weights}, the page would have been the same."
        )];
    }
    let mut lines = vec![format!(
        "At the profile's own weights, {weights}, the page would have been:"
    )];
    for (place, at) in page.iter().enumerate() {
        let was = match shown.place(*at) {
            Some(was) if was == place + 1 => "the same place".to_owned(),
            Some(was) => format!("was at place {was}"),
            None => "was not shown".to_owned(),
        };
        lines.push(format!(
            "  {}. {} ({was})",
            place + 1,
            request.candidates[*at]
        ));
    }
    lines
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_english() {
        let texts = [1, 2, 3, 4, 11, 12, 13, 21, 111, 122].map(ordinal);
        let expected = [
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "122nd",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_long_value_is_clipped_and_stays_on_its_line() {
        assert_eq!(clipped("short"), "short");
        let long = clipped(&"ä".repeat(50));
        assert_eq!(long.chars().count(), MOST_CHARACTERS + 1);
        assert!(!clipped("a\nb").contains('\n'));
    }
}
