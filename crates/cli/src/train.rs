//! `counterweight train`, `evaluate` and `predict`: train the model of one objective, measure it,
//! and write its predictions.

use std::path::{Path, PathBuf};

use clap::Args;
use counterweight_dataset::Dataset;
use counterweight_model::{Artefact, PartReport};
use counterweight_trainer::{Calibration, DEFAULT_ALPHAS, TrainOptions, evaluate, predict, train};
use serde_json::json;

use crate::{
    data::DatasetFile,
    output::{Output, number, table},
    progress::Bar,
    usage::WrongUse,
};

/// Train the model of one objective.
#[derive(Args)]
pub(crate) struct Train {
    #[command(flatten)]
    file: DatasetFile,
    /// The objective to train, by its name in the dataset.
    #[arg(long, value_name = "NAME")]
    objective: String,
    /// The model folder: a new version is written into it and becomes the latest one.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    training: TrainingFlags,
}

/// How models are trained.
#[derive(Args)]
pub(crate) struct TrainingFlags {
    /// The calibration method: platt, isotonic, beta or none.
    #[arg(long, default_value_t = Calibration::default().name().to_owned(), value_name = "METHOD", value_parser = parse_calibration)]
    calibration: String,
    /// The number of folds of the cross-validation on the training part.
    #[arg(long, default_value_t = TrainOptions::default().folds)]
    folds: usize,
    /// Penalties to choose from by cross-validation, relative to the sum of the losses of all rows.
    /// A single value is used as it is [default: 0.01 to 10000 by factors of ten].
    #[arg(long, value_delimiter = ',')]
    alpha: Vec<f64>,
    /// The seed of training; the same seed and data give the same bytes.
    #[arg(long, default_value_t = TrainOptions::default().seed)]
    seed: u64,
}

fn parse_calibration(text: &str) -> Result<String, String> {
    text.parse::<Calibration>()
        .map(|method| method.name().to_owned())
        .map_err(|error| error.to_string())
}

impl Default for TrainingFlags {
    fn default() -> Self {
        let options = TrainOptions::default();
        Self {
            calibration: options.calibration.name().to_owned(),
            folds: options.folds,
            alpha: Vec::new(),
            seed: options.seed,
        }
    }
}

impl TrainingFlags {
    /// The seed of training.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The training options, with the command that trains the same model again from the dataset of
    /// a flag.
    pub(crate) fn options(&self, flag: &str, objective: &str) -> anyhow::Result<TrainOptions> {
        let alphas = if self.alpha.is_empty() {
            DEFAULT_ALPHAS.to_vec()
        } else {
            self.alpha.clone()
        };
        let mut command = format!(
            "counterweight train {flag} --objective {objective} --calibration {} --folds {} --seed {}",
            self.calibration, self.folds, self.seed
        );
        if !self.alpha.is_empty() {
            let alphas: Vec<String> = alphas.iter().map(f64::to_string).collect();
            command.push_str(&format!(" --alpha {}", alphas.join(",")));
        }
        Ok(TrainOptions {
            folds: self.folds,
            alphas,
            calibration: self.calibration.parse()?,
            seed: self.seed,
            command,
        })
    }
}

/// Trains one objective into a model folder, with a progress bar.
pub(crate) fn train_into(
    dataset: &Dataset,
    objective: &str,
    options: &TrainOptions,
    out: &Path,
) -> anyhow::Result<Artefact> {
    let mut bar = Bar::new(objective);
    Ok(train(dataset, objective, options, out, &mut |progress| {
        bar.show(progress);
    })?)
}

impl Train {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let dataset = self.file.open()?;
        let options = self.training.options(&self.file.flag(), &self.objective)?;
        let artefact = train_into(&dataset, &self.objective, &options, &self.out)?;
        let folder = self.out.join(&artefact.version);
        let value = json!({
            "objective": artefact.model.objective(),
            "version": artefact.version,
            "folder": folder,
            "report": artefact.report,
        });
        output.print(&value, |_| {
            format!(
                "{}\nversion {} is in {}",
                parts_table(&artefact.report.parts),
                artefact.version,
                folder.display()
            )
        })
    }
}

/// Measure a trained model on every part of a dataset.
#[derive(Args)]
pub(crate) struct Evaluate {
    /// The model: the folder of a version, or a model folder, which means its latest version.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    #[command(flatten)]
    file: DatasetFile,
}

impl Evaluate {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let artefact = Artefact::load(&self.model)?;
        let dataset = self.file.open()?;
        let mut bar = Bar::new(artefact.model.objective());
        let evaluation = evaluate(&artefact, &dataset, &mut |progress| bar.show(progress))?;
        drop(bar);
        output.print(&evaluation, |evaluation| {
            let data = if evaluation.same_data {
                "the data that it was trained on"
            } else {
                "data other than it was trained on"
            };
            format!(
                "{} {} on {data}\n{}",
                evaluation.objective,
                evaluation.version,
                parts_table(&evaluation.parts)
            )
        })
    }
}

/// Write the predicted probability of every row of a dataset, in the order of its rows.
#[derive(Args)]
pub(crate) struct Predict {
    /// The model: the folder of a version, or a model folder, which means its latest version.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    #[command(flatten)]
    file: DatasetFile,
    /// The file to write: .csv, .ndjson or .parquet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Predict {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        if self.out.extension().is_none() {
            return Err(WrongUse(format!(
                "--out {} has no file extension; use .csv, .ndjson or .parquet",
                self.out.display()
            ))
            .into());
        }
        let artefact = Artefact::load(&self.model)?;
        let dataset = self.file.open()?;
        let mut bar = Bar::new(artefact.model.objective());
        let rows = predict(&artefact, &dataset, &self.out, &mut |progress| {
            bar.show(progress);
        })?;
        drop(bar);
        let value = json!({
            "objective": artefact.model.objective(),
            "version": artefact.version,
            "rows": rows,
            "out": self.out,
        });
        output.print(&value, |_| {
            format!("wrote {rows} rows to {}", self.out.display())
        })
    }
}

/// The share of positive rows, in percent.
pub(crate) fn positive_share(positives: u64, rows: u64) -> String {
    format!("{:.1} %", 100.0 * positives as f64 / rows.max(1) as f64)
}

/// A table of the metrics, one row per part.
pub(crate) fn parts_table(parts: &[PartReport]) -> String {
    let header = [
        "part", "rows", "positive", "AUC", "PR-AUC", "log loss", "Brier", "ECE",
    ];
    table(
        &header,
        1,
        parts.iter().map(|part| {
            [
                part.part.clone(),
                part.rows.to_string(),
                positive_share(part.positives, part.rows),
                number(part.auc, 4),
                number(part.pr_auc, 4),
                number(part.log_loss, 4),
                number(part.brier, 4),
                number(part.ece, 4),
            ]
        }),
    )
}
