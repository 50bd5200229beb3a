//! Everything that can go wrong in the combiner, with the facts that tell whose turn it is and what to do.

use std::{io, path::PathBuf};

use counterweight_config::ConfigError;
use counterweight_ranking::{BoundError, RampError, RankingError};
use counterweight_tensor::TensorError;

/// Why the combiner can not start, or why it refuses or fails a request.
///
/// `wire::status` maps every variant to its gRPC code.
#[derive(Debug, thiserror::Error)]
pub enum CombinerError {
    // ---- start-up ----
    /// The configuration file can not be read or is not the TOML that is expected.
    #[error(transparent)]
    ConfigFile(#[from] ConfigError),
    /// A value of the configuration makes no sense.
    #[error("{origin}: {key}: {problem}")]
    Config {
        /// The file.
        origin: String,
        /// The key, as a path.
        key: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// A server stopped for a reason other than shutdown.
    #[error("{what} stopped: {reason}")]
    Serve {
        /// Which server.
        what: &'static str,
        /// What it said.
        reason: String,
    },

    // ---- the weights store ----
    /// Another process uses the store.
    #[error(
        "the weights store {} is in use by another process; give each combiner a store of its own",
        path.display()
    )]
    StoreLocked {
        /// The log.
        path: PathBuf,
    },
    /// The store can not be read or written.
    #[error("the weights store {}: {action}: {source}", path.display())]
    StoreIo {
        /// The log.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An entry of the store is not what was written.
    #[error(
        "the weights store {store}, entry {revision}: {problem}; restore it from a copy, or move it aside to start from the configured weights"
    )]
    StoreCorrupt {
        /// Which one.
        store: String,
        /// The first bad entry's revision; in a file, its line.
        revision: u64,
        /// What is wrong.
        problem: String,
    },
    /// The store was written by a newer version of this program.
    #[error(
        "the weights store {store}, entry {revision}, has format {found}, and this version reads up to {known}; use the version that wrote it or a newer one"
    )]
    StoreTooNew {
        /// Which one.
        store: String,
        /// The entry's revision.
        revision: u64,
        /// The format found.
        found: u64,
        /// The newest format that is read.
        known: u64,
    },
    /// The store's weights do not fit the configuration.
    #[error(
        "the weights store {store} sets profile {profile:?} in revision {revision} to weights that are all zero for the configured objectives; \
         configure an objective that has a weight there, or move the store aside"
    )]
    StoreMismatch {
        /// Which one.
        store: String,
        /// The profile.
        profile: String,
        /// The revision.
        revision: u64,
    },
    /// A failed write could not be undone yet, so that nothing else is written.
    #[error(
        "the weights store {} takes no entry until a failed write is undone ({source}); rankings go on with the last weights; free the disk and try again",
        path.display()
    )]
    StoreClosed {
        /// The log.
        path: PathBuf,
        /// Why it can not be undone.
        source: io::Error,
    },
    /// The store did not take an entry, and surely does not hold it.
    #[error(
        "the weights store {store} is out of reach: {reason}; nothing was changed, and rankings go on with the last weights; try again"
    )]
    StoreUnavailable {
        /// Which one.
        store: String,
        /// What happened.
        reason: String,
    },
    /// The store is out of reach at the start, and was never seen before.
    #[error(
        "the weights store {store} is out of reach: {reason}; there is no copy of it in {} yet, so that nobody knows which weights are in force; \
         start NATS first, or correct `store.nats`",
        path.display()
    )]
    StoreNeverSeen {
        /// Which one.
        store: String,
        /// Where the copy would be.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The store is in reach, but is not the one that it has to be.
    #[error(
        "the weights store {store} can not be used: {problem}; nothing is written, and rankings go on with the last weights; put the stream right, \
         or, to begin a new history, stop the combiners, move their copies (`store.path`) aside and start them again"
    )]
    StoreBroken {
        /// Which one.
        store: String,
        /// What is wrong.
        problem: String,
    },
    /// Nobody knows whether the store took an entry.
    #[error(
        "the weights store {store} is out of reach: {reason}; whether the change was written is not known; \
         send it again with the idempotency key {key:?}, which never writes it twice"
    )]
    StoreAmbiguous {
        /// Which one.
        store: String,
        /// What happened.
        reason: String,
        /// The entry's idempotency key.
        key: String,
    },

    // ---- a request to rank ----
    /// No candidates.
    #[error("candidate_ids is empty; send at least one candidate")]
    NoCandidates,
    /// An empty candidate id.
    #[error("candidate_ids[{index}] is empty; every candidate needs an id")]
    EmptyCandidateId {
        /// Position, from 0.
        index: usize,
    },
    /// A candidate id twice.
    #[error(
        "candidate id {id:?} is sent twice (the second time at {index}); send each candidate once"
    )]
    DuplicateCandidate {
        /// The id.
        id: String,
        /// Position of the repetition, from 0.
        index: usize,
    },
    /// A tensor is malformed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A column is neither as long as the candidates nor a context column.
    #[error(
        "feature {feature:?} has {rows} rows for {candidates} candidates; send {candidates} rows{hint}"
    )]
    Ragged {
        /// The feature.
        feature: String,
        /// Its rows.
        rows: usize,
        /// The candidates.
        candidates: usize,
        /// When one row is not allowed, why.
        hint: String,
    },
    /// An infinite number.
    #[error(
        "feature {feature:?}, row {row}: the value is infinite; send a finite number, or NaN where it is missing"
    )]
    Infinite {
        /// The feature.
        feature: String,
        /// The row, from 0.
        row: usize,
    },
    /// No objective takes the feature.
    #[error(
        "feature {feature:?} is taken by no objective{suggestion}; leave it out or correct its name"
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
    /// An objective needs a feature that was not sent.
    #[error("objective {objective:?} needs feature {feature:?}, which was not sent")]
    MissingFeature {
        /// The objective.
        objective: String,
        /// The feature.
        feature: String,
    },
    /// A probability column holds something else.
    #[error(
        "objective {objective:?}: column {feature:?}, row {row}, is {value}; send a probability between 0 and 1"
    )]
    NotAProbability {
        /// The objective.
        objective: String,
        /// The column.
        feature: String,
        /// The row, from 0.
        row: usize,
        /// What was sent.
        value: f64,
    },
    /// A feature that has to be numbers is not, or is too wide.
    #[error("objective {objective:?}: feature {feature:?} {problem}")]
    WrongFeature {
        /// The objective.
        objective: String,
        /// The feature.
        feature: String,
        /// What is wrong and what to send.
        problem: String,
    },
    /// The model refuses the request's features.
    #[error("objective {objective:?}: the model refuses the features: {reason}")]
    Refused {
        /// The objective.
        objective: String,
        /// What the model said.
        reason: String,
    },
    /// No such profile.
    #[error("there is no profile {profile:?}{suggestion}; the profiles are {known}")]
    UnknownProfile {
        /// What was asked for.
        profile: String,
        /// The nearest known name, as a clause.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// An objective's model has failed and the profile's policy is `fail`.
    #[error("objective {objective:?}: {failure}")]
    ObjectiveFailed {
        /// The objective.
        objective: String,
        /// How.
        failure: Failure,
    },
    /// Every objective that carries a weight has failed.
    #[error("no objective with a weight is left to rank by: {reasons}")]
    NothingLeft {
        /// The failed objectives, comma separated.
        objectives: String,
        /// Why each failed.
        reasons: String,
    },
    /// The profile holds a version of the model that is no longer served.
    #[error(
        "objective {objective:?}: the weights hold version {version:?} of model {model:?}, which is served no more ({reason}); \
         serve it again, or confirm the weights for the version that is served"
    )]
    HeldVersionGone {
        /// The objective.
        objective: String,
        /// The model's name on its server.
        model: String,
        /// The version that is held.
        version: String,
        /// What the servers said.
        reason: String,
    },
    /// The profile holds a calibrator that is no longer applied.
    #[error(
        "objective {objective:?}: the weights hold calibrator {held:?}, and {applied:?} is applied; \
         bring it back, or confirm the weights for what is served"
    )]
    HeldCalibratorGone {
        /// The objective.
        objective: String,
        /// The calibrators that are held.
        held: String,
        /// The calibrators that are applied.
        applied: String,
    },
    /// The caller's deadline had passed before the models were called.
    #[error("the deadline passed before the models were called; give the call more time")]
    DeadlinePassed,
    /// Too many requests at once.
    #[error("{limit} requests are in flight, the most this server takes; back off and try again")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// The server is stopping.
    #[error("this server is draining; call another one")]
    Draining,

    // ---- a request to read or change weights ----
    /// A field that has to be filled, or has to be shorter.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong and what to send.
        problem: String,
    },
    /// A profile twice in one request.
    #[error("profile {profile:?} is changed twice in one request; send one change per profile")]
    DuplicateProfile {
        /// The profile.
        profile: String,
    },
    /// The profile has no such objective.
    #[error(
        "profile {profile:?} has no objective {objective:?}{suggestion}; its objectives are {known}"
    )]
    UnknownObjective {
        /// The profile.
        profile: String,
        /// What was sent.
        objective: String,
        /// The nearest known name, as a clause.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// A weight can not be set.
    #[error("profile {profile:?}, objective {objective:?}: {problem}")]
    Weight {
        /// The profile.
        profile: String,
        /// The objective; all of them when the set as a whole is refused.
        objective: String,
        /// What is wrong and what to send.
        problem: String,
    },
    /// A weight is out of its bounds, or moves too far at once.
    #[error(
        "profile {profile:?}, objective {objective:?}: {error}; go in smaller steps, by a ramp, or with force"
    )]
    OutOfBounds {
        /// The profile.
        profile: String,
        /// The objective.
        objective: String,
        /// Which bound.
        error: BoundError,
    },
    /// A segment, an experiment or exploration makes no sense.
    #[error("profile {profile:?}, {rule}: {problem}")]
    Rule {
        /// The profile.
        profile: String,
        /// The segment, experiment, arm or exploration.
        rule: String,
        /// What is wrong and what to send.
        problem: String,
    },
    /// A segment, an arm or exploration brings a weight out of its bounds, or moves it too far at once.
    #[error(
        "profile {profile:?}, {rule}, objective {objective:?}: {error}; go in smaller steps, change the rule, or go with force"
    )]
    RuleOutOfBounds {
        /// The profile.
        profile: String,
        /// The segment, arm or exploration whose requests it is.
        rule: String,
        /// The objective.
        objective: String,
        /// Which bound.
        error: BoundError,
    },
    /// The writer names a model that is not served.
    #[error(
        "profile {profile:?}, objective {objective:?}: the weights are said to be tuned for {wanted}, and {served} is served; \
         tune them for what is served"
    )]
    NotServed {
        /// The profile.
        profile: String,
        /// The objective.
        objective: String,
        /// What was named.
        wanted: String,
        /// What is served.
        served: String,
    },
    /// Weights can not be bound to a model that has not said its version.
    #[error(
        "profile {profile:?}, objective {objective:?}: model {model:?} has not said which version it serves, so the weights can not be bound to it; \
         bring the model up, or set them with force"
    )]
    VersionUnknown {
        /// The profile.
        profile: String,
        /// The objective.
        objective: String,
        /// The model's name on its server.
        model: String,
    },
    /// The kill switch has nothing to put in force.
    #[error(
        "no safe set is declared for {profile:?}; write `safe` into its [profile] in the configuration"
    )]
    NoSafeSet {
        /// The profile, or all of them.
        profile: String,
    },
    /// A ramp can not be walked.
    #[error("profile {profile:?}: {error}")]
    Ramp {
        /// The profile.
        profile: String,
        /// Why not.
        error: RampError,
    },
    /// There is no ramp to stop.
    #[error("profile {profile:?} has no ramp under way")]
    NoRamp {
        /// The profile.
        profile: String,
    },
    /// There is no such entry.
    #[error("there is no revision {revision}; the log has revisions 1 to {last}")]
    UnknownRevision {
        /// What was asked for.
        revision: u64,
        /// The last revision.
        last: u64,
    },
    /// The compare-and-set was lost.
    #[error(
        "profile {profile:?} is at revision {current}, and the change expected {expected}; read the weights again and decide anew"
    )]
    Lost {
        /// The profile.
        profile: String,
        /// What the caller saw.
        expected: u64,
        /// What is there.
        current: u64,
    },
    /// A revision that does not exist yet.
    #[error("{field} is {revision}, but the log ends at revision {last}")]
    FutureRevision {
        /// The field.
        field: &'static str,
        /// What was sent.
        revision: u64,
        /// The last revision.
        last: u64,
    },
    /// An idempotency key was used before for another change.
    #[error(
        "idempotency_key {key:?} was used for another change in revision {revision}; use a new key for a new change"
    )]
    KeyReused {
        /// The key.
        key: String,
        /// Where it was used.
        revision: u64,
    },

    // ---- the recent requests ----
    /// The recent requests are not kept.
    #[error(
        "this combiner keeps no recent requests; set `candidates` in [ring] of its configuration above 0 and start it again"
    )]
    RingOff,
    /// No request is kept yet.
    #[error(
        "no recent request of profile {profile:?} is kept{left_out}; rank some under it and try again"
    )]
    RingEmpty {
        /// The profile.
        profile: String,
        /// How many were left out and why, as a clause.
        left_out: String,
    },
    /// No weight does what is asked.
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
    /// Too much is asked about the recent requests at once.
    #[error(
        "{limit} callers are being told about the recent requests, the most this server takes; try again in a moment"
    )]
    RingBusy {
        /// The limit.
        limit: usize,
    },
    /// A task of this server died.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// Why no weight does what is asked, and what to do.
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
            "no recent request is ranked by the profile's own weight of {objective:?}: segments, arms or exploration put another one in its place; \
             change it there"
        ),
        RankingError::GainWeight { weight, .. } => format!(
            "the weight of {gain:?} is {weight} for some recent requests, so that nothing is lost by less of {objective:?}; \
             set it above 0, in segments and arms too"
        ),
        other => other.to_string(),
    }
}

/// How an objective's model failed; what the caller did wrong is no failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It can not be reached.
    #[error("the model is unavailable: {0}")]
    Unavailable(String),
    /// No server has the model, or the version that is asked for.
    #[error("the model is not served: {0}")]
    NotServed(String),
    /// It answered that it failed.
    #[error("the model failed: {0}")]
    Failed(String),
    /// It did not answer in time.
    #[error("the model did not answer within {0} ms")]
    TimedOut(u128),
    /// It is overloaded.
    #[error("the model is overloaded: {0}")]
    Overloaded(String),
    /// It answered with something that is no probability per candidate.
    #[error("the model's answer is wrong: {0}")]
    WrongAnswer(String),
}

impl Failure {
    /// A short name, for metrics and `google.rpc.ErrorInfo`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            // To a caller it is the same.
            Self::Unavailable(_) | Self::NotServed(_) => "MODEL_UNAVAILABLE",
            Self::Failed(_) => "MODEL_FAILED",
            Self::TimedOut(_) => "MODEL_TIMED_OUT",
            Self::Overloaded(_) => "MODEL_OVERLOADED",
            Self::WrongAnswer(_) => "MODEL_WRONG_ANSWER",
        }
    }
}
