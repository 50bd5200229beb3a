//! `counterweight bench ope`: what another policy would have brought, from a log that explored.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use counterweight_evaluation::{
    EstimateRow, OpeOptions, OpeReport, Policy, PolicyRow, check_curve_file, estimate,
    write_ope_curves,
};
use serde_json::json;

use super::log::{LogArgs, QuestionArgs, bound_line, read_line};
use crate::{
    number::{parse_non_negative, parse_share},
    output::{Output, table},
    progress,
};

/// What another policy would have brought, from a log that explored; refused where its weights
/// cannot carry it.
#[derive(Args)]
pub(crate) struct Ope {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    question: QuestionArgs,
    /// The policy that is judged.
    #[arg(long, value_enum, default_value_t = PolicyName::Lambda)]
    policy: PolicyName,
    /// The λ to judge [default: eleven over the range that was explored].
    #[arg(long, value_name = "LAMBDA", value_delimiter = ',', value_parser = parse_non_negative)]
    at: Vec<f64>,
    /// Level of the intervals.
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    level: f64,
    /// Also write the whole curves over the range of λ that was explored to this .csv or .parquet
    /// file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show estimates, too, that their weights refuse.
    #[arg(long)]
    anyway: bool,
}

/// A policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyName {
    /// Ranking with λ.
    Lambda,
    /// Every candidate is equally likely.
    Uniform,
}

impl Ope {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            check_curve_file(out)?;
        }
        let mut log = self.log.open()?;
        let bar = progress::rows(log.name());
        let policy = match self.policy {
            PolicyName::Lambda => Policy::Lambda(self.at.clone()),
            PolicyName::Uniform => Policy::Uniform,
        };
        let options = OpeOptions {
            policy,
            level: self.level,
            anyway: self.anyway,
        };
        let question = self.question.question();
        let answer = estimate(&mut log, &question, &options, &mut |rows| {
            bar.set_position(rows);
        });
        let (report, read) = answer?;
        if let Some(out) = &self.out {
            write_ope_curves(&mut log, &question, out, &mut |rows| bar.set_position(rows))?;
        }
        bar.finish_and_clear();
        let value = json!({
            "log": log.name(),
            "objectives": log.objectives(),
            "read": read,
            "off_policy": report,
        });
        output.print(&value, |_| {
            format!(
                "{}\n{}\nprobabilities: {}",
                read_line(&log, &read),
                human(&report),
                bound_line(log.objectives())
            )
        })
    }
}

fn human(report: &OpeReport) -> String {
    let mut text = format!("{} requests explored", report.requests);
    if let Some((low, high)) = report.range {
        text.push_str(&format!("; each drew λ from [{low}, {high}] at least"));
    }
    for (count, what) in [
        (report.unlabelled, "whose outcomes are not all known"),
        (
            report.contradicted,
            "that λ and probabilities of the log cannot have given",
        ),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} left out {what}"));
        }
    }
    text.push('\n');
    let mut refused: Vec<String> = Vec::new();
    for rows in report.rows.chunk_by(|a, b| a.objective == b.objective) {
        text.push_str(&format!(
            "\n{}, mean over the page\n{}\n",
            rows[0].objective,
            estimates(rows)
        ));
        for row in rows {
            for estimate in &row.estimates {
                let at = row
                    .lambda
                    .map_or_else(String::new, |at| format!(" at λ = {at}"));
                let reasons = estimate.refusals.iter();
                refused
                    .extend(reasons.map(|reason| format!("{}{at}: {reason}", estimate.estimator)));
            }
        }
    }
    refused.sort();
    refused.dedup();
    text.push_str(&format!(
        "± is half of a {:.0} % interval; it covers the draw of users under what the estimator assumes of users: SIPS nothing, RIPS that they look from the top, IIPS and DR that places do not touch each other. ESS is of IIPS.",
        100.0 * report.level
    ));
    if let Some(first) = refused.first() {
        text.push_str(&format!(
            "\nRefused estimates are a dash, or shown on --anyway and not to be acted on ({} reasons, all in --json): {first}.",
            refused.len()
        ));
    }
    text
}

fn estimates(rows: &[PolicyRow]) -> String {
    let mut header = vec!["λ"];
    header.extend(rows[0].estimates.iter().map(|estimate| estimate.estimator));
    header.push("ESS");
    let cell = |estimate: &EstimateRow| match (estimate.value, estimate.interval) {
        (Some(value), Some((low, high))) => format!("{value:.4} ±{:.4}", 0.5 * (high - low)),
        _ => "–".to_owned(),
    };
    let row = |row: &PolicyRow| {
        let mut cells = vec![
            row.lambda
                .map_or_else(|| "uniform".to_owned(), |at| format!("{at:.4}")),
        ];
        cells.extend(row.estimates.iter().map(cell));
        let effective = row.estimates.last().map_or(f64::NAN, |last| last.effective);
        cells.push(format!("{effective:.0}"));
        cells
    };
    table(&header, 0, rows.iter().map(row))
}
