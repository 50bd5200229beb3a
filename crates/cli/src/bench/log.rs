//! Which log a benchmark reads, by which models, and which weight it asks about: the flags that its
//! commands share.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use counterweight_dataset::Dataset;
use counterweight_evaluation::{
    Draws, Log, LogOptions, OffPolicy, Parts, Question, Summary, Swept, UnshownLabels,
};
use counterweight_model::Artefact;
use counterweight_ranking::sweep::Discount;

use crate::{
    data::DatasetFile,
    number::{parse_non_negative, parse_share, parse_weight},
    progress,
    usage::WrongUse,
};

/// Which log.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// Impression logs in the columns of data/SCHEMA.md: .parquet, .csv or .ndjson files, or
    /// patterns.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "dataset", conflicts_with = "dataset")]
    log: Vec<PathBuf>,
    /// A dataset's description (TOML) of a log of any other form.
    #[arg(long, value_name = "FILE")]
    dataset: Option<PathBuf>,
    /// The folder that the description's files are in [default: the description's folder].
    #[arg(long, value_name = "DIR", requires = "dataset")]
    data: Option<PathBuf>,
    /// Score the log with these models in place of its logged probabilities: model folders, or a
    /// folder of them.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    models: Vec<PathBuf>,
    /// Places of the page [default: the log's own k].
    #[arg(short, long)]
    k: Option<usize>,
    /// The share of users that tune, where the description's split does not say it.
    #[arg(long, default_value_t = LogOptions::default().tune, value_name = "SHARE", value_parser = parse_share)]
    tune: f64,
    /// Seed of the division of users and of the draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    unshown: UnshownArgs,
    /// Threads [default: one per core]; no result depends on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// What becomes of labels that nobody can have given.
#[derive(Args)]
pub(crate) struct UnshownArgs {
    /// What to do with labels of candidates whose position is missing: they were not shown, so that
    /// a 0 there says nothing.
    #[arg(long, value_enum, default_value_t = Unshown::Refuse)]
    unshown_labels: Unshown,
}

/// What to do with labels of candidates that were not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unshown {
    /// Refuse the log.
    Refuse,
    /// Leave them out and count them.
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

/// Which weight moves.
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
    /// How the places of a page count.
    #[arg(long, value_enum, default_value_t = Places::Flat)]
    discount: Places,
    /// The λ in force now: changes are counted from it.
    #[arg(long, default_value_t = 0.0, value_name = "LAMBDA", value_parser = parse_non_negative)]
    reference: f64,
}

/// How intervals are drawn.
#[derive(Args)]
pub(crate) struct DrawArgs {
    /// Bootstrap replicates over users.
    #[arg(long, default_value_t = Draws::default().replicates, value_name = "N")]
    replicates: usize,
    /// Level of the intervals.
    #[arg(long, default_value_t = Draws::default().level, value_parser = parse_share)]
    level: f64,
}

/// How the places of a page count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Places {
    /// All alike.
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
            return Err(WrongUse("--threads is at least 1".to_owned()).into());
        }
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .context("cannot start the threads")?;
        }
        let mut artefacts = Vec::new();
        for folder in &self.models {
            load(folder, &mut artefacts)?;
        }
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
            None => Log::open_files(&self.log, artefacts, options)?,
        })
    }

    /// Sweeps the parts of an open log, with a progress bar; also estimates off-policy where
    /// `explored`.
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

    /// The description, where there is one.
    pub(crate) fn dataset_file(&self) -> Option<DatasetFile> {
        Some(DatasetFile {
            dataset: self.dataset.clone()?,
            data: self.data.clone(),
        })
    }

    /// What becomes of labels of candidates that were not shown.
    pub(crate) fn unshown_labels(&self) -> UnshownLabels {
        self.unshown.unshown_labels()
    }

    /// Places of the page, where they were given.
    pub(crate) fn k(&self) -> Option<usize> {
        self.k
    }

    /// The share of users that tune.
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
    /// The draws, with the default seed.
    pub(crate) fn draws(&self) -> Draws {
        Draws {
            replicates: self.replicates,
            level: self.level,
            ..Draws::default()
        }
    }

    /// Level of the intervals.
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

/// Loads a model folder, or each model folder in a folder, in the order of their names.
fn load(folder: &Path, artefacts: &mut Vec<Artefact>) -> anyhow::Result<()> {
    let is_model = |folder: &Path| {
        ["LATEST", "MANIFEST.json"]
            .iter()
            .any(|name| folder.join(name).exists())
    };
    if is_model(folder) {
        artefacts.push(Artefact::load(folder)?);
        return Ok(());
    }
    let read =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut folders: Vec<PathBuf> = read
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_model(path))
        .collect();
    folders.sort();
    anyhow::ensure!(
        !folders.is_empty(),
        "{} is not a model folder and contains none; `counterweight train` writes one",
        folder.display()
    );
    for folder in folders {
        artefacts.push(Artefact::load(&folder)?);
    }
    Ok(())
}

/// What was read, in words.
pub(crate) fn read_line(log: &Log, summary: &Summary) -> String {
    let mut text = format!(
        "{}: {} requests of {} users tune, {} of {} test; {} candidates, k = {}",
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
        (summary.divided, "requests divided between parts"),
        (summary.incomplete, "requests ranked without an objective"),
        (summary.undealt, "rows beyond the last whole request"),
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

/// Where the probabilities are from, and so what the weights are bound to.
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
