//! What other policies would have achieved: estimates, and which of them are refused.

use counterweight_chart::{Axis, Chart, Line};
use counterweight_evaluation::{OpeReport, PolicyRow};

use crate::{
    document::{Block, Plot, Table, line},
    error::ReportError,
    view::ink,
    words::{display_name, short, value_and_half},
};

#[derive(askama::Template)]
#[template(
    path = "off_policy.txt",
    blocks = ["words", "finding", "reading", "caption", "lead", "refused"]
)]
struct Prose {
    requests: usize,
    range: Option<(String, String)>,
    estimates: usize,
    reliable: usize,
    /// Whether refused estimates are shown all the same.
    shown: bool,
    level: f64,
    objective: String,
    /// An estimator and why it is refused.
    refusal: Option<(String, String)>,
}

impl Prose {
    fn new(report: &OpeReport, objective: &str) -> Self {
        let estimates = report.rows.iter().flat_map(|row| &row.estimates);
        let refused = estimates.clone().filter(|own| !own.refusals.is_empty());
        let mut reasons = refused.clone().filter_map(|own| {
            let reason = own.refusals.first()?;
            Some((own.estimator.to_owned(), reason.clone()))
        });
        Self {
            requests: report.requests,
            range: report.range.map(|(low, high)| (short(low), short(high))),
            estimates: estimates.clone().count(),
            reliable: estimates.count() - refused.clone().count(),
            shown: refused.clone().any(|own| own.value.is_some()),
            level: 100.0 * report.level,
            objective: display_name(objective),
            refusal: reasons.next(),
        }
    }
}

/// How many estimates are reliable, in one sentence.
pub(super) fn finding(report: &OpeReport) -> Result<String, ReportError> {
    line(&Prose::new(report, "").as_lead())
}

pub(super) fn blocks(report: &OpeReport) -> Result<Vec<Block>, ReportError> {
    let prose = Prose::new(report, "");
    let mut blocks = vec![Block::Text(line(&prose.as_words())?)];
    let chart = chart(report, &prose)?;
    if chart.lines.iter().any(|line| !line.points.is_empty()) {
        let name = "off-policy".to_owned();
        blocks.push(Block::Plots(vec![Plot { name, chart }]));
    }
    for rows in report.rows.chunk_by(|a, b| a.objective == b.objective) {
        let caption = line(&Prose::new(report, &rows[0].objective).as_caption())?;
        blocks.push(Block::Table(table(rows, caption)));
    }
    let refused = line(&prose.as_refused())?;
    if !refused.is_empty() {
        blocks.push(Block::Text(refused));
    }
    Ok(blocks)
}

/// Estimates over λ, a line per objective: of the last estimator that is not refused.
fn chart(report: &OpeReport, prose: &Prose) -> Result<Chart, ReportError> {
    let objectives = report.rows.chunk_by(|a, b| a.objective == b.objective);
    let lines = objectives.enumerate().map(|(at, rows)| {
        let point = |row: &PolicyRow| {
            let mut estimates = row.estimates.iter().rev();
            let estimate = estimates.find(|own| own.value.is_some())?;
            Some((row.lambda?, estimate.value?, estimate.interval?))
        };
        let points: Vec<_> = rows.iter().filter_map(point).collect();
        Line {
            label: display_name(&rows[0].objective),
            ink: ink(at),
            points: points.iter().map(|&(x, y, _)| (x, y)).collect(),
            band: points
                .iter()
                .map(|&(x, _, (low, high))| (x, low, high))
                .collect(),
            ..Line::default()
        }
    });
    Ok(Chart {
        title: line(&prose.as_finding())?,
        subtitle: line(&prose.as_reading())?,
        description: "Off-policy estimates over λ".to_owned(),
        x: Axis::named("λ"),
        y: Axis::named("Mean per page position"),
        lines: lines.collect(),
        ..Chart::default()
    })
}

fn table(rows: &[PolicyRow], caption: String) -> Table {
    let estimators = rows[0].estimates.iter().map(|own| own.estimator);
    let header = std::iter::once("policy").chain(estimators).chain(["ESS"]);
    let mut table = Table::new(caption, header.map(str::to_owned).collect(), 1);
    for row in rows {
        let policy = row
            .lambda
            .map_or_else(|| "uniform".to_owned(), |at| format!("λ = {}", short(at)));
        let mut cells = vec![policy];
        let estimates = row.estimates.iter();
        cells.extend(estimates.map(|own| match (own.value, own.interval) {
            (Some(value), Some((low, high))) => value_and_half(value, low, high),
            _ => "–".to_owned(),
        }));
        let size = row.estimates.last().map_or(0.0, |own| own.effective);
        cells.push(format!("{size:.0}"));
        table.rows.push(cells);
    }
    table
}
