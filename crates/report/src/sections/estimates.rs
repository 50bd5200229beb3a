//! The sections that say how far numbers can be believed: calibration, and off-policy estimates with their refusals.

use counterweight_offline::OpeReport;

use crate::{
    Report, ReportError,
    document::{Block, Table},
    plots::{self, said, short},
};

pub(super) fn calibration(report: &Report) -> Result<Vec<Block>, ReportError> {
    if report.calibration.is_empty() {
        return Ok(Vec::new());
    }
    let plots: Result<Vec<_>, ReportError> = report
        .calibration
        .iter()
        .zip(1..)
        .map(|(own, number)| plots::calibration(own, number))
        .collect();
    let mut table = Table::new(
        "Weights mean something for calibrated probabilities only, and for one calibration only.",
        &[
            "objective",
            "foretold",
            "came true",
            "ECE",
            "AUC",
            "log loss",
        ],
        1,
    );
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
    for own in &report.calibration {
        table.rows.push(vec![
            said(&own.objective),
            format!("{:.4}", own.predicted),
            format!("{:.4}", own.realised),
            format!("{:.4}", own.ece),
            figure(own.auc),
            figure(own.log_loss),
        ]);
    }
    Ok(vec![Block::Plots(plots?), Block::Table(table)])
}

pub(super) fn off_policy(report: &OpeReport) -> Result<Vec<Block>, ReportError> {
    let mut words = format!("{} requests explored", report.requests);
    if let Some((low, high)) = report.range {
        words.push_str(&format!("; each drew λ from [{low}, {high}] at least"));
    }
    words.push_str(". Estimates are refused where the weights cannot carry them: too small an effective sample, one weight with too large a share, weights whose mean is not 1, or no support.");
    let mut blocks = vec![Block::Text(words)];
    if let Some(plot) = plots::off_policy(&report.rows)? {
        blocks.push(Block::Plots(vec![plot]));
    }
    for rows in report.rows.chunk_by(|a, b| a.objective == b.objective) {
        let names: Vec<&str> = rows[0].estimates.iter().map(|own| own.estimator).collect();
        let mut header = vec!["policy"];
        header.extend(&names);
        header.push("ESS");
        let mut table = Table::new(
            &format!(
                "{}, mean per place. ± is half of a {:.0} % interval; a dash is refused. ESS: effective sample size of the last estimator.",
                said(&rows[0].objective),
                100.0 * report.level
            ),
            &header,
            1,
        );
        for row in rows {
            let policy = row
                .lambda
                .map_or_else(|| "uniform".to_owned(), |at| format!("λ = {}", short(at)));
            let mut cells = vec![policy];
            cells.extend(
                row.estimates
                    .iter()
                    .map(|own| match (own.value, own.interval) {
                        (Some(value), Some((low, high))) => {
                            format!("{value:.4} ±{:.4}", 0.5 * (high - low))
                        }
                        _ => "–".to_owned(),
                    }),
            );
            let ess = row.estimates.last().map_or(0.0, |own| own.effective);
            cells.push(format!("{ess:.0}"));
            table.rows.push(cells);
        }
        blocks.push(Block::Table(table));
    }
    let reasons = report.rows.iter().flat_map(|row| {
        let each = row.estimates.iter();
        each.flat_map(|own| {
            own.refusals
                .iter()
                .map(|reason| format!("{}: {reason}", own.estimator))
        })
    });
    if let Some(first) = reasons.into_iter().next() {
        blocks.push(Block::Text(format!(
            "Why an estimate is refused, for one: {first}."
        )));
    }
    Ok(blocks)
}
