//! Makes the comparison from a plan over trained models.

use counterweight_dataset::Dataset;
use counterweight_impressions::{Log, Parts};
use counterweight_model::Artefact;

use super::{
    judge,
    options::{CompareOptions, check, check_log, distinct, lambda, objectives},
    pages::{Pages, Roles},
    result::{Comparison, Retraining},
    truth::Truth,
};
use crate::error::EvaluationError;

/// What is to be compared, checked before anything is trained.
#[derive(Debug)]
pub struct ComparePlan<'a> {
    dataset: &'a Dataset,
    options: &'a CompareOptions,
    names: [String; 2],
    weights: Vec<[u32; 2]>,
    truth: Option<Truth>,
}

/// The models of both options, trained alike, and what that took.
#[derive(Debug)]
pub struct TrainedModels {
    /// The two objectives' models, then the combined ones.
    pub artefacts: Vec<Artefact>,
    /// Names of the combined ones, one per weight of the plan.
    pub combined: Vec<String>,
    /// What each took, in the order of `artefacts`.
    pub retraining: Vec<Retraining>,
    /// Median seconds to load an artefact from disk and check it, as a model server does when it
    /// takes it up.
    pub deploy_seconds: f64,
}

impl<'a> ComparePlan<'a> {
    /// Checks the options against the data, and reads the truth where there is one.
    ///
    /// # Errors
    /// [`EvaluationError`] for invalid options, unknown objectives, and a truth that cannot be
    /// read.
    pub fn new(dataset: &'a Dataset, options: &'a CompareOptions) -> Result<Self, EvaluationError> {
        check(options)?;
        let names = objectives(dataset, options)?;
        check_log(dataset, options)?;
        let truth = match &options.truth {
            Some(file) => Some(Truth::read(file, &names)?),
            None => None,
        };
        Ok(Self {
            dataset,
            options,
            names,
            weights: distinct(&options.weights),
            truth,
        })
    }

    /// The data to train on.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// What is gained, and what it costs.
    pub fn objectives(&self) -> &[String; 2] {
        &self.names
    }

    /// The weights m : n, in lowest terms, each once, λ ascending.
    pub fn weights(&self) -> &[[u32; 2]] {
        &self.weights
    }

    /// Reads the log, scores it by every model, and compares the two options.
    ///
    /// # Errors
    /// As [`Log::read`]; [`EvaluationError::Log`] where a part has too few users, and where a page
    /// holds every candidate, so that no order could matter.
    pub fn compare(self, trained: TrainedModels) -> Result<Comparison, EvaluationError> {
        let Self {
            dataset,
            options,
            names,
            weights,
            truth,
        } = self;
        let mut log = Log::open(dataset.clone(), trained.artefacts, options.log.clone())?;
        let place = |name: &str| {
            let mut all = log.objectives().iter();
            all.position(|own| own.name == name).ok_or_else(|| {
                log.wrong(format!("no model of {name:?} was trained; this is a fault"))
            })
        };
        let roles = Roles {
            gain: place(&names[0])?,
            cost: place(&names[1])?,
            combined: trained
                .combined
                .iter()
                .map(|name| place(name))
                .collect::<Result<_, _>>()?,
            lambdas: weights.iter().map(|[m, n]| lambda(*m, *n)).collect(),
            discount: options.discount,
        };
        let name = log.name().to_owned();
        let mut pages = Pages::new(name, roles, truth, options.log.k);
        let summary = log.read(Parts::All, &mut |_| (), &mut |batch| pages.add(batch))?;
        let tune = pages.tune.finish(&log, "tune")?;
        let test = pages.test.finish(&log, "test")?;
        if !pages.contested {
            return Err(log.wrong(format!(
                "every page of {} places holds all candidates whose labels are known, so that no order matters; ask for fewer places (k){}",
                pages.k,
                if pages.truth.is_none() { ", or give the truth" } else { "" }
            )).into());
        }
        judge::comparison(judge::Material {
            log: &log,
            names,
            weights,
            pages: &pages,
            tune,
            test,
            summary,
            options,
            retraining: trained.retraining,
            deploy_seconds: trained.deploy_seconds,
        })
    }
}
