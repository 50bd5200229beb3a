//! One request before and after.

use counterweight_evaluation::{Example, ExampleRow};
use counterweight_ranking::symbol;

use crate::{
    document::{Block, Table, line},
    error::ReportError,
    report::Report,
    words::{display_name, minus, short},
};

#[derive(askama::Template)]
#[template(path = "example.txt", blocks = ["words", "caption"])]
struct Prose<'a> {
    score: String,
    request: &'a str,
    candidates: usize,
    k: usize,
    before: String,
    after: String,
    changed: usize,
}

pub(super) fn blocks(report: &Report) -> Result<Vec<Block>, ReportError> {
    let (Some(example), Some(question)) = (&report.example, &report.question) else {
        return Ok(Vec::new());
    };
    let Example {
        request,
        lambdas,
        k,
        candidates,
        changed,
        rows,
    } = example;
    let terms = question.objectives.iter().enumerate();
    let terms = terms.map(|(at, name)| format!("{}·P({})", symbol(at), display_name(name)));
    let prose = Prose {
        score: terms.collect::<Vec<_>>().join(" + "),
        request,
        candidates: *candidates,
        k: *k,
        before: short(lambdas[0]),
        after: short(lambdas[1]),
        changed: *changed,
    };
    let mut header = ["candidate", "before", "after"].map(str::to_owned).to_vec();
    let names = question.objectives.iter();
    header.extend(names.map(|name| format!("P({})", display_name(name))));
    header.extend(["score before", "score after", "outcome"].map(str::to_owned));
    let mut table = Table::new(line(&prose.as_caption())?, header, 1);
    table.rows = rows
        .iter()
        .map(|row| cells(row, *k, &question.objectives))
        .collect();
    Ok(vec![
        Block::Text(line(&prose.as_words())?),
        Block::Table(table),
    ])
}

fn cells(row: &ExampleRow, k: usize, objectives: &[String]) -> Vec<String> {
    let place = |place: usize| match place <= k {
        true => place.to_string(),
        false => format!("({place})"),
    };
    let mut cells = vec![row.id.clone(), place(row.before), place(row.after)];
    let numbers = row.probabilities.iter().chain(&row.scores);
    cells.extend(numbers.map(|value| minus(&format!("{value:.4}"))));
    cells.push(outcome(objectives, &row.outcomes));
    cells
}

fn outcome(objectives: &[String], outcomes: &[Option<f64>]) -> String {
    let named = objectives.iter().zip(outcomes);
    let words: Vec<String> = named
        .filter_map(|(name, outcome)| match outcome {
            Some(1.0) => Some(display_name(name)),
            Some(share) if *share > 0.0 => Some(format!("{} {share:.4}", display_name(name))),
            _ => None,
        })
        .collect();
    match words.is_empty() {
        false => words.join(", "),
        true if outcomes.iter().all(Option::is_none) => "unknown".to_owned(),
        true => "–".to_owned(),
    }
}
