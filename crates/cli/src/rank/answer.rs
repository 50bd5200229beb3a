//! A ranking for people and for programs: the candidates with their scores explained, and the
//! weights that ranked them.

use std::collections::HashMap;

use counterweight_proto::{
    counterweight::v1::{ObjectiveInEffect, RankResponse, WeightRange},
    to_json,
};
use counterweight_ranking::symbol;
use serde_json::{Value, json};

use crate::{draw_text::draw_text, output::table};

/// The column that is printed beside each candidate: its name, and its text by id.
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
    // Ranges are there only where they were asked for.
    let with_ranges = answer
        .candidates
        .iter()
        .any(|one| !one.page_ranges.is_empty());
    if with_ranges {
        let objectives = 0..answer.objectives.len();
        header.extend(objectives.map(|at| format!("stays for {}", symbol(at))));
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

/// The weights that the candidates were ranked with, and what else applied.
fn footer(answer: &RankResponse) -> String {
    let sum: Vec<String> = answer
        .objectives
        .iter()
        .enumerate()
        .map(|(position, objective)| {
            format!(
                "{} = {} ({})",
                symbol(position),
                objective.weight,
                objective.name
            )
        })
        .collect();
    let mut text = format!(
        "{} · profile {} · revision {} · request {}",
        sum.join(", "),
        answer.profile,
        answer.revision,
        answer.request_id
    );
    let applied = [("segment", &answer.segment), ("arm", &answer.arm)];
    for (what, name) in applied.into_iter().filter(|(_, name)| !name.is_empty()) {
        text.push_str(&format!(" · {what} {name}"));
    }
    if let Some(draw) = &answer.draw {
        text.push_str(&format!("\n{}", draw_text(draw)));
    }
    if let Some(stable) = stable_text(&answer.objectives) {
        text.push_str(&format!("\n{stable}"));
    }
    for degraded in &answer.degraded {
        text.push_str(&format!(
            "\ndegraded: ranked without {}: {}",
            degraded.objective, degraded.reason
        ));
    }
    if answer.weights_stale {
        text.push_str("\nthe combiner cannot reach its weights store; these are the last weights that it knows");
    }
    text
}

/// How far each weight may move before the page changes.
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

/// A range with four decimals, rounded inward; with all of them where four would leave nothing of
/// it.
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
        // −0 is 0.
        end => (end + 0.0).to_string(),
    };
    format!("{} … {}", end(low), end(high))
}

/// The head of a long text.
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
            // Under its own key: a column may be called `score`.
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
