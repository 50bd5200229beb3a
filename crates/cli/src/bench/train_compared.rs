//! Trains the models of both options in the same way, and measures the time of each.

use std::{path::Path, time::Instant};

use anyhow::Context as _;
use counterweight_evaluation::{ComparePlan, Retraining, TrainedModels};
use counterweight_model::Artefact;
use counterweight_trainer::{Combined, Progress, Stage, TrainOptions, train, train_combined};

/// Trains the models that a plan compares, each into its own folder in `out`. `progress` receives
/// the name of the model in training and its progress.
pub(super) fn train_all(
    plan: &ComparePlan<'_>,
    options: &TrainOptions,
    out: &Path,
    progress: &mut dyn FnMut(&str, Progress),
) -> anyhow::Result<TrainedModels> {
    let (dataset, [gained, avoided]) = (plan.dataset(), plan.objectives());
    let combined: Vec<Combined> = plan
        .weights()
        .iter()
        .map(|&copies| Combined {
            gained: gained.clone(),
            avoided: avoided.clone(),
            copies,
        })
        .collect();
    let mut trained = TrainedModels {
        artefacts: Vec::new(),
        combined: combined.iter().map(Combined::name).collect(),
        retraining: Vec::new(),
        deploy_seconds: 0.0,
    };
    let mut loads = Vec::new();
    // Train the combined models first: if the labels are not on the same rows, this fails before
    // the time of any other training is spent.
    let tasks = combined.iter().map(Task::Both);
    let tasks = tasks.chain([Task::One(gained), Task::One(avoided)]);
    for (number, task) in tasks.enumerate() {
        let name = task.name();
        let mut clock = Clock::new();
        let mut report = |at: Progress| {
            clock.tick(at.stage);
            progress(&name, at);
        };
        let folder = out.join(format!("{number:02}"));
        let artefact = match task {
            Task::One(objective) => train(dataset, objective, options, &folder, &mut report)?,
            Task::Both(both) => train_combined(dataset, both, options, &folder, &mut report)?,
        };
        trained.retraining.push(clock.finish(name.clone()));
        let begun = Instant::now();
        let loaded = Artefact::load(&folder).with_context(|| format!("model of `{name}`"))?;
        loads.push(begun.elapsed().as_secs_f64());
        debug_assert_eq!(loaded.version, artefact.version);
        trained.artefacts.push(loaded);
    }
    loads.sort_by(f64::total_cmp);
    trained.deploy_seconds = loads[loads.len() / 2];
    // The comparison expects the models of the two objectives before the combined models.
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

/// Measures the time of each stage, from its first progress to that of the next stage.
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
