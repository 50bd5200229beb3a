//! What can go wrong with the weights: in the store that keeps the log, and in the plan of a
//! change.

use std::{io, path::PathBuf};

use counterweight_ranking::{BoundError, RampError};

/// Why the weights cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change, or the question, is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The log sets a profile to weights that the configuration cannot take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the weights log sets profile {profile:?} in revision {revision} to weights that are all zero for the configured objectives; \
     configure an objective that has a weight there, or give the profile other weights, on a combiner that can take these or with the kill switch"
)]
pub struct Mismatch {
    /// The profile.
    pub profile: String,
    /// The revision.
    pub revision: u64,
}

/// What went wrong in the store of the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process uses the store.
    #[error(
        "the weights store {} is in use by another process; give each combiner its own store",
        path.display()
    )]
    Locked {
        /// The log.
        path: PathBuf,
    },
    /// The store cannot be read or written.
    #[error("the weights store {}: {action}: {source}", path.display())]
    Io {
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
    Corrupt {
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
    TooNew {
        /// Which one.
        store: String,
        /// The entry's revision.
        revision: u64,
        /// The format found.
        found: u64,
        /// The newest format that is read.
        known: u64,
    },
    /// A failed write could not be undone yet, so that nothing else is written.
    #[error(
        "the weights store {} accepts no entry until a failed write is undone ({source}); rankings go on with the last weights; free disk space and try again",
        path.display()
    )]
    Closed {
        /// The log.
        path: PathBuf,
        /// Why it cannot be undone.
        source: io::Error,
    },
    /// The store did not accept an entry and certainly did not write it.
    #[error(
        "the weights store {store} is out of reach: {reason}; nothing was changed, and rankings go on with the last weights; try again"
    )]
    Unavailable {
        /// Which one.
        store: String,
        /// What happened.
        reason: String,
    },
    /// The store is out of reach at the start, and was never seen before.
    #[error(
        "the weights store {store} is out of reach: {reason}; no copy of it exists in {} yet, so the weights in force are not known; \
         start NATS first, or correct `store.nats`",
        path.display()
    )]
    NeverSeen {
        /// Which one.
        store: String,
        /// Where the copy would be.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The store is in reach, but it is not the expected one.
    #[error(
        "the weights store {store} cannot be used: {problem}; nothing is written, and rankings go on with the last weights; correct the stream, \
         or, to start a new history, stop the combiners, move their copies (`store.path`) aside and start them again"
    )]
    Broken {
        /// Which one.
        store: String,
        /// What is wrong.
        problem: String,
    },
    /// It is unknown whether the store wrote an entry.
    #[error(
        "the weights store {store} is out of reach: {reason}; whether the change was written is not known; \
         send it again with the idempotency key {key:?}, which never writes it twice"
    )]
    Ambiguous {
        /// Which one.
        store: String,
        /// What happened.
        reason: String,
        /// The entry's idempotency key.
        key: String,
    },
    /// The log does not fit the configuration.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A task of this server died.
    #[error("internal error: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// Why a change, or a question about the log, is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No such profile.
    #[error("profile {profile:?} is not known{suggestion}; the profiles are {known}")]
    UnknownProfile {
        /// What was asked for.
        profile: String,
        /// The nearest known name, as a clause.
        suggestion: String,
        /// All of them.
        known: String,
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
    /// A weight cannot be set.
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
    /// A segment, an arm or exploration brings a weight out of its bounds, or moves it too far at
    /// once.
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
    /// Weights cannot be bound to a model that has not said its version.
    #[error(
        "profile {profile:?}, objective {objective:?}: model {model:?} has not said which version it serves, so the weights cannot be bound to it; \
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
    /// A ramp cannot be walked.
    #[error("profile {profile:?}: {error}")]
    Ramp {
        /// The profile.
        profile: String,
        /// Why not.
        error: RampError,
    },
    /// No ramp runs that could be stopped.
    #[error("profile {profile:?} has no running ramp, so there is nothing to stop")]
    NoRamp {
        /// The profile.
        profile: String,
    },
    /// The log has no such entry.
    #[error("revision {revision} does not exist; the log has revisions 1 to {last}")]
    UnknownRevision {
        /// What was asked for.
        revision: u64,
        /// The last revision.
        last: u64,
    },
    /// The profile has changed since the caller read it.
    #[error(
        "profile {profile:?} is at revision {current}, and the change expected {expected}; read the weights again and decide again"
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
    /// The log sets the profile to weights that the configuration cannot take.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}
