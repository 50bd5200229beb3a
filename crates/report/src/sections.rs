//! What a report says, section by section.

mod compared;
mod estimates;
mod example;
mod front;
mod method;
mod recommended;

use counterweight_offline::{Basis, Interval};

use super::{
    Report,
    document::{Block, Document, Section},
    plots::{self, said},
};
use crate::ReportError;

pub(super) fn document(report: &Report) -> Result<Document, ReportError> {
    let mut sections = Vec::new();
    let mut add = |id, title, blocks: Vec<Block>| {
        if !blocks.is_empty() {
            sections.push(Section { id, title, blocks });
        }
    };
    if let Some(front) = &report.front {
        let drawn = plots::front(report, front)?;
        let mut blocks = vec![
            Block::Text(front::words(report, front)),
            Block::Plots(vec![drawn]),
        ];
        blocks.push(Block::Table(front::table(report, front)));
        add("front", "The front", blocks);
        add(
            "curves",
            "Curves over λ",
            vec![Block::Plots(plots::curves(report, front)?)],
        );
    }
    add(
        "recommendation",
        "Recommendation",
        recommended::blocks(report),
    );
    add(
        "example",
        "One request, before and after",
        example::blocks(report),
    );
    add(
        "calibration",
        "Can the probabilities be believed?",
        estimates::calibration(report)?,
    );
    if let Some(comparison) = &report.comparison {
        add(
            "comparison",
            "Two models against one",
            compared::blocks(comparison)?,
        );
    }
    if let Some(off_policy) = &report.off_policy {
        add(
            "off-policy",
            "Off-policy estimates",
            estimates::off_policy(off_policy)?,
        );
    }
    if let Some(front) = &report.front {
        add(
            "baselines",
            "Orders without weights",
            front::baselines(front),
        );
    }
    add("method", "How this was computed", method::blocks(report));
    Ok(Document {
        title: match &report.question {
            Some(_) => {
                let [gain, cost] = report.gain_and_cost();
                format!("{}: {} against {}", report.log, said(&gain), said(&cost))
            }
            None => format!("{}: off-policy estimates", report.log),
        },
        lead: lead(report),
        sections,
    })
}

/// The findings, one sentence each.
fn lead(report: &Report) -> Vec<String> {
    let mut lead = Vec::new();
    match &report.recommendation {
        Some(answer) => lead.push(match (&answer.recommended, &answer.reason) {
            (Some(found), _) => recommended::finding(answer, found),
            (None, reason) => format!(
                "No recommendation: {}.",
                reason.as_deref().unwrap_or("there is no evidence")
            ),
        }),
        None if report.front.is_some() => lead.push(
            "No goal was given, so no weight is recommended; give a budget of bait, a least engagement or an exchange rate.".to_owned(),
        ),
        None => {}
    }
    if let Some(front) = &report.front {
        lead.push(front::reach(report, front));
    }
    if let Some(comparison) = &report.comparison {
        lead.push(comparison.words());
    }
    if let Some(off_policy) = &report.off_policy {
        let rows = off_policy.rows.iter().flat_map(|row| &row.estimates);
        let refused = rows.clone().filter(|row| !row.refusals.is_empty());
        let (shown, refused) = (
            refused.clone().any(|row| row.value.is_some()),
            refused.count(),
        );
        lead.push(format!(
            "{} requests were randomised: {} estimates of what another policy would have brought stand, {refused} are refused{}.",
            off_policy.requests,
            rows.count() - refused,
            if shown { " and shown all the same" } else { "" }
        ));
    }
    let read = &report.read;
    lead.push(format!(
        "From {} requests of {} users on the tune part and {} of {} on the test part, pages of {} places.",
        read.tune, read.tune_users, read.test, read.test_users, read.k
    ));
    lead
}

pub(super) fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Realised => "what came of it",
        Basis::OffPolicy => "off-policy estimates",
        Basis::Predicted => "what the models predict, which is as good as they are",
    }
}

pub(super) fn interval(own: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", own.value, own.low, own.high)
}

pub(super) fn change(own: Interval) -> String {
    format!("{:+.4} ({:+.4} to {:+.4})", own.value, own.low, own.high)
}
