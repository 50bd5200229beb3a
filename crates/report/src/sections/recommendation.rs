//! The recommendation: the finding at the top, and the section that supports it.

use counterweight_chart::Ink;
use counterweight_evaluation::{Interval, Outcome, Recommendation, Recommended};
use counterweight_ranking::symbol;

use crate::{
    document::{Block, Highlight, Table, line, paragraphs},
    error::ReportError,
    report::Report,
    view::ink,
    words::{basis, capitalised, change, display_name, interval, percent_change, short},
};

#[derive(askama::Template)]
#[template(
    path = "recommendation.txt",
    blocks = ["finding", "words", "caption", "apply"]
)]
struct Prose {
    /// The weights, symbol by symbol; none where nothing is recommended.
    weights: Option<String>,
    reason: String,
    gain: String,
    cost: String,
    counted: &'static str,
    level: f64,
    lambda: String,
    range: (String, String),
    /// Points of gain that ten points of cost are worth.
    points: String,
    kept: Option<bool>,
}

impl Prose {
    fn new(answer: &Recommendation) -> Self {
        let found = answer.recommended.as_ref();
        let lambda = found.map_or(f64::NAN, |found| found.lambda);
        let bound = |value: f64| match value.is_finite() {
            true => short(value),
            false => "∞".to_owned(),
        };
        let range = found.map_or((f64::NAN, f64::NAN), |found| found.range);
        Self {
            weights: found.map(weights),
            reason: answer
                .reason
                .clone()
                .unwrap_or_else(|| "the evidence is not sufficient".to_owned()),
            gain: display_name(&answer.gain),
            cost: display_name(&answer.cost),
            counted: basis(answer.basis),
            level: 100.0 * answer.draws.level,
            lambda: short(lambda),
            range: (bound(range.0), bound(range.1)),
            points: format!("{:.2}", 10.0 * lambda),
            kept: found.and_then(|found| found.kept),
        }
    }
}

fn weights(found: &Recommended) -> String {
    let each = found.weights.iter().enumerate();
    let each = each.map(|(at, weight)| format!("{} = {}", symbol(at), short(*weight)));
    each.collect::<Vec<_>>().join(", ")
}

/// The finding, in one or two sentences.
pub(super) fn finding(answer: &Recommendation) -> Result<String, ReportError> {
    line(&Prose::new(answer).as_finding())
}

/// The weights, and what they change, as large figures.
pub(super) fn highlights(report: &Report) -> Vec<Highlight> {
    let (Some(found), Some(question)) = (report.recommended(), &report.question) else {
        return Vec::new();
    };
    let changed = |objective: usize, own: Interval, now: Interval| {
        let share = |value: f64| match now.value > 0.0 {
            true => percent_change(value / now.value),
            false => format!("{value:+.4}"),
        };
        Highlight {
            name: capitalised(&display_name(&question.objectives[objective])),
            value: share(own.value),
            detail: format!(
                "({} to {}) against λ = {} now",
                share(own.low),
                share(own.high),
                short(found.reference.lambda)
            ),
            ink: ink(objective).class(),
        }
    };
    vec![
        Highlight {
            name: "Recommended weights".to_owned(),
            value: weights(found),
            detail: format!("λ = {}", short(found.lambda)),
            ink: Ink::Green.class(),
        },
        changed(question.gain, found.gain_change, found.reference.gain),
        changed(question.swept, found.cost_change, found.reference.cost),
    ]
}

pub(super) fn blocks(report: &Report) -> Result<Vec<Block>, ReportError> {
    let Some(answer) = &report.recommendation else {
        return Ok(Vec::new());
    };
    let prose = Prose::new(answer);
    let Some(found) = &answer.recommended else {
        return Ok(vec![Block::Text(line(&prose.as_finding())?)]);
    };
    let mut blocks: Vec<Block> = paragraphs(&prose.as_words())?
        .into_iter()
        .map(Block::Text)
        .collect();
    let header = ["", "λ", &prose.gain, &prose.cost].map(str::to_owned);
    let mut table = Table::new(line(&prose.as_caption())?, header.to_vec(), 1);
    let row = |name: &str, own: &Outcome| {
        vec![
            name.to_owned(),
            short(own.lambda),
            interval(own.gain),
            interval(own.cost),
        ]
    };
    table.rows = vec![
        row("tune part, where it was chosen", &found.tune),
        row("test part, recommended", &found.test),
        row("test part, now", &found.reference),
        vec![
            "test part, change".to_owned(),
            String::new(),
            change(found.gain_change),
            change(found.cost_change),
        ],
    ];
    blocks.push(Block::Table(table));
    if let Some(command) = &report.command {
        blocks.push(Block::Text(line(&prose.as_apply())?));
        blocks.push(Block::Code(command.clone()));
    }
    Ok(blocks)
}
