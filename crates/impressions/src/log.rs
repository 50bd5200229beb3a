//! Opens a log: determines its objectives, the source of their probabilities, and the columns to
//! read.

use std::path::PathBuf;

use counterweight_dataset::{self as dataset, Dataset, LogColumns};
use counterweight_model::Artefact;
use serde::Serialize;

use crate::{
    columns,
    describe::describe,
    error::LogError,
    request::{Part, Parts},
};

/// How to treat labels of candidates that were not shown. Nobody could act on such a candidate, so
/// a label of 0 contains no information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnshownLabels {
    /// Reject the log: such labels are usually gaps that a program filled.
    Refuse,
    /// Leave the labels out and count them.
    Drop,
}

/// How a log is read.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Number of places of the page; `None` uses the log's own `k`.
    pub k: Option<usize>,
    /// The share of users whose requests are in the tune part, in (0, 1). It is used if the
    /// description has no split.
    pub tune: f64,
    /// Seed of that division, and of the ids of candidates that have none.
    pub seed: u64,
    /// How to treat labels of candidates whose position is missing, if the log has positions.
    pub unshown_labels: UnshownLabels,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            k: None,
            tune: 0.5,
            seed: 1,
            unshown_labels: UnshownLabels::Refuse,
        }
    }
}

/// The source of an objective's probabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A given model scores the log's features, as `predict` does.
    Model,
    /// The log's own column `p_<objective>`.
    Logged,
    /// No source: only the outcome is known.
    None,
}

/// One objective of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// The source of its probabilities.
    pub source: Source,
    /// Version of the model. For logged probabilities it is known after reading, if the log has it.
    pub model: Option<String>,
    /// Version of the calibrator, with the same rule.
    pub calibrator: Option<String>,
}

/// An opened log. [`Log::read`] reads its rows.
#[derive(Debug)]
pub struct Log {
    pub(crate) dataset: Dataset,
    pub(crate) artefacts: Vec<Artefact>,
    pub(crate) options: LogOptions,
    pub(crate) objectives: Vec<Objective>,
    pub(crate) columns: Columns,
}

/// The columns of the impression log's schema that the files have, as indices into what is read.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) wanted: LogColumns,
    /// By objective, `p_<objective>`.
    pub(crate) probability: Vec<Option<usize>>,
    /// By objective, `w_<objective>`.
    pub(crate) weight: Vec<Option<usize>>,
    /// By objective, `model_<objective>` and `calibrator_<objective>`.
    pub(crate) versions: Vec<[Option<usize>; 2]>,
    /// By objective, its index among the objectives of the description.
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
    /// Opens the log of a description. The probabilities of an objective come from its model among
    /// `artefacts`, or else from the column `p_<objective>`. Objectives are in the order of the
    /// description, then of the models, then of the columns.
    ///
    /// # Errors
    /// [`LogError::Option`], [`LogError::Dataset`], and [`LogError::Log`] for two models of one
    /// objective, a label whose threshold no given model has, or a page of unknown length.
    pub fn open(
        dataset: Dataset,
        artefacts: Vec<Artefact>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
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
        if log.options.k.is_none() && log.columns.k.is_none() {
            return Err(log.wrong("the log has no column `k`; give the length of the page (k)"));
        }
        Ok(log)
    }

    /// Opens files that follow `data/SCHEMA.md`. The names of the columns determine the objectives,
    /// roles and labels.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_files(
        files: &[PathBuf],
        artefacts: Vec<Artefact>,
        options: LogOptions,
    ) -> Result<Self, LogError> {
        let has = describe(files, &[])?.columns()?;
        Self::open(describe(files, &has)?, artefacts, options)
    }

    /// The length of the page, if the options give it.
    pub fn k(&self) -> Option<usize> {
        self.options.k
    }

    /// The models that score the log.
    pub fn artefacts(&self) -> &[Artefact] {
        &self.artefacts
    }

    /// Whether the log has outcomes of an objective, by its index in [`Log::objectives`].
    pub fn has_outcome(&self, objective: usize) -> bool {
        self.columns.outcome[objective].is_some()
    }

    /// Rejects a log whose split leaves a needed part empty, before any row is read.
    ///
    /// # Errors
    /// [`LogError::Log`], which names the part.
    pub fn require(&self, parts: Parts) -> Result<(), LogError> {
        for (part, name) in [(Part::Tune, "tune"), (Part::Test, "test")] {
            if parts.contains(part) && self.lacks(part) {
                return Err(self.wrong(format!(
                    "the split leaves the {name} part empty, but it is needed; \
                     give the split a `{name}` share, or remove the split"
                )));
            }
        }
        Ok(())
    }

    /// Whether the split leaves a part without rows, if the description states the shares.
    pub fn lacks(&self, part: Part) -> bool {
        let none = |part| self.dataset.share(part) == Some(0.0);
        match part {
            Part::Test => none(dataset::Part::Test),
            // If no model was fitted on them, all parts but the test part are used to tune.
            Part::Tune if self.artefacts.is_empty() => [
                dataset::Part::Train,
                dataset::Part::Calibrate,
                dataset::Part::Tune,
            ]
            .into_iter()
            .all(none),
            Part::Tune => none(dataset::Part::Tune),
        }
    }

    /// Whether the log may describe exploration: it has the range of λ, or propensities.
    pub fn may_have_explored(&self) -> bool {
        self.columns.lambda.is_some() || self.columns.propensity.is_some()
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        self.dataset.name()
    }

    /// The objectives. α is the weight of the first, β of the second.
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    /// An error about the log as a whole.
    pub fn wrong(&self, problem: impl Into<String>) -> LogError {
        LogError::Log {
            log: self.name().to_owned(),
            problem: problem.into(),
        }
    }

    fn columns(&self, has: &[String]) -> Result<Columns, LogError> {
        let described = self.dataset.objectives();
        let mut found = Columns::default();
        for objective in &self.objectives {
            let name = &objective.name;
            let probability = found.number(has, &columns::probability(name));
            found.probability.push(probability);
            let weight = found.number(has, &columns::weight(name));
            found.weight.push(weight);
            let model = found.text(has, &columns::model(name));
            let calibrator = found.text(has, &columns::calibrator(name));
            found.versions.push([model, calibrator]);
            let outcome = described.iter().position(|described| described == name);
            found.outcome.push(outcome);
        }
        for name in &described {
            found.wanted.thresholds.push(self.threshold(name)?);
        }
        found.k = found.number(has, columns::PLACES);
        found.lambda = found
            .number(has, columns::LAMBDA_LOW)
            .zip(found.number(has, columns::LAMBDA_HIGH))
            .map(|(low, high)| [low, high]);
        found.density = found.text(has, columns::LAMBDA_DENSITY);
        if let Some(name) = self.dataset.propensity() {
            found.wanted.numbers.push(name.to_owned());
            found.propensity = Some(found.wanted.numbers.len() - 1);
        }
        let schemas = self
            .artefacts
            .iter()
            .map(|artefact| artefact.model.schema().clone());
        found.wanted.schemas = schemas.collect();
        Ok(found)
    }

    /// The training median with which an objective's label is compared.
    fn threshold(&self, objective: &str) -> Result<Option<f64>, LogError> {
        if !self.dataset.needs_threshold(objective)? {
            return Ok(None);
        }
        let mut artefacts = self.artefacts.iter();
        let model = artefacts.find(|artefact| artefact.model.objective() == objective);
        match model.and_then(|artefact| artefact.report.data.label_threshold) {
            Some(threshold) => Ok(Some(threshold)),
            None => Err(self.wrong(format!(
                "the label of `{objective}` is compared with the training median, which is stored \
                 in a model that was trained on it; give that model, a number as `above`, or an \
                 `outcome`"
            ))),
        }
    }
}

fn check(options: &LogOptions) -> Result<(), LogError> {
    let refuse = |name, value: String, expected| {
        Err(LogError::Option {
            name,
            value,
            expected,
        })
    };
    if options.k == Some(0) {
        return refuse("k", "0".to_owned(), "use at least 1");
    }
    if !(options.tune > 0.0 && options.tune < 1.0) {
        return refuse(
            "the tune share",
            options.tune.to_string(),
            "it must be above 0 and below 1, so that both parts have users",
        );
    }
    Ok(())
}

fn objectives(
    dataset: &Dataset,
    artefacts: &[Artefact],
    has: &[String],
) -> Result<Vec<Objective>, LogError> {
    let mut names: Vec<String> = Vec::new();
    let logged = has
        .iter()
        .filter_map(|column| columns::objective_of(column));
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
            return Err(LogError::Log {
                log: dataset.name().to_owned(),
                problem: format!("two models of `{name}` are given; give one per objective"),
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
                source: if has.contains(&columns::probability(&name)) {
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
