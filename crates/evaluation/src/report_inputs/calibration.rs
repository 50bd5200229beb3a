//! How well probabilities are calibrated: the observed share beside the predicted share.

use counterweight_impressions::{Log, Part, Request};
use counterweight_model::{CalibrationBin, PartReport};
use serde::Serialize;

use crate::metrics::{BinSums, ece};

/// The calibration of one objective's probabilities.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The objective.
    pub objective: String,
    /// On which rows, in words.
    pub rows: String,
    /// Bins of equal width that hold rows, ascending.
    pub bins: Vec<CalibrationBin>,
    /// Mean probability of all.
    pub predicted: f64,
    /// Mean outcome of all.
    pub realised: f64,
    /// Σ share of the bin · |predicted − realised|.
    pub ece: f64,
    /// Area under the ROC curve, where it is known.
    pub auc: Option<f64>,
    /// Mean log loss in nats, where it is known.
    pub log_loss: Option<f64>,
}

/// Sums while a log is read: of each objective and bin the rows, their probabilities and outcomes.
#[derive(Debug, Clone, Default)]
pub struct CalibrationSums(Vec<BinSums>);

impl CalibrationSums {
    /// Adds the test part's candidates whose outcome is known.
    pub fn add(&mut self, batch: &[Request]) {
        for request in batch.iter().filter(|request| request.part == Part::Test) {
            let columns = request.probabilities.iter().zip(&request.realised);
            self.0
                .resize_with(request.probabilities.len(), BinSums::default);
            for (sums, (probabilities, outcomes)) in self.0.iter_mut().zip(columns) {
                let known = probabilities.iter().zip(outcomes);
                for (p, outcome) in known.filter(|(_, outcome)| !outcome.is_nan()) {
                    sums.add(*p, *outcome);
                }
            }
        }
    }

    /// One entry per objective whose probabilities can be judged: of a model at hand as it was
    /// measured when it was trained, at the positions of its log; of logged probabilities on this
    /// log's test part.
    pub fn finish(&self, log: &Log) -> Vec<Calibration> {
        let objectives = log.objectives().iter().enumerate();
        objectives
            .filter_map(|(at, objective)| {
                let mut artefacts = log.artefacts().iter();
                let model = artefacts.find(|own| own.model.objective() == objective.name);
                let test = |report: &PartReport| report.part == "test";
                match model {
                    Some(artefact) => artefact
                        .report
                        .parts
                        .iter()
                        .find(|part| test(part))
                        .map(|part| of_model(&objective.name, &artefact.report.data.dataset, part)),
                    None => Some(self.0.get(at)?.table())
                        .filter(|bins| !bins.is_empty())
                        .map(|bins| summed(&objective.name, bins)),
                }
            })
            .collect()
    }
}

fn of_model(objective: &str, dataset: &str, part: &PartReport) -> Calibration {
    Calibration {
        rows: format!(
            "{} rows of the test part of {dataset}, as the model was measured when it was trained",
            part.rows
        ),
        auc: part.auc,
        log_loss: part.log_loss,
        ..summed(objective, part.calibration.clone())
    }
}

fn summed(objective: &str, bins: Vec<CalibrationBin>) -> Calibration {
    let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
    let mean = |of: &dyn Fn(&CalibrationBin) -> f64| {
        bins.iter()
            .map(|bin| bin.rows as f64 * of(bin))
            .sum::<f64>()
            / rows as f64
    };
    Calibration {
        objective: objective.to_owned(),
        rows: format!(
            "{rows} candidates of the log's test part whose outcome is known, where they were shown"
        ),
        predicted: mean(&|bin| bin.mean_probability),
        realised: mean(&|bin| bin.positive_rate),
        ece: ece(&bins).unwrap_or(f64::NAN),
        auc: None,
        log_loss: None,
        bins,
    }
}
