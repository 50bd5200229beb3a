//! `counterweight bench ope`: estimates what another policy would have brought, from a log with
//! exploration.

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

/// Estimate what another policy would have brought, from a log with exploration. An estimate is
/// refused if too little of the log supports it.
#[derive(Args)]
pub(crate) struct Ope {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    question: QuestionArgs,
    /// The policy to evaluate.
    #[arg(long, value_enum, default_value_t = PolicyName::Lambda)]
    policy: PolicyName,
    /// The values of λ to evaluate [default: eleven over the explored range].
    #[arg(long, value_name = "LAMBDA", value_delimiter = ',', value_parser = parse_non_negative)]
    at: Vec<f64>,
    /// The confidence level of the intervals.
    #[arg(long, default_value_t = 0.95, value_parser = parse_share)]
    level: f64,
    /// Also write the whole curves over the explored range of λ to this .csv or .parquet file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also show estimates that are refused.
    #[arg(long)]
    anyway: bool,
}

/// The policy to evaluate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyName {
    /// Rank with λ.
    Lambda,
    /// Show every candidate with the same probability.
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
    let mut text = format!("{} requests with exploration", report.requests);
    if let Some((low, high)) = report.range {
        text.push_str(&format!(
            "; each drew λ from a range that contains [{low}, {high}]"
        ));
    }
    for (count, what) in [
        (report.unlabelled, "whose outcomes are not all known"),
        (
            report.contradicted,
            "whose page the logged λ and probabilities cannot have produced",
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
        "± is half of a {:.0} % interval. It covers which users came, under the estimator's assumption: SIPS assumes nothing about users, RIPS that they look from the top, IIPS and DR that places do not influence each other. ESS is the effective sample size of IIPS.",
        100.0 * report.level
    ));
    if let Some(first) = refused.first() {
        text.push_str(&format!(
            "\nA refused estimate is a dash; --anyway shows it, but do not act on it ({} reasons, all in --json): {first}.",
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
