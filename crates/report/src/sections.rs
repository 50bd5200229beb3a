//! What a report says, section by section. The sentences stand in the templates.

mod baselines;
mod calibration;
mod comparison;
mod curves;
mod example;
pub(crate) mod front;
mod method;
mod off_policy;
mod recommendation;

use counterweight_evaluation::Summary;

use crate::{
    document::{Block, Document, Section, line},
    error::ReportError,
    report::Report,
};

#[derive(askama::Template)]
#[template(path = "no_goal.txt")]
struct NoGoal;

#[derive(askama::Template)]
#[template(path = "read.txt")]
struct Read<'a> {
    read: &'a Summary,
}

pub(crate) fn document(report: &Report) -> Result<Document, ReportError> {
    let mut sections = Vec::new();
    let mut add = |id, title, blocks: Vec<Block>| {
        if !blocks.is_empty() {
            sections.push(Section { id, title, blocks });
        }
    };
    let view = report.view();
    if let Some(view) = &view {
        add("front", "The front", front::blocks(view)?);
        add("curves", "Gain and cost over λ", curves::blocks(view)?);
    }
    add(
        "recommendation",
        "Recommendation",
        recommendation::blocks(report)?,
    );
    add(
        "example",
        "One request, before and after",
        example::blocks(report)?,
    );
    add(
        "calibration",
        "Are the probabilities calibrated?",
        calibration::blocks(report)?,
    );
    if let Some(own) = &report.comparison {
        add(
            "comparison",
            "Two models against one",
            comparison::blocks(own)?,
        );
    }
    if let Some(own) = &report.off_policy {
        add(
            "off-policy",
            "Off-policy estimates",
            off_policy::blocks(own)?,
        );
    }
    if let Some(view) = &view {
        add(
            "baselines",
            "Orders without weights",
            baselines::blocks(view.front)?,
        );
    }
    add("method", "How this was computed", method::blocks(report)?);
    Ok(Document {
        title: match &view {
            Some(view) => {
                let [gain, cost] = [view.gain_name(), view.cost_name()];
                format!("{}: {gain} against {cost}", report.log)
            }
            None => format!("{}: off-policy estimates", report.log),
        },
        highlights: recommendation::highlights(report),
        findings: findings(report)?,
        sections,
    })
}

/// The findings, one sentence each.
fn findings(report: &Report) -> Result<Vec<String>, ReportError> {
    let mut findings = Vec::new();
    let view = report.view();
    match &report.recommendation {
        Some(answer) => findings.push(recommendation::finding(answer)?),
        None if view.is_some() => findings.push(line(&NoGoal)?),
        None => {}
    }
    if let Some(view) = &view {
        findings.push(front::ends(view)?);
    }
    if let Some(comparison) = &report.comparison {
        findings.push(comparison.words());
    }
    if let Some(own) = &report.off_policy {
        findings.push(off_policy::finding(own)?);
    }
    findings.push(line(&Read { read: &report.read })?);
    Ok(findings)
}
