//! The section of one request before and after.

use counterweight_offline::Example;
use counterweight_ranking::symbol;

use crate::{
    Report,
    document::{Block, Table},
    plots::{said, short},
};

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let (Some(example), Some(asked)) = (&report.example, &report.question) else {
        return Vec::new();
    };
    let Example {
        request,
        lambdas,
        k,
        candidates,
        changed,
        rows,
    } = example;
    let mut header = vec![
        "candidate".to_owned(),
        "before".to_owned(),
        "after".to_owned(),
    ];
    header.extend(
        asked
            .objectives
            .iter()
            .map(|name| format!("P({})", said(name))),
    );
    header.extend(["score before".to_owned(), "score after".to_owned()]);
    header.push("came of it".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(
        &format!(
            "Request {request}, {candidates} candidates: the page of {k} at λ = {} and at λ = {}. {changed} of {k} are others.",
            short(lambdas[0]),
            short(lambdas[1])
        ),
        &header,
        1,
    );
    for row in rows {
        let place = |place: usize| match place <= *k {
            true => place.to_string(),
            false => format!("({place})"),
        };
        let mut cells = vec![row.id.clone(), place(row.before), place(row.after)];
        cells.extend(row.probabilities.iter().map(|p| format!("{p:.4}")));
        cells.extend(row.scores.iter().map(|score| format!("{score:.4}")));
        cells.push(came(&asked.objectives, &row.outcomes));
        table.rows.push(cells);
    }
    vec![
        Block::Text(format!(
            "A request of the test part, not a pretty one: of those whose page changes, as many candidates change here as in the median one. Places in brackets are off the page. Score = {}.",
            asked
                .objectives
                .iter()
                .enumerate()
                .map(|(at, name)| format!("{}·P({})", symbol(at), said(name)))
                .collect::<Vec<_>>()
                .join(" + ")
        )),
        Block::Table(table),
    ]
}

fn came(objectives: &[String], outcomes: &[Option<f64>]) -> String {
    let known = objectives.iter().zip(outcomes);
    let words: Vec<String> = known
        .filter_map(|(name, outcome)| match outcome {
            Some(1.0) => Some(said(name)),
            Some(share) if *share > 0.0 => Some(format!("{} {share:.4}", said(name))),
            _ => None,
        })
        .collect();
    match words.is_empty() {
        false => words.join(", "),
        true if outcomes.iter().all(Option::is_none) => "not known".to_owned(),
        true => "–".to_owned(),
    }
}
