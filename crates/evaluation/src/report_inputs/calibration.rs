//! How far probabilities can be believed: the observed share beside the predicted share.

use counterweight_impressions::{Log, Part, Request};
use counterweight_model::PartReport;
use serde::Serialize;

const BINS: usize = 10;

/// One bin of probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Candidates in it.
    pub rows: u64,
    /// Their mean probability.
    pub predicted: f64,
    /// Their mean outcome.
    pub realised: f64,
}

/// The calibration of one objective's probabilities.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibrated {
    /// The objective.
    pub objective: String,
    /// On which rows, in words.
    pub rows: String,
    /// Bins of equal width that hold rows, ascending.
    pub bins: Vec<Bin>,
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
pub struct Calibrating(Vec<[(u64, f64, f64); BINS]>);

impl Calibrating {
    /// Adds the test part's candidates whose outcome is known.
    pub fn add(&mut self, batch: &[Request]) {
        for request in batch.iter().filter(|request| request.part == Part::Test) {
            let columns = request.probabilities.iter().zip(&request.realised);
            self.0
                .resize(request.probabilities.len(), [(0, 0.0, 0.0); BINS]);
            for (bins, (probabilities, outcomes)) in self.0.iter_mut().zip(columns) {
                let known = probabilities.iter().zip(outcomes);
                for (p, outcome) in known.filter(|(_, outcome)| !outcome.is_nan()) {
                    // As the metrics have it: (low, high], the first one with 0.
                    let bin = (p * BINS as f64).ceil() as usize;
                    let (rows, predicted, realised) = &mut bins[bin.clamp(1, BINS) - 1];
                    *rows += 1;
                    *predicted += p;
                    *realised += outcome;
                }
            }
        }
    }

    /// One entry per objective whose probabilities can be judged: of a model at hand as it was measured when it was trained, at the positions
    /// of its log; of logged probabilities on this log's test part.
    pub fn finish(&self, log: &Log) -> Vec<Calibrated> {
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
                    None => of_bins(&objective.name, self.0.get(at)?),
                }
            })
            .collect()
    }
}

fn of_model(objective: &str, dataset: &str, part: &PartReport) -> Calibrated {
    let bins: Vec<Bin> = part
        .calibration
        .iter()
        .map(|bin| Bin {
            rows: bin.rows,
            predicted: bin.mean_probability,
            realised: bin.positive_rate,
        })
        .collect();
    Calibrated {
        rows: format!(
            "{} rows of the test part of {dataset}, as the model was measured when it was trained",
            part.rows
        ),
        auc: part.auc,
        log_loss: part.log_loss,
        ..summed(objective, bins)
    }
}

fn of_bins(objective: &str, sums: &[(u64, f64, f64); BINS]) -> Option<Calibrated> {
    let bins: Vec<Bin> = sums
        .iter()
        .filter(|(rows, _, _)| *rows > 0)
        .map(|&(rows, predicted, realised)| Bin {
            rows,
            predicted: predicted / rows as f64,
            realised: realised / rows as f64,
        })
        .collect();
    let calibrated = summed(objective, bins);
    (!calibrated.bins.is_empty()).then_some(calibrated)
}

fn summed(objective: &str, bins: Vec<Bin>) -> Calibrated {
    let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
    let mean = |of: &dyn Fn(&Bin) -> f64| {
        bins.iter()
            .map(|bin| bin.rows as f64 * of(bin))
            .sum::<f64>()
            / rows as f64
    };
    Calibrated {
        objective: objective.to_owned(),
        rows: format!(
            "{rows} candidates of the log's test part whose outcome is known, where they were shown"
        ),
        predicted: mean(&|bin| bin.predicted),
        realised: mean(&|bin| bin.realised),
        ece: mean(&|bin| (bin.predicted - bin.realised).abs()),
        auc: None,
        log_loss: None,
        bins,
    }
}
