//! A ranking for people and for programs: the candidates with their scores explained, and under what they were ranked.

use std::collections::HashMap;

use counterweight_proto::counterweight::v1::{ObjectiveInEffect, RankResponse, WeightRange};
use counterweight_ranking::symbol;
use serde_json::{Value, json};

use crate::{
    draw::{draw_json, draw_text},
    output::{finite, table},
};

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
    let stays = answer.candidates.iter().any(|one| !one.stays.is_empty());
    if stays {
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
            row.extend(candidate.stays.iter().map(range_text));
            row
        });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut text = table(&header, left, rows);
    text.push('\n');
    text.push_str(&footer(answer));
    text
}

/// Under what the candidates were ranked.
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
        text.push_str("\nthe weights store is out of reach; these are the last known good weights");
    }
    text
}

/// How far each weight may move before the page changes.
fn stable_text(objectives: &[ObjectiveInEffect]) -> Option<String> {
    let ranges = objectives.iter().enumerate().filter_map(|(at, objective)| {
        let range = objective.stable.as_ref()?;
        Some(format!("{} {}", symbol(at), range_text(range)))
    });
    let ranges: Vec<String> = ranges.collect();
    (!ranges.is_empty()).then(|| {
        format!(
            "this page stays as it is for {} (one weight moved, the others held)",
            ranges.join(", ")
        )
    })
}

/// A range with four decimals, rounded inward; with all of them where four would leave nothing of it.
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

fn range_json(range: &WeightRange) -> Value {
    json!({ "low": finite(range.low), "high": finite(range.high) })
}

/// The head of a long text.
fn cut(text: &str) -> String {
    const WIDTH: usize = 48;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

pub(super) fn answer_json(answer: &RankResponse, shown: Option<&Shown<'_>>) -> Value {
    let candidates: Vec<Value> = answer
        .candidates
        .iter()
        .enumerate()
        .map(|(rank, candidate)| {
            let mut value = json!({
                "rank": rank + 1,
                "id": candidate.id,
                "score": candidate.score,
                "probabilities": candidate.probabilities,
                "contributions": candidate.contributions,
            });
            if let Some((name, text)) = shown {
                value[*name] = json!(text.get(candidate.id.as_str()));
            }
            if !candidate.stays.is_empty() {
                value["stays"] = candidate.stays.iter().map(range_json).collect();
            }
            value
        })
        .collect();
    let objectives: Vec<Value> = answer
        .objectives
        .iter()
        .map(|objective| {
            let mut value = json!({
                "name": objective.name,
                "weight": objective.weight,
                "model_version": objective.model_version,
                "calibrator": objective.calibrator,
            });
            if let Some(stable) = &objective.stable {
                value["stable"] = range_json(stable);
            }
            value
        })
        .collect();
    let degraded: Vec<Value> = answer
        .degraded
        .iter()
        .map(|degraded| json!({ "objective": degraded.objective, "reason": degraded.reason }))
        .collect();
    json!({
        "request_id": answer.request_id,
        "profile": answer.profile,
        "revision": answer.revision,
        "segment": answer.segment,
        "arm": answer.arm,
        "draw": answer.draw.as_ref().map(draw_json),
        "weights_stale": answer.weights_stale,
        "objectives": objectives,
        "degraded": degraded,
        "candidates": candidates,
    })
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
