//! The model card: what a person should know about a model before using it, in Markdown.

use std::fmt::Write as _;

use counterweight_dataset::Loaded;
use counterweight_model::{PartReport, Report};

use crate::error::TrainerError;
use crate::learn::{Learned, calibration_rows};
use crate::measure;
use crate::options::TrainOptions;

/// The number of encoded columns that the card lists.
const TOP_COLUMNS: usize = 20;

/// The contents of a card.
pub(crate) struct Card<'a> {
    learned: &'a Learned,
    loaded: &'a Loaded,
    report: &'a Report,
    options: &'a TrainOptions,
    /// The name of each feature and the standard deviation of its contribution to the logit, the
    /// largest first.
    importance: Vec<(String, f64)>,
}

impl<'a> Card<'a> {
    /// Collects the contents; the importance of features is measured on the rows `training`.
    pub(crate) fn new(
        learned: &'a Learned,
        loaded: &'a Loaded,
        training: &[usize],
        report: &'a Report,
        options: &'a TrainOptions,
    ) -> Result<Self, TrainerError> {
        let importance = importance(learned, loaded, training)?;
        Ok(Self {
            learned,
            loaded,
            report,
            options,
            importance,
        })
    }

    /// The whole card. It does not contain a date, so the same training gives the same card.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let model = &self.learned.model;
        writeln!(out, "# Model card: {}\n", model.objective())?;
        writeln!(
            out,
            "P({} | candidate, context) by logistic regression on {} encoded columns of {} \
             features.",
            model.objective(),
            model.coefficients().len(),
            model.schema().features().len()
        )?;
        self.write_data(out)?;
        self.write_metrics(out)?;
        self.write_calibration(out)?;
        self.write_fit(out)?;
        self.write_features(out)?;
        self.write_limits(out)
    }

    fn write_data(&self, out: &mut String) -> std::fmt::Result {
        let data = &self.report.data;
        let counts = self.loaded.counts;
        writeln!(out, "\n## Data\n")?;
        writeln!(
            out,
            "- Dataset: {}, content SHA-256 `{}`",
            data.dataset, data.fingerprint
        )?;
        writeln!(out, "- Label: {}", data.label)?;
        writeln!(out, "- Split: {}", data.split)?;
        writeln!(
            out,
            "- Rows: {} read, {} used ({} filtered out, {} without a label, {} in no part, {} \
             negatives sampled out)",
            counts.read,
            counts.kept,
            counts.filtered,
            counts.unlabelled,
            counts.unassigned,
            counts.sampled_out
        )?;
        writeln!(
            out,
            "- Positives in the log: {:.2} %",
            100.0 * data.prior_rate
        )?;
        if !self.report.command.is_empty() {
            writeln!(
                out,
                "- Trained by: `{}` (seed {})",
                self.report.command, self.report.seed
            )?;
        }
        Ok(())
    }

    fn write_metrics(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Metrics\n")?;
        writeln!(
            out,
            "| part | rows | positives | AUC | PR-AUC | log loss | Brier | ECE |"
        )?;
        writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        for part in &self.report.parts {
            writeln!(
                out,
                "| {} | {} | {:.2} % | {} | {} | {} | {} | {} |",
                part.part,
                part.rows,
                100.0 * part.positives as f64 / part.rows.max(1) as f64,
                figure(part.auc),
                figure(part.pr_auc),
                figure(part.log_loss),
                figure(part.brier),
                figure(part.ece),
            )?;
        }
        writeln!(
            out,
            "\nThe model was fitted on the rows of the train part. The cross-fitted figures are \
             for the same rows, each predicted by a fit without its fold."
        )
    }

    fn write_calibration(&self, out: &mut String) -> std::fmt::Result {
        let calibrator = self.learned.model.calibrator();
        writeln!(out, "\n## Calibration\n")?;
        writeln!(
            out,
            "`{}`, fitted on {}.",
            calibrator.version(),
            calibration_rows(self.loaded, self.options.calibration)
        )?;
        if let Some(part) = self.best_part() {
            writeln!(out, "\nOn the {} rows:\n", part.part)?;
            writeln!(
                out,
                "| probability | rows | mean probability | share of positives |"
            )?;
            writeln!(out, "|---|--:|--:|--:|")?;
            for bin in &part.calibration {
                writeln!(
                    out,
                    "| {:.1} to {:.1} | {} | {:.4} | {:.4} |",
                    bin.lower, bin.upper, bin.rows, bin.mean_probability, bin.positive_rate
                )?;
            }
        }
        Ok(())
    }

    /// The part that judges the model best: test, else tune, else the cross-fitted rows.
    fn best_part(&self) -> Option<&PartReport> {
        let named = |name: &str| self.report.parts.iter().find(|part| part.part == name);
        ["test", "tune", "cross-fitted"].into_iter().find_map(named)
    }

    fn write_fit(&self, out: &mut String) -> std::fmt::Result {
        let chosen = &self.report.regularisation;
        let end = &self.report.convergence;
        writeln!(out, "\n## Fit\n")?;
        writeln!(
            out,
            "Minimises Σ log loss + alpha/2 · ‖w‖², w the coefficients of the standardised \
             columns, alpha = {} ({}).",
            chosen.alpha, chosen.chosen_by
        )?;
        writeln!(
            out,
            "{} after {} Newton steps: largest entry of the gradient {:.1e} per row, penalised \
             loss {:.6} per row.",
            if end.converged {
                "Converged"
            } else {
                "**Did not converge**"
            },
            end.iterations,
            end.gradient_norm,
            end.loss
        )?;
        if !chosen.curve.is_empty() {
            writeln!(
                out,
                "\n| alpha | held-out log loss | standard error over folds |"
            )?;
            writeln!(out, "|--:|--:|--:|")?;
            for point in &chosen.curve {
                writeln!(
                    out,
                    "| {} | {:.5} | {:.5} |",
                    point.alpha, point.log_loss, point.standard_error
                )?;
            }
        }
        Ok(())
    }

    fn write_features(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Features\n")?;
        writeln!(
            out,
            "| feature | standard deviation of its contribution to the logit |"
        )?;
        writeln!(out, "|---|--:|")?;
        for (name, spread) in &self.importance {
            writeln!(out, "| {} | {spread:.4} |", cell(name))?;
        }
        let names = self.learned.model.encoders().column_names();
        let mut columns: Vec<(&String, f64)> = names
            .iter()
            .zip(self.learned.standardised.iter().copied())
            .collect();
        columns.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(b.0)));
        writeln!(
            out,
            "\n| encoded column | change of the logit per standard deviation |"
        )?;
        writeln!(out, "|---|--:|")?;
        for (name, weight) in columns.into_iter().take(TOP_COLUMNS) {
            writeln!(out, "| {} | {weight:+.4} |", cell(name))?;
        }
        Ok(())
    }

    fn write_limits(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Limits\n")?;
        writeln!(
            out,
            "- The probabilities hold for rows like those of the log: other users, items or times \
             may differ."
        )?;
        writeln!(
            out,
            "- The model describes correlations in the log, not what would happen if something \
             were changed."
        )?;
        let served = self
            .learned
            .model
            .schema()
            .inputs()
            .iter()
            .filter_map(|i| Some((&i.name, i.served?)));
        for (name, value) in served {
            writeln!(
                out,
                "- `{name}` is served as {value} for every candidate; the metrics above use its \
                 value in the log."
            )?;
        }
        for note in &self.report.notes {
            writeln!(out, "- {note}")?;
        }
        Ok(())
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// Formats a name as code, with bars escaped: a bar would end its cell.
fn cell(name: &str) -> String {
    format!("`{}`", name.replace('|', "\\|").replace('\n', " "))
}

/// The standard deviation of each feature's contribution over `rows`, the largest first. The sums
/// are in the order of the rows, so the result does not depend on threads.
fn importance(
    learned: &Learned,
    loaded: &Loaded,
    rows: &[usize],
) -> Result<Vec<(String, f64)>, TrainerError> {
    let features = learned.model.schema().features();
    let mut sums = vec![(0.0, 0.0); features.len()];
    for piece in rows.chunks(measure::PIECE) {
        let contributions = learned.model.contributions(&loaded.rows.batch(piece)?)?;
        for row in contributions.values.chunks(features.len()) {
            for ((sum, squares), value) in sums.iter_mut().zip(row) {
                *sum += value;
                *squares += value * value;
            }
        }
    }
    let count = rows.len().max(1) as f64;
    let mut spreads: Vec<(String, f64)> = features
        .iter()
        .zip(sums)
        .map(|(feature, (sum, squares))| {
            let mean: f64 = sum / count;
            (
                feature.name.clone(),
                f64::max(squares / count - mean * mean, 0.0).sqrt(),
            )
        })
        .collect();
    spreads.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(spreads)
}
