//! The columns of an impression log, as `data/SCHEMA.md` describes them. The reader and the writer
//! use the same names.

/// The request.
pub const REQUEST: &str = "request_id";
/// The ranking, in a request log.
pub const RANKING: &str = "ranking_id";
/// The user.
pub const USER: &str = "user_id";
/// The candidate.
pub const CANDIDATE: &str = "candidate_id";
/// The time when the request was ranked, in milliseconds since 1970.
pub const TIME: &str = "time";
/// Number of places of the page.
pub const PLACES: &str = "k";
/// The position at which a candidate was shown, from 1; missing if it was not shown.
pub const POSITION: &str = "position";
/// The position at which a user saw the candidate, which a joined log has.
pub const SHOWN_POSITION: &str = "shown_position";
/// The profile that applied.
pub const PROFILE: &str = "profile";
/// The revision of the profile's weights.
pub const REVISION: &str = "revision";
/// The segment that applied.
pub const SEGMENT: &str = "segment";
/// The experiment and its arm.
pub const ARM: &str = "arm";
/// The λ that was drawn.
pub const LAMBDA: &str = "lambda";
/// The smallest λ that could be drawn.
pub const LAMBDA_LOW: &str = "lambda_low";
/// The largest λ that could be drawn.
pub const LAMBDA_HIGH: &str = "lambda_high";
/// The density of λ: `uniform` or `log_uniform`.
pub const LAMBDA_DENSITY: &str = "lambda_density";
/// The seed of the draw.
pub const LAMBDA_SEED: &str = "lambda_seed";

/// The prefix of all columns of probabilities.
const PROBABILITY: &str = "p_";

/// The probability by which candidates were ranked.
pub fn probability(objective: &str) -> String {
    format!("{PROBABILITY}{objective}")
}

/// The objective of a column of probabilities; `None` for other columns.
pub fn objective_of(column: &str) -> Option<&str> {
    column.strip_prefix(PROBABILITY)
}

/// The model's answer before an additional calibrator.
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

/// The outcome, 0 or 1.
pub fn label(objective: &str) -> String {
    format!("label_{objective}")
}

/// When the outcome became known, in milliseconds since 1970.
pub fn label_time(objective: &str) -> String {
    format!("label_time_{objective}")
}

/// One over the probability with which a post was chosen to be labelled.
pub fn label_weight(objective: &str) -> String {
    format!("label_weight_{objective}")
}

/// The columns of the true probability from which a simulated log drew the label: at position 1, at
/// which candidates are scored when serving, and at the logged position. Readers use the first that
/// exists.
pub fn truth(objective: &str) -> [String; 2] {
    [
        format!("truth_{objective}_at_1"),
        format!("truth_{objective}"),
    ]
}
