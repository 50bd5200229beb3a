//! Which columns of an impression log are features.

/// Columns that a log has besides features, and their prefixes.
const NOT_FEATURES: [&str; 21] = [
    "ranking_id",
    "request_id",
    "user_id",
    "candidate_id",
    "time",
    "position",
    "shown_position",
    "events",
    "k",
    "profile",
    "revision",
    "segment",
    "arm",
    "lambda",
    "lambda_low",
    "lambda_high",
    "lambda_density",
    "lambda_seed",
    "propensity",
    "propensity_score",
    "pscore",
];
const NOT_FEATURE_PREFIXES: [&str; 7] = [
    "p_",
    "w_",
    "raw_",
    "model_",
    "calibrator_",
    "label_",
    "truth_",
];

/// Whether a column of an impression log is a feature: it is not part of the log's own schema.
#[must_use]
pub fn is_feature(column: &str) -> bool {
    let mut prefixes = NOT_FEATURE_PREFIXES.iter();
    !NOT_FEATURES.contains(&column) && !prefixes.any(|prefix| column.starts_with(prefix))
}
