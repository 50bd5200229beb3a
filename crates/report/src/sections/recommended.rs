//! The section of the recommendation, and its one sentence at the top.

use counterweight_offline::{Outcome, Recommendation, Recommended};
use counterweight_ranking::symbol;

use super::{basis, change, interval};
use crate::{
    Report,
    document::{Block, Table},
    plots::{said, short},
};

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let Some(answer) = &report.recommendation else {
        return Vec::new();
    };
    let Some(found) = &answer.recommended else {
        let reason = answer.reason.as_deref().unwrap_or("there is no evidence");
        return vec![Block::Text(format!("No recommendation: {reason}."))];
    };
    let (gain, cost) = (said(&answer.gain), said(&answer.cost));
    let mut table = Table::new(
        &format!(
            "By {}, {:.0} % intervals over users; the change is paired.",
            basis(answer.basis),
            100.0 * answer.draws.level
        ),
        &["", "λ", &gain, &cost],
        1,
    );
    let row = |name: &str, own: &Outcome| {
        vec![
            name.to_owned(),
            short(own.lambda),
            interval(own.gain),
            interval(own.cost),
        ]
    };
    table.rows.push(row("tune part, chosen on", &found.tune));
    table.rows.push(row("test part, recommended", &found.test));
    table.rows.push(row("test part, now", &found.reference));
    table.rows.push(vec![
        "test part, change".to_owned(),
        String::new(),
        change(found.gain_change),
        change(found.cost_change),
    ]);
    let kept = match found.kept {
        Some(true) => " The test part keeps the limit.",
        Some(false) => {
            " The test part does NOT keep the limit: tune on more users, or ask for less."
        }
        None => "",
    };
    let mut blocks = vec![
        Block::Text(format!(
            "λ from {} to {} serves as well on the tune part, as far as it can tell. One {cost} avoided is valued at {} {gain}: a candidate with 10 points more of P({cost}) needs {:.2} points more of P({gain}) to keep its place.{kept}",
            short(found.range.0),
            if found.range.1.is_finite() {
                short(found.range.1)
            } else {
                "∞".to_owned()
            },
            short(found.lambda),
            10.0 * found.lambda
        )),
        Block::Table(table),
    ];
    if let Some(command) = &report.command {
        blocks.push(Block::Text("To apply it:".to_owned()));
        blocks.push(Block::Code(command.clone()));
    }
    blocks
}

pub(super) fn finding(answer: &Recommendation, found: &Recommended) -> String {
    let weights: Vec<String> = found
        .weights
        .iter()
        .enumerate()
        .map(|(at, weight)| format!("{} = {weight}", symbol(at)))
        .collect();
    format!(
        "Recommended: {}. On users it was not chosen on, {} is {} and {} {}; against λ = {} that is {} and {}.",
        weights.join(", "),
        said(&answer.gain),
        interval(found.test.gain),
        said(&answer.cost),
        interval(found.test.cost),
        short(found.reference.lambda),
        change(found.gain_change),
        change(found.cost_change)
    )
}
