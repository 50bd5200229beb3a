//! Decodes the requests of WeightsService; what needs no knowledge of the log is checked here.

use counterweight_proto::counterweight::v1 as pb;
use prost::Message;
use uuid::Uuid;

use super::audience;
use crate::{
    config::Config,
    error::RequestError,
    weights::{Cause, ModelBinding, ProfileAt, ProfileChange, RampPlan, digest},
    wire::common::decode_weights,
};

/// The longest reason, author or idempotency key, in bytes.
const TEXT_MAX_BYTES: usize = 4096;
/// Entries of a page when the caller does not say, and the most there are.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 1000;
/// The longest ramp.
const RAMP_MAX_MS: u64 = 366 * 24 * 3600 * 1000;
/// Hexadecimal digits of SHA-256.
const HASH_DIGITS: usize = 64;

pub(super) fn set(
    request: pb::SetWeightsRequest,
) -> Result<(Cause, Vec<ProfileChange>), RequestError> {
    let request_digest = digest(&request.encode_to_vec());
    if request.changes.is_empty() {
        return Err(empty("changes", "which profile to change"));
    }
    let cause = pb::Cause {
        author: request.author,
        reason: request.reason,
        idempotency_key: request.idempotency_key,
    };
    let cause = self::cause(Some(cause), request_digest)?;
    let changes = request.changes.into_iter().map(change);
    Ok((cause, changes.collect::<Result<_, _>>()?))
}

pub(super) fn change(mut change: pb::ProfileChange) -> Result<ProfileChange, RequestError> {
    Ok(ProfileChange {
        audience: audience::change(&mut change)?,
        at: ProfileAt {
            profile: change.profile,
            expected_revision: change.expected_revision,
        },
        weights: decode_weights(change.weights),
        binding: change
            .binding
            .into_iter()
            .map(|bound| ModelBinding {
                objective: bound.objective,
                model_version: bound.model_version,
                calibrator: bound.calibrator,
            })
            .collect(),
        confirm_models: change.confirm_models,
    })
}

pub(super) fn rollback(
    request: pb::RollbackWeightsRequest,
) -> Result<(Cause, Vec<ProfileAt>), RequestError> {
    let request_digest = digest_of("RollbackWeights", &request);
    if request.profiles.is_empty() {
        return Err(empty("profiles", "which profile to restore"));
    }
    let cause = cause(request.cause, request_digest)?;
    let profiles = request.profiles.into_iter().map(at).collect();
    Ok((cause, profiles))
}

pub(super) fn start_ramp(
    request: pb::StartRampRequest,
    started_ms: u64,
) -> Result<(Cause, RampPlan), RequestError> {
    let request_digest = digest_of("StartRamp", &request);
    let cause = cause(request.cause, request_digest)?;
    let duration = request.duration.unwrap_or_default();
    let duration_ms = std::time::Duration::try_from(duration)
        .ok()
        .and_then(|duration| u64::try_from(duration.as_millis()).ok())
        .filter(|ms| (1..=RAMP_MAX_MS).contains(ms))
        .ok_or_else(|| RequestError::Field {
            field: "duration",
            problem: format!("is {duration}; send from one millisecond to 366 days"),
        })?;
    let plan = RampPlan {
        at: at(request.profile.unwrap_or_default()),
        target: decode_weights(request.target),
        duration_ms,
        steps: request.steps,
        started_ms,
        author: cause.author.clone(),
        reason: cause.reason.clone(),
    };
    Ok((cause, plan))
}

pub(super) fn stop_ramp(request: pb::StopRampRequest) -> Result<(Cause, ProfileAt), RequestError> {
    let request_digest = digest_of("StopRamp", &request);
    let cause = cause(request.cause, request_digest)?;
    Ok((cause, at(request.profile.unwrap_or_default())))
}

pub(super) fn kill(request: pb::KillWeightsRequest) -> Result<(Cause, String), RequestError> {
    let request_digest = digest_of("KillWeights", &request);
    Ok((cause(request.cause, request_digest)?, request.profile))
}

/// What part of the log a list is to show.
#[derive(Debug)]
pub(super) struct PageAsked {
    pub(super) profile: Option<String>,
    /// Only entries below this revision.
    pub(super) before: u64,
    pub(super) count: usize,
}

pub(super) fn page(
    request: &pb::ListRevisionsRequest,
    config: &Config,
) -> Result<PageAsked, RequestError> {
    let profile = match request.profile.as_str() {
        "" => None,
        name => Some(config.profiles[config.profile(name)?].name.clone()),
    };
    let before = match request.page_token.as_str() {
        "" => u64::MAX,
        token => token.parse().map_err(|_| RequestError::Field {
            field: "page_token",
            problem: "is not valid: send next_page_token of the previous page, or nothing"
                .to_owned(),
        })?,
    };
    let count = match request.page_size {
        0 => PAGE,
        size => size.min(PAGE_MAX),
    };
    Ok(PageAsked {
        profile,
        before,
        count: usize::try_from(count).unwrap_or(usize::MAX),
    })
}

pub(super) fn head(request: &pb::VerifyWeightsRequest) -> Result<String, RequestError> {
    let head = request.head.to_ascii_lowercase();
    if head.is_empty()
        || head.len() == HASH_DIGITS && head.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        return Ok(head);
    }
    Err(RequestError::Field {
        field: "head",
        problem: format!("is not a hash: send {HASH_DIGITS} hexadecimal digits, or nothing"),
    })
}

/// Checks who writes and why, and makes a key where there is none.
fn cause(cause: Option<pb::Cause>, request_digest: String) -> Result<Cause, RequestError> {
    let cause = cause.unwrap_or_default();
    for (field, text, what) in [
        ("author", &cause.author, Some("who asks")),
        ("reason", &cause.reason, Some("why")),
        ("idempotency_key", &cause.idempotency_key, None),
    ] {
        if let Some(what) = what
            && text.trim().is_empty()
        {
            return Err(empty(field, what));
        }
        if text.len() > TEXT_MAX_BYTES {
            let problem = format!("has {} bytes; send at most {TEXT_MAX_BYTES}", text.len());
            return Err(RequestError::Field { field, problem });
        }
    }
    Ok(Cause {
        author: cause.author,
        reason: cause.reason,
        idempotency_key: match cause.idempotency_key {
            key if key.is_empty() => Uuid::now_v7().to_string(),
            key => key,
        },
        request_digest,
    })
}

fn digest_of(method: &str, request: &impl Message) -> String {
    let mut bytes = method.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(request.encode_to_vec());
    digest(&bytes)
}

fn at(at: pb::ProfileAt) -> ProfileAt {
    ProfileAt {
        profile: at.profile,
        expected_revision: at.expected_revision,
    }
}

fn empty(field: &'static str, what: &str) -> RequestError {
    RequestError::Field {
        field,
        problem: format!("is empty; say {what}"),
    }
}
