//! How everything was computed, so that it can be checked and made again.

use counterweight_evaluation::{Objective, Source};

use crate::{
    document::{Block, line, paragraphs},
    error::ReportError,
    report::Report,
};

#[derive(askama::Template)]
#[template(path = "method.txt", blocks = ["facts", "made_by"])]
struct Prose<'a> {
    rows: u64,
    tune: u64,
    tune_users: u64,
    test: u64,
    test_users: u64,
    candidates: u64,
    k: usize,
    left_out: String,
    objectives: Vec<Origin<'a>>,
    bands: Option<Bands>,
    recommended: bool,
    notes: &'a [String],
    version: &'a str,
}

/// Where an objective's probabilities come from.
struct Origin<'a> {
    name: &'a str,
    source: &'a Source,
    /// Empty where it is not known.
    version: &'a str,
    calibrator: Option<&'a str>,
}

/// How the bands of a front were drawn.
struct Bands {
    counted: String,
    replicates: usize,
    seed: u64,
    level: f64,
}

pub(super) fn blocks(report: &Report) -> Result<Vec<Block>, ReportError> {
    let read = &report.read;
    let prose = Prose {
        rows: read.rows,
        tune: read.tune,
        tune_users: read.tune_users,
        test: read.test,
        test_users: read.test_users,
        candidates: read.candidates,
        k: read.k,
        left_out: left_out(report),
        objectives: report.objectives.iter().map(origin).collect(),
        bands: report.view().map(|view| Bands {
            counted: view.counted(),
            replicates: view.front.draws.replicates,
            seed: view.front.draws.seed,
            level: 100.0 * view.front.draws.level,
        }),
        recommended: report.recommendation.is_some(),
        notes: &read.notes,
        version: &report.version,
    };
    let mut blocks = vec![Block::List(paragraphs(&prose.as_facts())?)];
    if !report.made_by.is_empty() {
        blocks.push(Block::Text(line(&prose.as_made_by())?));
        blocks.push(Block::Code(report.made_by.clone()));
    }
    Ok(blocks)
}

fn origin(objective: &Objective) -> Origin<'_> {
    Origin {
        name: &objective.name,
        source: &objective.source,
        version: objective.model.as_deref().unwrap_or_default(),
        calibrator: objective.calibrator.as_deref(),
    }
}

/// What was read and does not count, with the reason.
fn left_out(report: &Report) -> String {
    let read = &report.read;
    let reasons = [
        (
            read.training,
            "requests that the models may have been trained on",
        ),
        (read.divided, "requests divided between parts"),
        (read.incomplete, "requests ranked without an objective"),
        (read.undealt, "rows beyond the last whole request"),
    ];
    let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
    let reasons = reasons.map(|(count, reason)| format!("{count} {reason}"));
    reasons.collect::<Vec<_>>().join(", ")
}
