//! From labelled rows to a calibrated model: the part of training that a fold table repeats per fold.

use counterweight_dataset::{Loaded, Part};
use counterweight_model::{
    Calibrator, CurvePoint, Model, ModelParts, PriorCorrection, fit_encoders_to_shares,
};

use crate::calibrate::Calibration;
use crate::fit::{FitError, FitOptions, FitReport, fit};
use crate::progress::{Report, Stage, begin};
use crate::search::{Search, Training, search};
use crate::targets::Targets;
use crate::{TrainOptions, TrainerError};

/// A model and what is known of how it came about.
pub(crate) struct Learned {
    pub(crate) model: Model,
    pub(crate) alpha: f64,
    /// Penalties tried, ascending.
    pub(crate) curve: Vec<CurvePoint>,
    pub(crate) fit: FitReport,
    /// One per encoded column: change of the logit for one standard deviation of the column.
    pub(crate) standardised: Vec<f64>,
    /// Probabilities of all copies of the training rows, each from a fit that did not see the row's fold.
    pub(crate) held_out: Vec<f64>,
    /// Fits of the search that did not converge.
    pub(crate) unconverged: usize,
}

/// Learns `targets`, which are of all rows of `loaded`, from the rows `training`. The calibrator is fitted on the
/// rows `calibrate`, or cross-fitted on the training rows where there are none.
pub(crate) fn learn(
    loaded: &Loaded,
    targets: &Targets<'_>,
    training: &[usize],
    calibrate: &[usize],
    options: &TrainOptions,
    report: Report<'_>,
) -> Result<Learned, TrainerError> {
    let fit_error = |what: &str, source: FitError| TrainerError::Fit {
        objective: loaded.objective.clone(),
        what: what.to_owned(),
        source,
    };
    let folds = loaded.folds_of(training, options.folds, options.seed)?;

    begin(report, Stage::Encode);
    let batch = loaded.rows.batch(training)?;
    let (encoders, encoded) = fit_encoders_to_shares(
        &loaded.rows.schema,
        &batch,
        &targets.shares(training),
        &folds,
    )?;
    let copies = targets.copies(training);
    let columns: Vec<Vec<f64>> = if targets.count() == 1 {
        encoded.columns
    } else {
        encoded.columns.iter().map(|c| copies.spread(c)).collect()
    };
    let folds = copies.spread(&folds);
    // A penalty on the sum of the losses grows with their number.
    let count = f64::from(targets.count());
    let alphas: Vec<f64> = options.alphas.iter().map(|alpha| alpha * count).collect();

    let rows = Training {
        columns: &columns,
        labels: &copies.labels,
        folds: &folds,
    };
    let Search {
        alpha,
        curve,
        held_out,
        unconverged,
    } = search(&rows, &alphas, options.seed, report)
        .map_err(|e| fit_error("choosing the penalty", e))?;

    begin(report, Stage::Fit);
    let fit_options = FitOptions {
        alpha,
        seed: options.seed,
        ..FitOptions::default()
    };
    let fitted = fit(&columns, &copies.labels, &fit_options, None)
        .map_err(|e| fit_error("fitting all training rows", e))?;

    let prior = prior_correction(loaded);
    let model = Model::new(ModelParts {
        objective: loaded.objective.clone(),
        encoders,
        coefficients: fitted.coefficients,
        intercept: fitted.intercept,
        prior_correction: prior,
        calibrator: Calibrator::None,
    })?;
    let calibrator = if calibrate.is_empty() {
        options
            .calibration
            .fit_cross_fitted(&held_out, &copies.labels, prior)?
    } else {
        let logits = model
            .score_as_logged(&loaded.rows.batch(calibrate)?)?
            .logits;
        let copies = targets.copies(calibrate);
        options
            .calibration
            .fit(&copies.spread(&logits), &copies.labels)?
    };
    let shift = prior.map_or(0.0, |prior| prior.shift());
    Ok(Learned {
        held_out: held_out
            .iter()
            .map(|logit| calibrator.apply(logit + shift))
            .collect(),
        model: model.with_calibrator(calibrator)?,
        alpha: alpha / count,
        curve: curve
            .into_iter()
            .map(|point| CurvePoint {
                alpha: point.alpha / count,
                ..point
            })
            .collect(),
        fit: fitted.report,
        standardised: fitted.standardised,
        unconverged,
    })
}

/// How the training part was sampled by class, if it was.
fn prior_correction(loaded: &Loaded) -> Option<PriorCorrection> {
    loaded.negatives_kept.map(|negative_rate| PriorCorrection {
        negative_rate,
        positive_rate: 1.0,
    })
}

/// Where the rows come from on which the calibrator is fitted, for the card.
pub(crate) fn calibration_rows(loaded: &Loaded, method: Calibration) -> &'static str {
    match method {
        Calibration::None => "no rows",
        _ if loaded.parts.contains(&Part::Calibrate) => "the calibrate part",
        _ => "the training part, cross-fitted",
    }
}
