//! Formats a ranking for people and for programs: the candidates with the terms of their scores,
//! and the weights that ranked them.

use std::collections::HashMap;

use counterweight_proto::{
    counterweight::v1::{ObjectiveInEffect, RankResponse, WeightRange},
    to_json,
};
use counterweight_ranking::{number_text, symbol};
use serde_json::{Value, json};

use crate::{
    draw_text::draw_text,
    output::{lines, table},
};

/// The column that is printed beside each candidate: its name, and its text by candidate id.
pub(super) type Shown<'a> = (&'a str, HashMap<&'a str, String>);

pub(super) fn answer_table(answer: &RankResponse, shown: Option<&Shown<'_>>) -> String {
    let mut header = vec!["rank".to_owned(), "id".to_owned()];
    header.extend(shown.map(|(name, _)| (*name).to_owned()));
    let left = header.len();
    header.push("score".to_owned());
    for (position, objective) in answer.objectives.iter().enumerate() {
        header.push(format!("P({})", objective.name));
        header.push(format!("{}·P", symbol(position)));
    }
    // The answer has ranges only if the request asked for them.
    let with_ranges = answer
        .candidates
        .iter()
        .any(|one| !one.page_ranges.is_empty());
    if with_ranges {
        let objectives = 0..answer.objectives.len();
        header.extend(objectives.map(|position| format!("stays for {}", symbol(position))));
    }
    let rows = answer
        .candidates
        .iter()
        .enumerate()
        .map(|(rank, candidate)| {
            let mut row = vec![(rank + 1).to_string(), candidate.id.clone()];
            row.extend(shown.map(|(_, text)| {
                text.get(candidate.id.as_str())
                    .map_or_else(String::new, |text| cut(text))
            }));
            row.push(format!("{:.6}", candidate.score));
            for (probability, contribution) in
                candidate.probabilities.iter().zip(&candidate.contributions)
            {
                row.push(format!("{probability:.4}"));
                row.push(format!("{contribution:+.4}"));
            }
            row.extend(candidate.page_ranges.iter().map(range_text));
            row
        });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut text = table(&header, left, rows);
    text.push('\n');
    text.push_str(&footer(answer));
    text
}

/// The lines below the table: the weights that ranked the candidates, and warnings.
fn footer(answer: &RankResponse) -> String {
    let sum: Vec<String> = answer
        .objectives
        .iter()
        .enumerate()
        .map(|(position, objective)| {
            format!(
                "{} = {} ({})",
                symbol(position),
                number_text(objective.weight),
                objective.name
            )
        })
        .collect();
    let mut first = format!(
        "{} · profile {} · revision {} · request {}",
        sum.join(", "),
        answer.profile,
        answer.revision,
        answer.request_id
    );
    let applied = [("segment", &answer.segment), ("arm", &answer.arm)];
    for (what, name) in applied.into_iter().filter(|(_, name)| !name.is_empty()) {
        first.push_str(&format!(" · {what} {name}"));
    }
    let mut footer = vec![first];
    footer.extend(answer.draw.as_ref().map(draw_text));
    footer.extend(stable_text(&answer.objectives));
    footer.extend(answer.degraded.iter().map(|degraded| {
        format!(
            "degraded: ranked without {}: {}",
            degraded.objective, degraded.reason
        )
    }));
    if answer.local_kill {
        let killed = "a local kill put the safe weights in force on this combiner alone";
        footer.push(killed.to_owned());
    }
    if answer.weights_stale {
        let stale =
            "the combiner cannot reach its weights store; these are the last weights that it knows";
        footer.push(stale.to_owned());
    }
    lines(footer)
}

/// How far each weight can move before the page changes; `None` without ranges.
fn stable_text(objectives: &[ObjectiveInEffect]) -> Option<String> {
    let ranges = objectives.iter().enumerate().filter_map(|(at, objective)| {
        let range = objective.page_range.as_ref()?;
        Some(format!("{} {}", symbol(at), range_text(range)))
    });
    let ranges: Vec<String> = ranges.collect();
    (!ranges.is_empty()).then(|| {
        format!(
            "this page stays the same for {} (one weight moved, the others fixed)",
            ranges.join(", ")
        )
    })
}

/// A range with four decimals, rounded inward, so that it never promises too much. If nothing would
/// remain, it is shown with all decimals.
fn range_text(range: &WeightRange) -> String {
    const SCALE: f64 = 1e4;
    let (low, high) = (range.low, range.high);
    let inward = ((low * SCALE).ceil() / SCALE, (high * SCALE).floor() / SCALE);
    let (low, high) = if inward.0 < inward.1 {
        inward
    } else {
        (low, high)
    };
    let end = |end: f64| match end {
        f64::INFINITY => "∞".to_owned(),
        f64::NEG_INFINITY => "−∞".to_owned(),
        // Adding 0 turns −0 into 0.
        end => number_text(end + 0.0),
    };
    format!("{} … {}", end(low), end(high))
}

/// The text, cut to 48 characters.
fn cut(text: &str) -> String {
    const WIDTH: usize = 48;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// The response, with the column that is printed beside each candidate.
pub(super) fn answer_json(
    answer: &RankResponse,
    shown: Option<&Shown<'_>>,
) -> Result<Value, serde_json::Error> {
    let mut value = to_json(answer)?;
    if let (Some((name, text)), Some(candidates)) = (shown, value["candidates"].as_array_mut()) {
        for (candidate, ranked) in candidates.iter_mut().zip(&answer.candidates) {
            // The key is separate because the column may be called `score`.
            candidate["shown"] = json!({ *name: text.get(ranked.id.as_str()) });
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_shown_no_wider_than_it_is() {
        for (low, high, expected) in [
            (-1.23456, -0.98765, "-1.2345 … -0.9877"),
            (f64::NEG_INFINITY, 0.5, "−∞ … 0.5"),
            (0.1, f64::INFINITY, "0.1 … ∞"),
            (-0.00001, 1.0, "0 … 1"),
            (-1.000011, -1.000001, "-1.000011 … -1.000001"),
        ] {
            assert_eq!(range_text(&WeightRange { low, high }), expected);
        }
    }
}
