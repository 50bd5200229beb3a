//! `counterweight bench folds`: measures how well models of a recipe predict rows that they were
//! not trained on.

use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use counterweight_files::AtomicFile;
use counterweight_trainer::{FoldRow, FoldTable, TrainOptions, fold_table};
use serde_json::json;

use crate::{
    data::DatasetFile,
    output::{Output, number, table},
    progress::Bar,
    train::positive_share,
};

/// Measure a recipe by cross-validation: everything is refitted for every fold.
#[derive(Args)]
pub(crate) struct Folds {
    #[command(flatten)]
    file: DatasetFile,
    /// The objective, by its name in the dataset.
    #[arg(long, value_name = "NAME")]
    objective: String,
    /// The number of folds; all rows of a group are in one fold.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// The seed of the division into folds.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write row, fold, label and probability of every row to this CSV file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Folds {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let dataset = self.file.open()?;
        let options = TrainOptions {
            seed: self.seed,
            ..TrainOptions::default()
        };
        let mut bar = Bar::new(&self.objective);
        let table = fold_table(
            &dataset,
            &self.objective,
            self.folds,
            &options,
            &mut |progress| bar.show(progress),
        )?;
        drop(bar);
        if let Some(out) = &self.out {
            write_rows(out, &table.rows)
                .with_context(|| format!("cannot write {}", out.display()))?;
        }
        let [auc, log_loss, ece] = table.means();
        let value = json!({
            "dataset": dataset.name(),
            "objective": table.objective,
            "folds": table.folds,
            "mean": { "auc": auc, "log_loss": log_loss, "ece": ece },
        });
        output.print(&value, |_| human(&table))
    }
}

fn human(folds: &FoldTable) -> String {
    let [auc, log_loss, ece] = folds.means();
    let mut rows: Vec<Vec<String>> = folds
        .folds
        .iter()
        .map(|fold| {
            vec![
                fold.fold.to_string(),
                fold.rows.to_string(),
                positive_share(fold.positives, fold.rows),
                number(fold.auc, 4),
                number(fold.log_loss, 4),
                number(fold.ece, 4),
                fold.alpha.to_string(),
            ]
        })
        .collect();
    let total: u64 = folds.folds.iter().map(|fold| fold.rows).sum();
    let mut mean = vec!["mean".to_owned(), total.to_string(), String::new()];
    mean.extend([
        number(auc, 4),
        number(log_loss, 4),
        number(ece, 4),
        String::new(),
    ]);
    rows.push(mean);
    table(
        &[
            "fold", "rows", "positive", "AUC", "log loss", "ECE", "penalty",
        ],
        1,
        rows,
    )
}

fn write_rows(path: &Path, rows: &[FoldRow]) -> std::io::Result<()> {
    let mut out = BufWriter::new(AtomicFile::create(path)?);
    writeln!(out, "row,fold,label,probability")?;
    for row in rows {
        writeln!(
            out,
            "{},{},{},{}",
            row.row,
            row.fold,
            u8::from(row.label),
            row.probability
        )?;
    }
    out.into_inner()
        .map_err(std::io::IntoInnerError::into_error)?
        .commit()
}
