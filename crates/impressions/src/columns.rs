//! The columns of an impression log, as `data/SCHEMA.md` describes them: what is written and what
//! is read has one name.

/// The request.
pub const REQUEST: &str = "request_id";
/// The user.
pub const USER: &str = "user_id";
/// The candidate.
pub const CANDIDATE: &str = "candidate_id";
/// When the request was ranked, in milliseconds since 1970.
pub const TIME: &str = "time";
/// Places of the page.
pub const PLACES: &str = "k";
/// The place at which a candidate was shown, from 1; missing where it was not shown.
pub const POSITION: &str = "position";
/// The profile that applied.
pub const PROFILE: &str = "profile";
/// The revision of its weights.
pub const REVISION: &str = "revision";
/// The segment that applied.
pub const SEGMENT: &str = "segment";
/// The experiment and its arm.
pub const ARM: &str = "arm";
/// The λ that was drawn.
pub const LAMBDA: &str = "lambda";
/// The least λ that could be drawn.
pub const LAMBDA_LOW: &str = "lambda_low";
/// The greatest λ that could be drawn.
pub const LAMBDA_HIGH: &str = "lambda_high";
/// Its density: `uniform` or `log_uniform`.
pub const LAMBDA_DENSITY: &str = "lambda_density";
/// The seed of the draw.
pub const LAMBDA_SEED: &str = "lambda_seed";

/// The begin of the name of every column of probabilities.
const PROBABILITY: &str = "p_";

/// The probability that was ranked by.
pub fn probability(objective: &str) -> String {
    format!("{PROBABILITY}{objective}")
}

/// The objective whose probabilities a column has, if it has any.
pub fn objective_of(column: &str) -> Option<&str> {
    column.strip_prefix(PROBABILITY)
}

/// The model's answer before a calibrator on top of it.
pub fn raw(objective: &str) -> String {
    format!("raw_{objective}")
}

/// The effective weight.
pub fn weight(objective: &str) -> String {
    format!("w_{objective}")
}

/// The version of the model.
pub fn model(objective: &str) -> String {
    format!("model_{objective}")
}

/// The name and version of the calibrator.
pub fn calibrator(objective: &str) -> String {
    format!("calibrator_{objective}")
}

/// What came of it, 0 or 1.
pub fn label(objective: &str) -> String {
    format!("label_{objective}")
}

/// The probability that the label of a simulated log was drawn from; at the position at which
/// candidates are served first, which goes before the other.
pub fn truth(objective: &str) -> [String; 2] {
    [
        format!("truth_{objective}_at_1"),
        format!("truth_{objective}"),
    ]
}
