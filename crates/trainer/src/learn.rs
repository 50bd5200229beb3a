//! From labelled rows to a calibrated model: the part of training that a fold table repeats per fold.

use counterweight_dataset::{Loaded, Part};
use counterweight_model::{
    Calibrator, CurvePoint, Model, ModelParts, PriorCorrection, fit_encoders,
};

use crate::calibrate::Calibration;
use crate::fit::{FitError, FitOptions, FitReport, fit};
use crate::progress::{Report, Stage, begin};
use crate::search::{Search, Training, search};
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
    /// Probabilities of the training rows, each from a fit that did not see the row's fold.
    pub(crate) held_out: Vec<f64>,
    /// Fits of the search that did not converge.
    pub(crate) unconverged: usize,
}

/// Learns from the rows `training` of `loaded`; `labels` has one entry per row of `loaded`. The calibrator is fitted on the
/// rows `calibrate`, or cross-fitted on the training rows where there are none.
pub(crate) fn learn(
    loaded: &Loaded,
    labels: &[bool],
    training: &[usize],
    calibrate: &[usize],
    options: &TrainOptions,
    report: Report<'_>,
) -> Result<Learned, TrainerError> {
    let labels_of = |rows: &[usize]| rows.iter().map(|&row| labels[row]).collect::<Vec<bool>>();
    let fit_error = |what: &str, source: FitError| TrainerError::Fit {
        objective: loaded.objective.clone(),
        what: what.to_owned(),
        source,
    };
    let training_labels = labels_of(training);
    let folds = loaded.folds_of(training, options.folds, options.seed)?;

    begin(report, Stage::Encode);
    let batch = loaded.rows.batch(training)?;
    let (encoders, encoded) = fit_encoders(&loaded.rows.schema, &batch, &training_labels, &folds)?;

    let rows = Training {
        columns: &encoded.columns,
        labels: &training_labels,
        folds: &folds,
    };
    let Search {
        alpha,
        curve,
        held_out,
        unconverged,
    } = search(&rows, &options.alphas, options.seed, report)
        .map_err(|e| fit_error("choosing the penalty", e))?;

    begin(report, Stage::Fit);
    let fit_options = FitOptions {
        alpha,
        seed: options.seed,
        ..FitOptions::default()
    };
    let fitted = fit(&encoded.columns, &training_labels, &fit_options, None)
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
            .fit_cross_fitted(&held_out, &training_labels, prior)?
    } else {
        let logits = model
            .score_as_logged(&loaded.rows.batch(calibrate)?)?
            .logits;
        options.calibration.fit(&logits, &labels_of(calibrate))?
    };
    let shift = prior.map_or(0.0, |prior| prior.shift());
    Ok(Learned {
        held_out: held_out
            .iter()
            .map(|logit| calibrator.apply(logit + shift))
            .collect(),
        model: model.with_calibrator(calibrator)?,
        alpha,
        curve,
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
