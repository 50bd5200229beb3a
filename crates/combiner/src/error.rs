//! The errors of the combiner, by boundary: its configuration, its start and stop, and a request.

use counterweight_config::ConfigError;
use counterweight_feedback::FeedbackError;
use counterweight_journal::DropReason;
use counterweight_model_client::{Failure, InputError, NotAnAddress};
use counterweight_ranking::RankingError;
use counterweight_serving::WorkError;
use counterweight_weights::{self as weights, PlanError, StoreError};

/// Why the combiner cannot start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum CombinerError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The weights store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log of events cannot start.
    #[error(transparent)]
    Feedback(#[from] FeedbackError),
    /// A server stopped for a reason other than shutdown.
    #[error("{what} stopped: {reason}")]
    Serve {
        /// Which server.
        what: &'static str,
        /// Its error.
        reason: String,
    },
    /// A part of the server cannot be made.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read, or is not valid TOML of the expected form.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A value is not valid.
    #[error("{origin}: {key}: {problem}")]
    Value {
        /// The file.
        origin: String,
        /// The key, as a path.
        key: String,
        /// What is wrong and what to write.
        problem: String,
    },
}

/// Why a request is refused or fails; `wire::status` maps every variant to its gRPC code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    // ---- to rank ----
    /// The candidates or features are not valid.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No objective accepts the feature.
    #[error(
        "feature {feature:?} is not accepted by any objective{suggestion}; leave it out or correct its name"
    )]
    UnknownFeature {
        /// The feature.
        feature: String,
        /// The nearest known name, as a clause.
        suggestion: String,
    },
    /// A configured attribute is more than one value.
    #[error(
        "attribute {attribute:?} has {rows} rows of {width} values; send one value for the whole request, shape [1]"
    )]
    WideAttribute {
        /// The attribute.
        attribute: String,
        /// Its rows.
        rows: usize,
        /// Values in a row.
        width: usize,
    },
    /// An objective's model has failed and the profile's policy is `fail`.
    #[error("objective {objective:?}: {failure}")]
    ObjectiveFailed {
        /// The objective.
        objective: String,
        /// How.
        failure: Failure,
    },
    /// Every objective with a weight that is not 0 has failed.
    #[error("no objective with a weight is left to rank by: {reasons}")]
    NothingLeft {
        /// The failed objectives, comma separated.
        objectives: String,
        /// Why each failed.
        reasons: String,
        /// True when the same request may succeed later.
        retry: bool,
    },
    /// The profile is pinned to a version of the model that is no longer served.
    #[error(
        "objective {objective:?}: the weights are pinned to version {version:?} of model {model:?}, which is no longer served ({reason}); \
         serve it again, or confirm the weights for the version that is served"
    )]
    PinnedVersionGone {
        /// The objective.
        objective: String,
        /// The model's name on its server.
        model: String,
        /// The pinned version.
        version: String,
        /// What the servers said.
        reason: String,
    },
    /// The profile is pinned to a calibrator that is no longer applied.
    #[error(
        "objective {objective:?}: the weights are pinned to calibrator {pinned:?}, but {applied:?} is applied; \
         bring it back, or confirm the weights for what is served"
    )]
    PinnedCalibratorGone {
        /// The objective.
        objective: String,
        /// The pinned calibrators.
        pinned: String,
        /// The calibrators that are applied.
        applied: String,
    },
    /// The caller's deadline had passed before the models were called.
    #[error("the deadline passed before the models were called; give the call more time")]
    DeadlinePassed,
    /// Every ranking must be durable before it is answered, and this one is not.
    #[error(
        "the ranking could not be logged, and this server answers only with rankings that are: {0}; try again, or call another server"
    )]
    NotLogged(DropReason),
    /// The server is stopping.
    #[error("this server is draining; call another one")]
    Draining,

    // ---- to read or change weights ----
    /// The weights store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change, or the question, is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A field is empty, too long or not valid.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong and what to send.
        problem: String,
    },

    // ---- about the recent requests ----
    /// A watcher does not read.
    #[error(
        "the watcher has read nothing for too long; watch again from revision {revision}, and read what comes"
    )]
    WatcherTooSlow {
        /// The first revision that it did not get.
        revision: u64,
    },
    /// The recent requests are not kept.
    #[error(
        "this combiner keeps no recent requests; set `candidates` in [recent_requests] of its configuration above 0 and start it again"
    )]
    RecentRequestsOff,
    /// No request is kept yet.
    #[error(
        "no recent request of profile {profile:?} is kept{left_out}; rank some under it and try again"
    )]
    NoRecentRequests {
        /// The profile.
        profile: String,
        /// How many were left out and why, as a clause.
        left_out: String,
    },
    /// No weight reaches the goal.
    #[error("profile {profile:?}: {}", unsolved(objective, gain, error))]
    Unsolved {
        /// The profile.
        profile: String,
        /// The objective whose weight is sought.
        objective: String,
        /// The objective whose exposure is the gain.
        gain: String,
        /// Why not.
        error: RankingError,
    },
    /// Too many callers use the recent requests at once.
    #[error(
        "{limit} callers already use the recent requests, the most that this server allows; try again in a moment"
    )]
    RecentRequestsBusy {
        /// The limit.
        limit: usize,
    },
    /// Work that was to run beside the requests was not done.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A task of this server died.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

impl From<NotAnAddress> for CombinerError {
    fn from(error: NotAnAddress) -> Self {
        // The configuration was checked.
        Self::Internal {
            what: error.to_string(),
        }
    }
}

impl From<weights::Error> for RequestError {
    fn from(error: weights::Error) -> Self {
        match error {
            weights::Error::Store(error) => Self::Store(error),
            weights::Error::Plan(error) => Self::Plan(error),
        }
    }
}

/// Why no weight reaches the goal, and what to do.
fn unsolved(objective: &str, gain: &str, error: &RankingError) -> String {
    match error {
        RankingError::BudgetOutOfReach {
            budget,
            lowest,
            weight,
        } => format!(
            "no weight of {objective:?} within the bounds brings its exposure down to {budget}; the lowest is {lowest}, at weight {weight}; \
             allow that much, or widen the bounds"
        ),
        RankingError::GainOutOfReach {
            gain: asked,
            highest,
            weight,
        } => format!(
            "no weight of {objective:?} within the bounds gives an exposure of {asked} to {gain:?}; the highest is {highest}, at weight {weight}; \
             ask for that much, or widen the bounds"
        ),
        RankingError::NoWeight { low, high } => format!(
            "no weight of {objective:?} of at most 0 lies well within its bounds, {low} to {high}; widen them"
        ),
        RankingError::NothingFree { .. } => format!(
            "no recent request is ranked by the profile's own weight of {objective:?}: segments, arms or exploration replace it; \
             change it there"
        ),
        RankingError::GainWeight { weight, .. } => format!(
            "the weight of {gain:?} is {weight} for some recent requests, so less {objective:?} would cost them nothing; \
             set it above 0, in segments and arms too"
        ),
        other => other.to_string(),
    }
}
