//! The models of both options, trained alike, and what each took.

use std::time::Instant;

use counterweight_dataset::Dataset;
use counterweight_model::Artefact;
use counterweight_trainer::{Combined, Progress, Stage, train, train_combined};
use serde::Serialize;

use super::CompareOptions;
use crate::OfflineError;

/// What one model took from the files to its artefact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retraining {
    /// The objective, or the combined loss.
    pub model: String,
    /// All of it: reading, encoding, choosing the penalty, fitting, calibrating, measuring, writing. Seconds.
    pub seconds: f64,
    /// Of these, reading the files.
    pub reading: f64,
    /// Of these, choosing the penalty.
    pub choosing: f64,
}

/// Changes of weights that were timed on a running combiner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetWeights {
    /// How many changes were made, one after another.
    pub changes: usize,
    /// From the call to its answer, when the change is on disk and in force: the median, in seconds.
    pub median: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// What was measured, in words.
    pub how: String,
}

/// All models, trained.
pub(super) struct Trained {
    /// The two objectives' models, then the combined ones.
    pub(super) artefacts: Vec<Artefact>,
    /// Names of the combined ones.
    pub(super) combined: Vec<String>,
    pub(super) retraining: Vec<Retraining>,
    /// Median seconds to load an artefact from disk and check it, as a model server does when it takes it up.
    pub(super) deploy_seconds: f64,
}

pub(super) fn train_all(
    dataset: &Dataset,
    [gained, avoided]: &[String; 2],
    weights: &[[u32; 2]],
    options: &CompareOptions,
    progress: &mut dyn FnMut(&str, Progress),
) -> Result<Trained, OfflineError> {
    let combined: Vec<Combined> = weights
        .iter()
        .map(|&copies| Combined {
            gained: gained.clone(),
            avoided: avoided.clone(),
            copies,
        })
        .collect();
    let mut trained = Trained {
        artefacts: Vec::new(),
        combined: combined.iter().map(Combined::name).collect(),
        retraining: Vec::new(),
        deploy_seconds: 0.0,
    };
    let mut loads = Vec::new();
    // A combined one first: where the labels are not on the same rows, that is told before anything is trained in vain.
    let tasks = combined.iter().map(Task::Both);
    let tasks = tasks.chain([Task::One(gained), Task::One(avoided)]);
    for (number, task) in tasks.enumerate() {
        let name = task.name();
        let mut clock = Clock::new();
        let mut report = |at: Progress| {
            clock.tick(at.stage);
            progress(&name, at);
        };
        let out = options.models.join(format!("{number:02}"));
        let artefact = match task {
            Task::One(objective) => {
                train(dataset, objective, &options.training, &out, &mut report)?
            }
            Task::Both(both) => {
                train_combined(dataset, both, &options.training, &out, &mut report)?
            }
        };
        trained.retraining.push(clock.finish(name.clone()));
        let begun = Instant::now();
        let loaded = Artefact::load(&out).map_err(|source| OfflineError::Model {
            objective: name,
            source,
        })?;
        loads.push(begun.elapsed().as_secs_f64());
        debug_assert_eq!(loaded.version, artefact.version);
        trained.artefacts.push(loaded);
    }
    loads.sort_by(f64::total_cmp);
    trained.deploy_seconds = loads[loads.len() / 2];
    // Objectives stand in the order of the description; here their models only have to come first.
    trained.artefacts.rotate_right(2);
    trained.retraining.rotate_right(2);
    Ok(trained)
}

enum Task<'a> {
    One(&'a str),
    Both(&'a Combined),
}

impl Task<'_> {
    fn name(&self) -> String {
        match self {
            Self::One(name) => (*name).to_owned(),
            Self::Both(both) => both.name(),
        }
    }
}

/// Times stages by when each begins.
struct Clock {
    begun: Instant,
    stage: Option<(Stage, Instant)>,
    reading: f64,
    choosing: f64,
}

impl Clock {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            stage: None,
            reading: 0.0,
            choosing: 0.0,
        }
    }

    fn tick(&mut self, stage: Stage) {
        if self.stage.is_none_or(|(own, _)| own != stage) {
            self.end_stage();
            self.stage = Some((stage, Instant::now()));
        }
    }

    fn end_stage(&mut self) {
        if let Some((stage, since)) = self.stage.take() {
            let seconds = since.elapsed().as_secs_f64();
            match stage {
                Stage::Read => self.reading += seconds,
                Stage::Search => self.choosing += seconds,
                _ => {}
            }
        }
    }

    fn finish(mut self, model: String) -> Retraining {
        self.end_stage();
        Retraining {
            model,
            seconds: self.begun.elapsed().as_secs_f64(),
            reading: self.reading,
            choosing: self.choosing,
        }
    }
}
