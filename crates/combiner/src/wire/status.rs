//! One exhaustive match from error to gRPC status, so that every code tells the caller what to do.

use std::collections::HashMap;

use counterweight_ranking::{BoundError, RampError, RankingError};
use counterweight_weights::{Mismatch, PlanError, StoreError};
use tonic::{
    Code::{
        self, Aborted, DataLoss, DeadlineExceeded, FailedPrecondition, Internal, InvalidArgument,
        NotFound, ResourceExhausted, Unavailable,
    },
    Status,
};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::error::{Failure, RequestError};

/// The domain of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "counterweight";

/// Facts of an error as `google.rpc.ErrorInfo` metadata.
type Facts = Vec<(&'static str, String)>;

/// The code, the reason and the facts of an error.
type Description = (Code, &'static str, Facts);

impl From<RequestError> for Status {
    fn from(error: RequestError) -> Self {
        let (code, reason, facts) = describe(&error);
        if matches!(code, Code::Internal | Code::DataLoss) {
            tracing::error!(%error, "request failed");
        }
        let metadata: HashMap<_, _> = facts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        Self::with_error_details(code, error.to_string(), details)
    }
}

/// The code that goes out for an error.
pub(crate) fn code(error: &RequestError) -> Code {
    describe(error).0
}

fn describe(error: &RequestError) -> Description {
    use RequestError as E;
    match error {
        E::Store(error) => describe_store(error),
        E::Plan(error) => describe_plan(error),
        E::NoCandidates => (InvalidArgument, "NO_CANDIDATES", field("candidate_ids")),
        E::EmptyCandidateId { index } => (
            InvalidArgument,
            "EMPTY_CANDIDATE_ID",
            field(format!("candidate_ids[{index}]")),
        ),
        E::DuplicateCandidate { id, index } => {
            let mut facts = field(format!("candidate_ids[{index}]"));
            facts.push(("candidate", id.clone()));
            (InvalidArgument, "DUPLICATE_CANDIDATE", facts)
        }
        E::Tensor(tensor) => {
            let facts = tensor
                .tensor()
                .map_or_else(|| field("raw_input_contents"), feature);
            (InvalidArgument, "MALFORMED_TENSOR", facts)
        }
        E::Ragged { feature: name, .. } => (InvalidArgument, "RAGGED", feature(name)),
        E::Infinite { feature: name, .. } => (InvalidArgument, "INFINITE", feature(name)),
        E::UnknownFeature { feature: name, .. } => {
            (InvalidArgument, "UNKNOWN_FEATURE", feature(name))
        }
        E::WideAttribute { attribute, .. } => {
            (InvalidArgument, "WIDE_ATTRIBUTE", feature(attribute))
        }
        E::MissingFeature { objective, feature } => {
            (InvalidArgument, "MISSING_FEATURE", both(objective, feature))
        }
        E::NotAProbability {
            objective, feature, ..
        } => (
            InvalidArgument,
            "NOT_A_PROBABILITY",
            both(objective, feature),
        ),
        E::WrongFeature {
            objective, feature, ..
        } => (InvalidArgument, "WRONG_FEATURE", both(objective, feature)),
        E::Refused { objective, .. } => (
            InvalidArgument,
            "FEATURES_REFUSED",
            one("objective", objective),
        ),
        E::ObjectiveFailed { objective, failure } => {
            let code = match failure {
                Failure::Unavailable(_) | Failure::NotServed(_) | Failure::Failed(_) => Unavailable,
                // The same request would be answered as wrongly again.
                Failure::WrongAnswer(_) => FailedPrecondition,
                Failure::TimedOut(_) => DeadlineExceeded,
                Failure::Overloaded(_) => ResourceExhausted,
            };
            (code, failure.kind(), one("objective", objective))
        }
        E::NothingLeft {
            objectives, retry, ..
        } => (
            if *retry {
                Unavailable
            } else {
                FailedPrecondition
            },
            "NO_OBJECTIVE_LEFT",
            one("objective", objectives),
        ),
        E::HeldVersionGone {
            objective, version, ..
        } => (
            FailedPrecondition,
            "WEIGHTS_NOT_BOUND",
            vec![
                ("objective", objective.clone()),
                ("bound_model_version", version.clone()),
            ],
        ),
        E::HeldCalibratorGone {
            objective, held, ..
        } => (
            FailedPrecondition,
            "WEIGHTS_NOT_BOUND",
            vec![
                ("objective", objective.clone()),
                ("bound_calibrator", held.clone()),
            ],
        ),
        E::DeadlinePassed => (DeadlineExceeded, "DEADLINE_PASSED", vec![]),
        E::Overloaded { limit } => (
            ResourceExhausted,
            "OVERLOADED",
            vec![("limit", limit.to_string())],
        ),
        E::Draining => (Unavailable, "DRAINING", vec![]),
        E::Field { field: name, .. } => (InvalidArgument, "FIELD", field(*name)),

        E::RingOff => (FailedPrecondition, "RING_OFF", vec![]),
        E::RingEmpty { profile, .. } => {
            (FailedPrecondition, "NO_REQUESTS", one("profile", profile))
        }
        E::Unsolved {
            profile,
            objective,
            error,
            ..
        } => {
            let mut facts = in_profile(profile, objective);
            match error {
                RankingError::BudgetOutOfReach {
                    lowest: reachable,
                    weight,
                    ..
                }
                | RankingError::GainOutOfReach {
                    highest: reachable,
                    weight,
                    ..
                } => {
                    facts.push(("reachable", reachable.to_string()));
                    facts.push(("weight", weight.to_string()));
                }
                _ => {}
            }
            (FailedPrecondition, "OUT_OF_REACH", facts)
        }
        E::RingBusy { limit } => (
            ResourceExhausted,
            "RING_BUSY",
            vec![("limit", limit.to_string())],
        ),
        E::Internal { .. } => (Internal, "INTERNAL", vec![]),
    }
}

fn describe_store(error: &StoreError) -> Description {
    use StoreError as E;
    match error {
        E::Locked { .. }
        | E::Io { .. }
        | E::Closed { .. }
        | E::NeverSeen { .. }
        | E::Unavailable { .. } => (Unavailable, "STORE_UNAVAILABLE", vec![]),
        E::Broken { .. } => (FailedPrecondition, "STORE_BROKEN", vec![]),
        E::Ambiguous { key, .. } => (Unavailable, "STORE_AMBIGUOUS", one("idempotency_key", key)),
        E::Corrupt { revision, .. } | E::TooNew { revision, .. } => (
            DataLoss,
            "STORE_CORRUPT",
            vec![("revision", revision.to_string())],
        ),
        E::Mismatch(mismatch) => describe_mismatch(mismatch),
        E::Internal { .. } => (Internal, "INTERNAL", vec![]),
    }
}

fn describe_plan(error: &PlanError) -> Description {
    use PlanError as E;
    match error {
        E::UnknownProfile { profile, .. } => (NotFound, "UNKNOWN_PROFILE", one("profile", profile)),
        E::DuplicateProfile { profile } => (
            InvalidArgument,
            "DUPLICATE_PROFILE",
            one("profile", profile),
        ),
        E::UnknownObjective {
            profile, objective, ..
        } => (
            InvalidArgument,
            "UNKNOWN_OBJECTIVE",
            in_profile(profile, objective),
        ),
        E::Weight {
            profile, objective, ..
        } => (
            InvalidArgument,
            "WRONG_WEIGHT",
            in_profile(profile, objective),
        ),
        E::OutOfBounds {
            profile,
            objective,
            error,
        } => (
            out_of_bounds(error),
            "OUT_OF_BOUNDS",
            in_profile(profile, objective),
        ),
        E::Rule { profile, rule, .. } => (
            InvalidArgument,
            "WRONG_RULE",
            in_rule(one("profile", profile), rule),
        ),
        E::RuleOutOfBounds {
            profile,
            rule,
            objective,
            error,
        } => (
            out_of_bounds(error),
            "OUT_OF_BOUNDS",
            in_rule(in_profile(profile, objective), rule),
        ),
        E::NotServed {
            profile, objective, ..
        } => (
            FailedPrecondition,
            "NOT_SERVED",
            in_profile(profile, objective),
        ),
        E::VersionUnknown {
            profile, objective, ..
        } => (
            FailedPrecondition,
            "VERSION_UNKNOWN",
            in_profile(profile, objective),
        ),
        E::NoSafeSet { profile } => (FailedPrecondition, "NO_SAFE_SET", one("profile", profile)),
        E::Ramp { profile, error } => {
            let mut facts = one("profile", profile);
            if let RampError::TooFew { sufficient, .. } = error {
                facts.push(("sufficient_steps", sufficient.to_string()));
            }
            (InvalidArgument, "WRONG_RAMP", facts)
        }
        E::NoRamp { profile } => (FailedPrecondition, "NO_RAMP", one("profile", profile)),
        E::UnknownRevision { last, .. } => (
            NotFound,
            "UNKNOWN_REVISION",
            vec![("last_revision", last.to_string())],
        ),
        E::Lost {
            profile, current, ..
        } => (
            Aborted,
            "REVISION_MISMATCH",
            vec![
                ("profile", profile.clone()),
                ("current_revision", current.to_string()),
            ],
        ),
        E::FutureRevision {
            field: name, last, ..
        } => {
            let mut facts = field(*name);
            facts.push(("last_revision", last.to_string()));
            (InvalidArgument, "FUTURE_REVISION", facts)
        }
        E::KeyReused { revision, .. } => {
            let mut facts = field("idempotency_key");
            facts.push(("revision", revision.to_string()));
            (InvalidArgument, "IDEMPOTENCY_KEY_REUSED", facts)
        }
        E::Mismatch(mismatch) => describe_mismatch(mismatch),
    }
}

fn describe_mismatch(mismatch: &Mismatch) -> Description {
    (
        Internal,
        "STORE_MISMATCH",
        one("profile", &mismatch.profile),
    )
}

fn one(key: &'static str, value: &str) -> Facts {
    vec![(key, value.to_owned())]
}

fn in_profile(profile: &str, objective: &str) -> Facts {
    vec![
        ("profile", profile.to_owned()),
        ("objective", objective.to_owned()),
    ]
}

fn in_rule(mut facts: Facts, rule: &str) -> Facts {
    facts.push(("rule", rule.to_owned()));
    facts
}

fn out_of_bounds(error: &BoundError) -> Code {
    match error {
        BoundError::BelowMinimum { .. } | BoundError::AboveMaximum { .. } => Code::InvalidArgument,
        // Smaller steps lead there.
        BoundError::StepTooLarge { .. } => FailedPrecondition,
    }
}

fn field(name: impl Into<String>) -> Facts {
    vec![("field", name.into())]
}

fn feature(name: &str) -> Facts {
    one("feature", name)
}

fn both(objective: &str, feature: &str) -> Facts {
    vec![
        ("objective", objective.to_owned()),
        ("feature", feature.to_owned()),
    ]
}
