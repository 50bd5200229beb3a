//! One exhaustive match from error to gRPC status, so that every code tells the caller what to do.

use std::time::Duration;

use counterweight_model_client::{Failure, InputError};
use counterweight_ranking::{BoundError, RampError, RankingError};
use counterweight_serving::{OVERLOADED, Refusal, WorkError, status, with_retry};
use counterweight_weights::{PlanError, StoreError};
use tonic::{
    Code::{
        self, Aborted, DataLoss, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument,
        NotFound, ResourceExhausted, Unavailable,
    },
    Status,
};

use crate::error::RequestError;

/// Facts of an error as `google.rpc.ErrorInfo` metadata.
type Facts = Vec<(&'static str, String)>;

/// The code and the reason of an error.
type Class = (Code, &'static str);

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        let (code, reason) = classify(&error);
        let status = status(code, &error.to_string(), reason, facts(&error));
        match retry_after(&error) {
            Some(time) => with_retry(&status, time),
            None => status,
        }
    }
}

/// The gRPC code of an error.
pub(crate) fn code(error: &RequestError) -> Code {
    classify(error).0
}

fn classify(error: &RequestError) -> Class {
    use RequestError as E;
    match error {
        E::Store(error) => classify_store(error),
        E::Plan(error) => classify_plan(error),
        E::Input(error) => (InvalidArgument, input_reason(error)),
        E::UnknownFeature { .. } => (InvalidArgument, "UNKNOWN_FEATURE"),
        E::WideAttribute { .. } => (InvalidArgument, "WIDE_ATTRIBUTE"),
        E::ObjectiveFailed {
            failure: Failure::Overloaded { .. },
            ..
        } => (ResourceExhausted, OVERLOADED),
        E::ObjectiveFailed { failure, .. } => (code_of_failure(failure), failure.kind()),
        E::Work(error) => classify_work(error),
        E::NothingLeft { retry: true, .. } => (Unavailable, "NO_OBJECTIVE_LEFT"),
        E::NothingLeft { retry: false, .. } => (FailedPrecondition, "NO_OBJECTIVE_LEFT"),
        E::PinnedVersionGone { .. } | E::PinnedCalibratorGone { .. } => {
            (FailedPrecondition, "WEIGHTS_NOT_BOUND")
        }
        E::DeadlinePassed => (DeadlineExceeded, "DEADLINE_PASSED"),
        E::NotLogged(_) => (Unavailable, "NOT_LOGGED"),
        E::Draining => (Unavailable, "DRAINING"),
        E::Field { .. } => (InvalidArgument, "FIELD"),
        E::RecentRequestsOff => (FailedPrecondition, "RECENT_REQUESTS_OFF"),
        E::NoRecentRequests { .. } => (FailedPrecondition, "NO_RECENT_REQUESTS"),
        E::Unsolved { .. } => (FailedPrecondition, "OUT_OF_REACH"),
        E::WatcherTooSlow { .. } => (ResourceExhausted, "WATCHER_TOO_SLOW"),
        E::RecentRequestsBusy { .. } => (ResourceExhausted, "RECENT_REQUESTS_BUSY"),
        E::Internal { .. } => (Internal, "INTERNAL"),
    }
}

fn input_reason(error: &InputError) -> &'static str {
    match error {
        InputError::NoCandidates => "NO_CANDIDATES",
        InputError::EmptyCandidateId { .. } => "EMPTY_CANDIDATE_ID",
        InputError::DuplicateCandidate { .. } => "DUPLICATE_CANDIDATE",
        InputError::Tensor(_) => "MALFORMED_TENSOR",
        InputError::Ragged { .. } => "RAGGED",
        InputError::Infinite { .. } => "INFINITE",
        InputError::MissingFeature { .. } => "MISSING_FEATURE",
        InputError::NotAProbability { .. } => "NOT_A_PROBABILITY",
        InputError::WrongFeature { .. } => "WRONG_FEATURE",
        InputError::Refused { .. } => "FEATURES_REFUSED",
    }
}

fn code_of_failure(failure: &Failure) -> Code {
    match failure {
        Failure::Unavailable(_) | Failure::NotServed(_) | Failure::Failed(_) => Unavailable,
        // The same request would get the same wrong answer again.
        Failure::WrongAnswer(_) => FailedPrecondition,
        Failure::TimedOut(_) => DeadlineExceeded,
        Failure::Overloaded { .. } => ResourceExhausted,
    }
}

fn classify_work(error: &WorkError) -> Class {
    match error {
        WorkError::Refused(refusal) => (refusal.code(), refusal.reason()),
        WorkError::Panicked(_) => (Internal, "INTERNAL"),
    }
}

/// When a request that was refused because of load may come again.
fn retry_after(error: &RequestError) -> Option<Duration> {
    match error {
        RequestError::ObjectiveFailed {
            failure: Failure::Overloaded { retry_after, .. },
            ..
        }
        | RequestError::Work(WorkError::Refused(Refusal::Overloaded { retry_after })) => {
            Some(*retry_after)
        }
        _ => None,
    }
}

fn classify_store(error: &StoreError) -> Class {
    use StoreError as E;
    match error {
        E::Locked { .. }
        | E::Io { .. }
        | E::Closed { .. }
        | E::NeverSeen { .. }
        | E::Unavailable { .. } => (Unavailable, "STORE_UNAVAILABLE"),
        E::Broken { .. } | E::Displaced { .. } => (FailedPrecondition, "STORE_BROKEN"),
        E::Ambiguous { .. } => (Unavailable, "STORE_AMBIGUOUS"),
        E::Corrupt { .. } | E::TooNew { .. } | E::Unreadable { .. } => (DataLoss, "STORE_CORRUPT"),
        E::Mismatch(_) => (Internal, "STORE_MISMATCH"),
        E::Internal { .. } => (Internal, "INTERNAL"),
    }
}

fn classify_plan(error: &PlanError) -> Class {
    use PlanError as E;
    match error {
        E::UnknownProfile { .. } => (NotFound, "UNKNOWN_PROFILE"),
        E::DuplicateProfile { .. } => (InvalidArgument, "DUPLICATE_PROFILE"),
        E::UnknownObjective { .. } => (InvalidArgument, "UNKNOWN_OBJECTIVE"),
        E::Weight { .. } => (InvalidArgument, "WRONG_WEIGHT"),
        E::OutOfBounds { error, .. } | E::RuleOutOfBounds { error, .. } => match error {
            BoundError::BelowMinimum { .. } | BoundError::AboveMaximum { .. } => {
                (InvalidArgument, "OUT_OF_BOUNDS")
            }
            // Smaller steps can reach the target.
            BoundError::StepTooLarge { .. } => (FailedPrecondition, "OUT_OF_BOUNDS"),
        },
        E::Rule { .. } => (InvalidArgument, "WRONG_RULE"),
        E::NotServed { .. } => (FailedPrecondition, "NOT_SERVED"),
        E::VersionUnknown { .. } => (FailedPrecondition, "VERSION_UNKNOWN"),
        E::NoSafeSet { .. } => (FailedPrecondition, "NO_SAFE_SET"),
        E::Ramp { .. } => (InvalidArgument, "WRONG_RAMP"),
        E::NoRamp { .. } => (FailedPrecondition, "NO_RAMP"),
        E::UnknownRevision { .. } => (NotFound, "UNKNOWN_REVISION"),
        E::Lost { .. } => (Aborted, "REVISION_MISMATCH"),
        E::FutureRevision { .. } => (InvalidArgument, "FUTURE_REVISION"),
        E::KeyReused { .. } => (InvalidArgument, "IDEMPOTENCY_KEY_REUSED"),
        E::EntryTooLarge { .. } => (InvalidArgument, "ENTRY_TOO_LARGE"),
        E::NotSkippable { .. } => (FailedPrecondition, "NOT_SKIPPABLE"),
        E::StoreInReach => (FailedPrecondition, "STORE_IN_REACH"),
        E::Mismatch(_) => (Internal, "STORE_MISMATCH"),
    }
}

/// The facts of an error, for programs.
fn facts(error: &RequestError) -> Facts {
    use RequestError as E;
    match error {
        E::Store(error) => facts_of_store(error),
        E::Plan(error) => facts_of_plan(error),
        E::Input(error) => facts_of_input(error),
        E::UnknownFeature { feature, .. }
        | E::WideAttribute {
            attribute: feature, ..
        } => vec![fact("feature", feature)],
        E::ObjectiveFailed { objective, .. } => vec![fact("objective", objective)],
        E::NothingLeft { objectives, .. } => vec![fact("objective", objectives)],
        E::PinnedVersionGone {
            objective, version, ..
        } => vec![
            fact("objective", objective),
            fact("bound_model_version", version),
        ],
        E::PinnedCalibratorGone {
            objective, pinned, ..
        } => vec![
            fact("objective", objective),
            fact("bound_calibrator", pinned),
        ],
        E::Field { field, .. } => vec![fact("field", field)],
        E::NoRecentRequests { profile, .. } => vec![fact("profile", profile)],
        E::Unsolved {
            profile,
            objective,
            error,
            ..
        } => facts_of_unsolved(profile, objective, error),
        E::WatcherTooSlow { revision } => vec![fact("revision", revision)],
        E::RecentRequestsBusy { limit } => vec![fact("limit", limit)],
        E::NotLogged(reason) => vec![fact("reason", reason.name())],
        E::DeadlinePassed
        | E::Draining
        | E::RecentRequestsOff
        | E::Work(_)
        | E::Internal { .. } => vec![],
    }
}

fn facts_of_input(error: &InputError) -> Facts {
    use InputError as E;
    match error {
        E::NoCandidates => vec![fact("field", "candidate_ids")],
        E::EmptyCandidateId { index } => vec![candidate_field(*index)],
        E::DuplicateCandidate { id, index } => {
            vec![candidate_field(*index), fact("candidate", id)]
        }
        E::Tensor(error) => vec![error.tensor().map_or_else(
            || fact("field", "raw_input_contents"),
            |name| fact("feature", name),
        )],
        E::Ragged { feature, .. } | E::Infinite { feature, .. } => vec![fact("feature", feature)],
        E::MissingFeature { objective, feature }
        | E::NotAProbability {
            objective, feature, ..
        }
        | E::WrongFeature {
            objective, feature, ..
        } => vec![fact("objective", objective), fact("feature", feature)],
        E::Refused { objective, .. } => vec![fact("objective", objective)],
    }
}

fn facts_of_unsolved(profile: &str, objective: &str, error: &RankingError) -> Facts {
    let mut facts = vec![fact("profile", profile), fact("objective", objective)];
    if let RankingError::BudgetOutOfReach {
        lowest: reachable,
        weight,
        ..
    }
    | RankingError::GainOutOfReach {
        highest: reachable,
        weight,
        ..
    } = error
    {
        facts.push(fact("reachable", reachable));
        facts.push(fact("weight", weight));
    }
    facts
}

fn facts_of_store(error: &StoreError) -> Facts {
    use StoreError as E;
    match error {
        E::Ambiguous { key, .. } => vec![fact("idempotency_key", key)],
        E::Corrupt { revision, .. }
        | E::TooNew { revision, .. }
        | E::Unreadable { revision, .. } => {
            vec![fact("revision", revision)]
        }
        E::Mismatch(mismatch) => vec![fact("profile", &mismatch.profile)],
        E::Locked { .. }
        | E::Io { .. }
        | E::Closed { .. }
        | E::NeverSeen { .. }
        | E::Unavailable { .. }
        | E::Broken { .. }
        | E::Displaced { .. }
        | E::Internal { .. } => vec![],
    }
}

fn facts_of_plan(error: &PlanError) -> Facts {
    use PlanError as E;
    match error {
        E::UnknownProfile { profile, .. }
        | E::DuplicateProfile { profile }
        | E::NoSafeSet { profile }
        | E::NoRamp { profile } => vec![fact("profile", profile)],
        E::UnknownObjective {
            profile, objective, ..
        }
        | E::Weight {
            profile, objective, ..
        }
        | E::OutOfBounds {
            profile, objective, ..
        }
        | E::NotServed {
            profile, objective, ..
        }
        | E::VersionUnknown {
            profile, objective, ..
        } => vec![fact("profile", profile), fact("objective", objective)],
        E::Rule { profile, rule, .. } => vec![fact("profile", profile), fact("rule", rule)],
        E::RuleOutOfBounds {
            profile,
            rule,
            objective,
            ..
        } => vec![
            fact("profile", profile),
            fact("objective", objective),
            fact("rule", rule),
        ],
        E::Ramp { profile, error } => {
            let mut facts = vec![fact("profile", profile)];
            if let RampError::TooFew { sufficient, .. } = error {
                facts.push(fact("sufficient_steps", sufficient));
            }
            facts
        }
        E::UnknownRevision { last, .. } => vec![fact("last_revision", last)],
        E::Lost {
            profile, current, ..
        } => vec![fact("profile", profile), fact("current_revision", current)],
        E::FutureRevision { field, last, .. } => {
            vec![fact("field", field), fact("last_revision", last)]
        }
        E::EntryTooLarge { most, .. } => vec![fact("limit", most)],
        E::NotSkippable { revision, .. } => vec![fact("revision", revision)],
        E::StoreInReach => vec![],
        E::KeyReused { revision, .. } => {
            vec![fact("field", "idempotency_key"), fact("revision", revision)]
        }
        E::Mismatch(mismatch) => vec![fact("profile", &mismatch.profile)],
    }
}

fn fact(key: &'static str, value: &(impl ToString + ?Sized)) -> (&'static str, String) {
    (key, value.to_string())
}

fn candidate_field(index: usize) -> (&'static str, String) {
    fact("field", &format!("candidate_ids[{index}]"))
}
