//! Learns a calibrated model from labelled rows. A fold table repeats this part of training for
//! each fold.

use counterweight_dataset::{Loaded, Part};
use counterweight_model::{Calibrator, CurvePoint, Encoders, Model, ModelParts, PriorCorrection};

use crate::calibration::Calibration;
use crate::classes::{check_calibrate_part, check_folds};
use crate::encoding::fit_encoders_to_shares;
use crate::error::TrainerError;
use crate::fit::{FitError, FitOptions, FitReport, fit};
use crate::options::TrainOptions;
use crate::progress::{Report, Stage, begin};
use crate::search::{Search, Training, search};
use crate::targets::Targets;

/// A model, and how it was fitted.
pub(crate) struct Learned {
    pub(crate) model: Model,
    pub(crate) alpha: f64,
    /// The penalties that were tried, in increasing order.
    pub(crate) curve: Vec<CurvePoint>,
    pub(crate) fit: FitReport,
    /// The change of the logit per standard deviation of each encoded column.
    pub(crate) standardised: Vec<f64>,
    /// Probabilities of all copies of the training rows, each from a fit without the row's fold.
    pub(crate) held_out: Vec<f64>,
    /// The number of fits of the search that did not converge.
    pub(crate) unconverged: usize,
}

/// Learns from the rows `training`; `targets` has the labels of all rows of `loaded`. The
/// calibrator is fitted on the rows `calibrate`. If `calibrate` is empty, the calibrator is fitted
/// on the cross-fitted logits of the training rows.
pub(crate) fn learn(
    loaded: &Loaded,
    targets: &Targets<'_>,
    training: &[usize],
    calibrate: &[usize],
    options: &TrainOptions,
    report: Report<'_>,
) -> Result<Learned, TrainerError> {
    let objective = &loaded.objective;
    let fit_error = |what: &str, source: FitError| TrainerError::Fit {
        objective: objective.clone(),
        what: what.to_owned(),
        source,
    };
    let folds = loaded.folds_of(training, options.folds, options.seed)?;

    let copies = targets.copies(training);
    let copied_folds = copies.spread(&folds);
    check_folds(objective, &copies.labels, &copied_folds)?;
    let method = options.calibration;
    if method != Calibration::None && !calibrate.is_empty() {
        check_calibrate_part(objective, &targets.copies(calibrate).labels)?;
    }

    begin(report, Stage::Encode);
    let (encoders, columns) = encode(loaded, targets, training, &folds)?;
    // The penalty is relative to a sum of losses, and the sum grows with the number of copies.
    let count = f64::from(targets.count());
    let alphas: Vec<f64> = options.alphas.iter().map(|alpha| alpha * count).collect();

    let rows = Training {
        columns: &columns,
        labels: &copies.labels,
        folds: &copied_folds,
    };
    let Search {
        alpha,
        curve,
        held_out,
        unconverged,
    } = search(&rows, &alphas, options.seed, report)
        .map_err(|e| fit_error("choosing the penalty", e))?;

    begin(report, Stage::Fit);
    let seed = options.seed;
    let fit_options = FitOptions {
        alpha,
        seed,
        ..FitOptions::default()
    };
    let fitted = fit(&columns, &copies.labels, &fit_options, None)
        .map_err(|e| fit_error("fitting all training rows", e))?;

    let prior = prior_correction(loaded);
    let shift = prior.map_or(0.0, |prior| prior.shift());
    let model = Model::new(ModelParts {
        objective: objective.clone(),
        encoders,
        coefficients: fitted.coefficients,
        intercept: fitted.intercept,
        prior_correction: prior,
        calibrator: Calibrator::None,
    })?;
    let calibrator = match calibrate {
        [] => method.fit_cross_fitted(&held_out, &copies.labels, prior)?,
        rows => fit_calibrator(loaded, targets, rows, &model, method)?,
    };
    let probability = |logit: &f64| calibrator.apply(logit + shift);
    Ok(Learned {
        held_out: held_out.iter().map(probability).collect(),
        model: model.with_calibrator(calibrator)?,
        alpha: alpha / count,
        curve: per_row(curve, count),
        fit: fitted.report,
        standardised: fitted.standardised,
        unconverged,
    })
}

/// Converts the penalties of the search, which are relative to all copies, to penalties relative to
/// the rows, which the card states.
fn per_row(mut curve: Vec<CurvePoint>, copies: f64) -> Vec<CurvePoint> {
    for point in &mut curve {
        point.alpha /= copies;
    }
    curve
}

/// Fits the encoders on the training rows, and encodes every copy of them.
fn encode(
    loaded: &Loaded,
    targets: &Targets<'_>,
    training: &[usize],
    folds: &[u32],
) -> Result<(Encoders, Vec<Vec<f64>>), TrainerError> {
    let batch = loaded.rows.batch(training)?;
    let shares = targets.shares(training);
    let (encoders, encoded) = fit_encoders_to_shares(&loaded.rows.schema, &batch, &shares, folds)?;
    let columns = if targets.count() == 1 {
        encoded.columns
    } else {
        let copies = targets.copies(training);
        encoded.columns.iter().map(|c| copies.spread(c)).collect()
    };
    Ok((encoders, columns))
}

/// Fits the calibrator on rows that the model was not trained on.
fn fit_calibrator(
    loaded: &Loaded,
    targets: &Targets<'_>,
    rows: &[usize],
    model: &Model,
    method: Calibration,
) -> Result<Calibrator, TrainerError> {
    let logits = model.score_as_logged(&loaded.rows.batch(rows)?)?.logits;
    let copies = targets.copies(rows);
    method.fit(&copies.spread(&logits), &copies.labels)
}

/// The rates at which the training part was sampled by class, if it was sampled.
fn prior_correction(loaded: &Loaded) -> Option<PriorCorrection> {
    loaded.negatives_kept.map(|negative_rate| PriorCorrection {
        negative_rate,
        positive_rate: 1.0,
    })
}

/// Names the rows on which the calibrator is fitted, for the card.
pub(crate) fn calibration_rows(loaded: &Loaded, method: Calibration) -> &'static str {
    match method {
        Calibration::None => "no rows",
        _ if loaded.parts.contains(&Part::Calibrate) => "the calibrate part",
        _ => "the training part, cross-fitted",
    }
}
