//! The flags that the offline benchmarks share: the log to read, the models that score it, and the
//! weight to vary.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use counterweight_dataset::{Dataset, MANIFEST};
use counterweight_evaluation::{
    Draws, Log, LogOptions, OffPolicy, Parts, Question, Summary, Swept, UnshownLabels,
};
use counterweight_ranking::sweep::Discount;

use crate::{
    data::{DatasetFile, labelled},
    models::load_newest,
    number::{parse_non_negative, parse_share, parse_weight},
    progress,
    usage::WrongUse,
};

/// The log to read.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Impression logs with the columns of data/SCHEMA.md: .parquet, .csv or .ndjson files, or
    /// patterns of file names, such as logs/*.parquet. A folder that `log join` wrote is read with
    /// its complete hours.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "dataset", conflicts_with = "dataset")]
    log: Vec<PathBuf>,
    /// A dataset file (TOML) that describes a log in any other format.
    #[arg(long, value_name = "FILE")]
    dataset: Option<PathBuf>,
    /// The folder of the dataset's rows [default: the folder of the dataset file].
    #[arg(long, value_name = "DIR", requires = "dataset")]
    data: Option<PathBuf>,
    /// Score the log with these models instead of using its logged probabilities: model folders, or
    /// a folder of model folders.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    models: Vec<PathBuf>,
    /// The number of places of the page [default: the k of the log].
    #[arg(short, long)]
    k: Option<usize>,
    /// The share of users in the tune part, if the dataset file does not define the parts.
    #[arg(long, default_value_t = LogOptions::default().tune, value_name = "SHARE", value_parser = parse_share)]
    tune: f64,
    /// The seed of the division of users into parts and of the bootstrap.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    unshown: UnshownArgs,
    /// The number of threads [default: one per core]; results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What happens to labels of candidates that were not shown.
#[derive(Args)]
pub(crate) struct UnshownArgs {
    /// What to do with labels of candidates without a position. These candidates were not shown, so
    /// a label 0 of them says nothing.
    #[arg(long, value_enum, default_value_t = Unshown::Refuse)]
    unshown_labels: Unshown,
}

/// What to do with labels of candidates that were not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unshown {
    /// Reject the log.
    Refuse,
    /// Leave these labels out and count them.
    Drop,
}

impl UnshownArgs {
    pub(crate) fn unshown_labels(&self) -> UnshownLabels {
        match self.unshown_labels {
            Unshown::Refuse => UnshownLabels::Refuse,
            Unshown::Drop => UnshownLabels::Drop,
        }
    }
}

/// The weight to vary, and how pages are measured.
#[derive(Args)]
pub(crate) struct QuestionArgs {
    /// The objective whose weight is varied [default: the second].
    #[arg(long, value_name = "OBJECTIVE")]
    vary: Option<String>,
    /// Fixed weights of other objectives, as OBJECTIVE=WEIGHT [default: 1 for the first, 0 for the
    /// others].
    #[arg(long, value_name = "OBJECTIVE=WEIGHT", value_parser = parse_weight)]
    hold: Vec<(String, f64)>,
    /// Sweep positive weights (β > 0) instead of negative ones.
    #[arg(long)]
    positive: bool,
    /// How much each place of a page counts.
    #[arg(long, value_enum, default_value_t = Places::Flat)]
    discount: Places,
    /// The λ in force now, from which changes are measured.
    #[arg(long, default_value_t = 0.0, value_name = "LAMBDA", value_parser = parse_non_negative)]
    reference: f64,
}

/// How intervals are computed.
#[derive(Args)]
pub(crate) struct DrawArgs {
    /// The number of bootstrap replicates over users.
    #[arg(long, default_value_t = Draws::default().replicates, value_name = "N")]
    replicates: usize,
    /// The confidence level of the intervals.
    #[arg(long, default_value_t = Draws::default().level, value_parser = parse_share)]
    level: f64,
}

/// How much each place of a page counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Places {
    /// All places count alike.
    Flat,
    /// Place p counts 1 / log2(p + 1), as in DCG.
    Log2,
}

impl From<Places> for Discount {
    fn from(places: Places) -> Self {
        match places {
            Places::Flat => Self::Flat,
            Places::Log2 => Self::Log2,
        }
    }
}

impl LogArgs {
    /// Opens the log, with the given number of threads.
    pub(crate) fn open(&self) -> anyhow::Result<Log> {
        if self.threads == Some(0) {
            return Err(WrongUse("--threads must be at least 1".to_owned()).into());
        }
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .context("cannot start the threads")?;
        }
        let artefacts = load_newest(&self.models)?;
        let options = LogOptions {
            k: self.k,
            tune: self.tune,
            seed: self.seed,
            unshown_labels: self.unshown.unshown_labels(),
        };
        Ok(match &self.dataset {
            Some(description) => {
                let dataset = Dataset::open(description, self.data.as_deref())?;
                Log::open(dataset, artefacts, options)?
            }
            None => Log::open_files(&self.files()?, artefacts, options)?,
        })
    }

    /// The files of the log. A folder must be a labelled log.
    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let file = |path: &PathBuf| match path.is_dir() {
            true => Ok(labelled(path)?.join(MANIFEST)),
            false => Ok(path.clone()),
        };
        self.log.iter().map(file).collect()
    }

    /// Sweeps the parts of an open log, with a progress bar. If `explored`, it also collects what
    /// the off-policy estimates need.
    pub(crate) fn sweep(
        log: &mut Log,
        question: &QuestionArgs,
        parts: Parts,
        explored: bool,
    ) -> anyhow::Result<(Swept, OffPolicy)> {
        let mut off_policy = OffPolicy::default();
        let name = log.name().to_owned();
        let bar = progress::rows(&name);
        let swept = Swept::read(
            log,
            &question.question(),
            parts,
            &mut |rows| bar.set_position(rows),
            &mut |question, batch| match explored {
                true => off_policy.add(question, &name, batch),
                false => Ok(()),
            },
        );
        bar.finish_and_clear();
        Ok((swept?, off_policy))
    }

    /// The dataset file, if one was given.
    pub(crate) fn dataset_file(&self) -> Option<DatasetFile> {
        Some(DatasetFile::described(
            self.dataset.clone()?,
            self.data.clone(),
        ))
    }

    /// What happens to labels of candidates that were not shown.
    pub(crate) fn unshown_labels(&self) -> UnshownLabels {
        self.unshown.unshown_labels()
    }

    /// The number of places of the page, if it was given.
    pub(crate) fn k(&self) -> Option<usize> {
        self.k
    }

    /// The share of users in the tune part.
    pub(crate) fn tune(&self) -> f64 {
        self.tune
    }

    pub(crate) fn draws(&self, draws: &DrawArgs) -> Draws {
        Draws {
            seed: self.seed,
            ..draws.draws()
        }
    }
}

impl DrawArgs {
    /// The settings of the bootstrap, with the default seed.
    pub(crate) fn draws(&self) -> Draws {
        Draws {
            replicates: self.replicates,
            level: self.level,
            ..Draws::default()
        }
    }

    /// The confidence level of the intervals.
    pub(crate) fn level(&self) -> f64 {
        self.level
    }
}

impl QuestionArgs {
    pub(crate) fn question(&self) -> Question {
        Question {
            vary: self.vary.clone(),
            hold: self.hold.clone(),
            positive: self.positive,
            discount: self.discount.into(),
            reference: self.reference,
        }
    }
}

/// A text about the requests that were read and left out.
pub(crate) fn read_line(log: &Log, summary: &Summary) -> String {
    let mut text = format!(
        "{}: tune part {} requests of {} users, test part {} requests of {} users; {} candidates, k = {}",
        log.name(),
        summary.tune,
        summary.tune_users,
        summary.test,
        summary.test_users,
        summary.candidates,
        summary.k
    );
    let left_out = [
        (
            summary.training,
            "requests that the models may have been trained on",
        ),
        (summary.divided, "requests with rows in two parts"),
        (summary.incomplete, "requests ranked without an objective"),
        (summary.undealt, "rows after the last whole request"),
        (
            summary.unshown_labels,
            "labels of candidates that were not shown",
        ),
    ];
    let left_out: Vec<String> = left_out
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !left_out.is_empty() {
        text.push_str(&format!("\nleft out: {}", left_out.join(", ")));
    }
    if summary.clamped > 0 {
        text.push_str(&format!(
            "\n{} logged probabilities lay at most 1e-5 outside [0, 1] and were clamped",
            summary.clamped
        ));
    }
    for note in &summary.notes {
        text.push_str(&format!("\n{note}"));
    }
    text
}

/// The model versions of the probabilities, to which the weights are bound.
pub(crate) fn bound_line(objectives: &[counterweight_evaluation::Objective]) -> String {
    let each = objectives.iter().map(|objective| {
        let version = match (&objective.model, &objective.calibrator) {
            (Some(model), Some(calibrator)) => format!("{model} ({calibrator})"),
            (Some(model), None) => model.clone(),
            _ => "no version logged".to_owned(),
        };
        format!("{} {version}", objective.name)
    });
    each.collect::<Vec<_>>().join(", ")
}
