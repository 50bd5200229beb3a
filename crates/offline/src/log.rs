//! Opening a log: which objectives it has, where their probabilities come from, and which of its columns are read.

use std::path::{Path, PathBuf};

use counterweight_dataset::{Dataset, LogColumns, Role};
use counterweight_model::Artefact;
use serde::Serialize;

use crate::OfflineError;

/// How a log is read.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Places of the page; `None` takes the log's own `k`.
    pub k: Option<usize>,
    /// The share of users whose requests tune, in (0, 1), where the description's split does not say it.
    pub tune: f64,
    /// Seed of that division, and of the ids of candidates that have none.
    pub seed: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            k: None,
            tune: 0.5,
            seed: 1,
        }
    }
}

/// Where an objective's probabilities come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A model at hand scores the log's features, as `predict` does.
    Model,
    /// The log's own column `p_<objective>`.
    Logged,
    /// Nowhere: only the outcome is known.
    None,
}

/// One objective of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// Where its probabilities come from.
    pub source: Source,
    /// Version of the model; of a logged objective known once the log was read, if the log says it.
    pub model: Option<String>,
    /// Version of the calibrator, likewise.
    pub calibrator: Option<String>,
}

/// A log that was opened: its rows are read by [`Log::read`].
#[derive(Debug)]
pub struct Log {
    pub(crate) dataset: Dataset,
    pub(crate) artefacts: Vec<Artefact>,
    pub(crate) options: LogOptions,
    pub(crate) objectives: Vec<Objective>,
    pub(crate) columns: Columns,
}

/// Which columns of the impression log's schema the files have, as positions in what is read.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) wanted: LogColumns,
    /// By objective, `p_<objective>`.
    pub(crate) probability: Vec<Option<usize>>,
    /// By objective, `w_<objective>`.
    pub(crate) weight: Vec<Option<usize>>,
    /// By objective, `model_<objective>` and `calibrator_<objective>`.
    pub(crate) versions: Vec<[Option<usize>; 2]>,
    /// By objective, its place among the objectives of the description.
    pub(crate) outcome: Vec<Option<usize>>,
    pub(crate) k: Option<usize>,
    /// `lambda_low` and `lambda_high`.
    pub(crate) lambda: Option<[usize; 2]>,
    pub(crate) density: Option<usize>,
    pub(crate) propensity: Option<usize>,
}

impl Columns {
    fn number(&mut self, has: &[String], name: &str) -> Option<usize> {
        position(&mut self.wanted.numbers, has, name)
    }

    fn text(&mut self, has: &[String], name: &str) -> Option<usize> {
        position(&mut self.wanted.texts, has, name)
    }
}

fn position(wanted: &mut Vec<String>, has: &[String], name: &str) -> Option<usize> {
    has.iter().any(|column| column == name).then(|| {
        wanted.push(name.to_owned());
        wanted.len() - 1
    })
}

impl Log {
    /// Opens the log that a description describes. An objective has its probabilities from its model among `artefacts`, else
    /// from the column `p_<objective>`. Objectives stand in the order of the description, then of the models, then of the columns.
    ///
    /// # Errors
    /// [`OfflineError::Option`], [`OfflineError::Dataset`], and [`OfflineError::Log`] for two models of one objective or a
    /// label that needs a model's threshold.
    pub fn open(
        dataset: Dataset,
        artefacts: Vec<Artefact>,
        options: LogOptions,
    ) -> Result<Self, OfflineError> {
        check(&options)?;
        let has = dataset.columns()?;
        let mut log = Self {
            objectives: objectives(&dataset, &artefacts, &has)?,
            dataset,
            artefacts,
            options,
            columns: Columns::default(),
        };
        log.columns = log.columns(&has)?;
        Ok(log)
    }

    /// Opens files that follow `data/SCHEMA.md`: objectives, roles and labels are told by the names of the columns.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_files(
        files: &[PathBuf],
        artefacts: Vec<Artefact>,
        options: LogOptions,
    ) -> Result<Self, OfflineError> {
        let described = Dataset::parse(&description(files, &[]), "the log", Path::new(""))?;
        let has = described.columns()?;
        let dataset = Dataset::parse(&description(files, &has), "the log", Path::new(""))?;
        Self::open(dataset, artefacts, options)
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        self.dataset.name()
    }

    /// Its objectives: α is the weight of the first, β of the second.
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    pub(crate) fn wrong(&self, problem: impl Into<String>) -> OfflineError {
        OfflineError::Log {
            log: self.name().to_owned(),
            problem: problem.into(),
        }
    }

    fn columns(&self, has: &[String]) -> Result<Columns, OfflineError> {
        let described = self.dataset.objectives();
        let mut columns = Columns::default();
        for objective in &self.objectives {
            let name = &objective.name;
            let found = columns.number(has, &format!("p_{name}"));
            columns.probability.push(found);
            let found = columns.number(has, &format!("w_{name}"));
            columns.weight.push(found);
            let model = columns.text(has, &format!("model_{name}"));
            let calibrator = columns.text(has, &format!("calibrator_{name}"));
            columns.versions.push([model, calibrator]);
            let found = described.iter().position(|described| described == name);
            columns.outcome.push(found);
        }
        for name in &described {
            columns.wanted.thresholds.push(self.threshold(name)?);
        }
        columns.k = columns.number(has, "k");
        columns.lambda = columns
            .number(has, "lambda_low")
            .zip(columns.number(has, "lambda_high"))
            .map(|(low, high)| [low, high]);
        columns.density = columns.text(has, "lambda_density");
        if let Some(name) = self.dataset.propensity() {
            columns.wanted.numbers.push(name.to_owned());
            columns.propensity = Some(columns.wanted.numbers.len() - 1);
        }
        let schemas = self
            .artefacts
            .iter()
            .map(|artefact| artefact.model.schema().clone());
        columns.wanted.schemas = schemas.collect();
        Ok(columns)
    }

    /// The training median that an objective's label is compared with.
    fn threshold(&self, objective: &str) -> Result<Option<f64>, OfflineError> {
        if !self.dataset.needs_threshold(objective)? {
            return Ok(None);
        }
        let mut artefacts = self.artefacts.iter();
        let model = artefacts.find(|artefact| artefact.model.objective() == objective);
        match model.and_then(|artefact| artefact.report.data.label_threshold) {
            Some(threshold) => Ok(Some(threshold)),
            None => Err(self.wrong(format!(
                "the label of `{objective}` is above the training median, which only a model that was trained on it knows: give that model, or a number as `above`, or an `outcome`"
            ))),
        }
    }
}

fn check(options: &LogOptions) -> Result<(), OfflineError> {
    let refuse = |name, value: String, expected| {
        Err(OfflineError::Option {
            name,
            value,
            expected,
        })
    };
    if options.k == Some(0) {
        return refuse("k", "0".to_owned(), "a page has at least one place");
    }
    if !(options.tune > 0.0 && options.tune < 1.0) {
        return refuse(
            "the share that tunes",
            options.tune.to_string(),
            "it is above 0 and below 1, so that there are users on both sides",
        );
    }
    Ok(())
}

fn objectives(
    dataset: &Dataset,
    artefacts: &[Artefact],
    has: &[String],
) -> Result<Vec<Objective>, OfflineError> {
    let mut names: Vec<String> = Vec::new();
    let logged = has.iter().filter_map(|column| column.strip_prefix("p_"));
    let modelled = artefacts.iter().map(|artefact| artefact.model.objective());
    for name in dataset
        .objectives()
        .into_iter()
        .chain(modelled)
        .chain(logged)
    {
        if names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    }
    let objective = |name: String| {
        let mut own = artefacts
            .iter()
            .filter(|artefact| artefact.model.objective() == name);
        let (model, second) = (own.next(), own.next());
        if second.is_some() {
            return Err(OfflineError::Log {
                log: dataset.name().to_owned(),
                problem: format!("two models of `{name}` are given; give one of each objective"),
            });
        }
        Ok(match model {
            Some(artefact) => Objective {
                source: Source::Model,
                model: Some(artefact.version.clone()),
                calibrator: Some(artefact.model.calibrator().version()),
                name,
            },
            None => Objective {
                source: if has.contains(&format!("p_{name}")) {
                    Source::Logged
                } else {
                    Source::None
                },
                model: None,
                calibrator: None,
                name,
            },
        })
    };
    names.into_iter().map(objective).collect()
}

/// The description of an impression log that has these columns.
fn description(files: &[PathBuf], has: &[String]) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let files: Vec<String> = files
        .iter()
        .map(|file| quoted(&file.to_string_lossy()))
        .collect();
    let mut text = format!(
        "name = \"log\"\nfiles = [{}]\n[columns]\n",
        files.join(", ")
    );
    if has.is_empty() {
        return text;
    }
    let roles = [
        (Role::Request, "request_id"),
        (Role::User, "user_id"),
        (Role::Candidate, "candidate_id"),
        (Role::Position, "position"),
    ];
    for (role, column) in roles {
        // Request and candidate are required: where they are absent, reading says so.
        if matches!(role, Role::Request | Role::Candidate) || has.iter().any(|own| own == column) {
            text.push_str(&format!("{} = \"{column}\"\n", role.name()));
        }
    }
    for objective in has.iter().filter_map(|column| column.strip_prefix("p_")) {
        if has.contains(&format!("label_{objective}")) {
            text.push_str(&format!(
                "[[objective]]\nname = {}\nlabel = {{ column = {} }}\n",
                quoted(objective),
                quoted(&format!("label_{objective}"))
            ));
        }
    }
    text
}
