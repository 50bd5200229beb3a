//! Decodes the requests of WeightsService, with the checks that do not need the log.

use counterweight_proto::counterweight::v1 as pb;
use prost::Message;
use uuid::Uuid;

use super::audience;
use crate::{
    config::Config,
    error::RequestError,
    weights::{Cause, ModelBinding, ProfileAtRevision, ProfileChange, RampPlan, digest},
    wire::common::decode_weights,
};

/// The longest reason, in bytes.
const TEXT_MAX_BYTES: usize = 4096;
/// The longest author and idempotency key, in bytes: the entries of a ramp's steps have them, too.
const NAME_MAX_BYTES: usize = 256;
/// The longest intent, in bytes: it may hold all that was typed.
const INTENT_MAX_BYTES: usize = 65_536;
/// Entries of a page by default, and the maximum.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 1000;
/// The longest ramp.
const RAMP_MAX_MS: u64 = 366 * 24 * 3600 * 1000;
/// Hexadecimal digits of SHA-256.
const HASH_DIGITS: usize = 64;

pub(super) fn set(
    request: pb::SetWeightsRequest,
) -> Result<(Cause, Vec<ProfileChange>), RequestError> {
    let mut content = request.clone();
    for change in &mut content.changes {
        change.expected_revision = None;
    }
    let request_digest = request_digest("SetWeights", intent(&request.cause), &content);
    if request.changes.is_empty() {
        return Err(empty("changes", "which profile to change"));
    }
    let cause = cause(request.cause, request_digest)?;
    let changes = request.changes.into_iter().map(change);
    Ok((cause, changes.collect::<Result<_, _>>()?))
}

pub(super) fn change(mut change: pb::ProfileChange) -> Result<ProfileChange, RequestError> {
    Ok(ProfileChange {
        audience: audience::change(&mut change)?,
        at: ProfileAtRevision {
            profile: change.profile,
            expected_revision: change.expected_revision,
        },
        weights: decode_weights(change.weights),
        bindings: change
            .bindings
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
) -> Result<(Cause, Vec<ProfileAtRevision>), RequestError> {
    let mut content = request.clone();
    for profile in &mut content.profiles {
        profile.expected_revision = None;
    }
    let request_digest = request_digest("RollbackWeights", intent(&request.cause), &content);
    if request.profiles.is_empty() {
        return Err(empty("profiles", "which profile to restore"));
    }
    let cause = cause(request.cause, request_digest)?;
    let profiles = request.profiles.into_iter().map(profile_revision).collect();
    Ok((cause, profiles))
}

pub(super) fn start_ramp(
    request: pb::StartRampRequest,
    started_ms: u64,
) -> Result<(Cause, RampPlan), RequestError> {
    let mut content = request.clone();
    if let Some(profile) = &mut content.profile {
        profile.expected_revision = None;
    }
    let request_digest = request_digest("StartRamp", intent(&request.cause), &content);
    let cause = cause(request.cause, request_digest)?;
    let duration = request.duration.unwrap_or_default();
    // Not prost's own conversion and text: both overflow for the least number of seconds.
    let nanos = i128::from(duration.seconds) * 1_000_000_000 + i128::from(duration.nanos);
    let duration_ms = u64::try_from(nanos / 1_000_000)
        .ok()
        .filter(|ms| (1..=RAMP_MAX_MS).contains(ms))
        .ok_or_else(|| RequestError::Field {
            field: "duration",
            problem: format!(
                "is {} s; send from one millisecond to 366 days",
                nanos as f64 / 1e9
            ),
        })?;
    let plan = RampPlan {
        at: profile_revision(request.profile.unwrap_or_default()),
        target: decode_weights(request.target),
        duration_ms,
        steps: request.steps,
        started_ms,
        author: cause.author.clone(),
        reason: cause.reason.clone(),
    };
    Ok((cause, plan))
}

pub(super) fn stop_ramp(
    request: pb::StopRampRequest,
) -> Result<(Cause, ProfileAtRevision), RequestError> {
    let mut content = request.clone();
    if let Some(profile) = &mut content.profile {
        profile.expected_revision = None;
    }
    let request_digest = request_digest("StopRamp", intent(&request.cause), &content);
    let cause = cause(request.cause, request_digest)?;
    Ok((cause, profile_revision(request.profile.unwrap_or_default())))
}

pub(super) fn skip(request: pb::SkipEntryRequest) -> Result<(Cause, u64), RequestError> {
    let request_digest = request_digest("SkipEntry", intent(&request.cause), &request);
    let revision = request.revision;
    Ok((cause(request.cause, request_digest)?, revision))
}

pub(super) fn kill(request: pb::KillWeightsRequest) -> Result<(Cause, String), RequestError> {
    let request_digest = request_digest("KillWeights", intent(&request.cause), &request);
    Ok((cause(request.cause, request_digest)?, request.profile))
}

/// The requested part of the log.
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

pub(super) fn expected_hash(request: &pb::VerifyWeightsRequest) -> Result<String, RequestError> {
    let hash = request.expected_hash.to_ascii_lowercase();
    if hash.is_empty()
        || hash.len() == HASH_DIGITS && hash.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        return Ok(hash);
    }
    Err(RequestError::Field {
        field: "expected_hash",
        problem: format!("is not a hash: send {HASH_DIGITS} hexadecimal digits, or nothing"),
    })
}

/// Checks the author and the reason, and makes a missing idempotency key.
fn cause(cause: Option<pb::Cause>, request_digest: String) -> Result<Cause, RequestError> {
    let cause = cause.unwrap_or_default();
    for (field, text, what, most) in [
        ("author", &cause.author, Some("who asks"), NAME_MAX_BYTES),
        ("reason", &cause.reason, Some("why"), TEXT_MAX_BYTES),
        (
            "idempotency_key",
            &cause.idempotency_key,
            None,
            NAME_MAX_BYTES,
        ),
        ("intent", &cause.intent, None, INTENT_MAX_BYTES),
    ] {
        if let Some(what) = what
            && text.trim().is_empty()
        {
            return Err(empty(field, what));
        }
        if text.len() > most {
            let problem = format!("has {} bytes; send at most {most}", text.len());
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

/// The key of a change to look for, with its digest; none when a revision is requested.
pub(super) fn repeat(request: &pb::GetRevisionRequest) -> Result<Option<Cause>, RequestError> {
    if request.idempotency_key.is_empty() {
        return Ok(None);
    }
    if request.revision != 0 {
        return Err(RequestError::Field {
            field: "revision",
            problem: "is given beside idempotency_key; send one of them".to_owned(),
        });
    }
    if request.intent.is_empty() {
        return Err(empty("intent", "what was asked for under the key"));
    }
    Ok(Some(Cause {
        author: String::new(),
        reason: String::new(),
        idempotency_key: request.idempotency_key.clone(),
        request_digest: intent_digest(&request.intent),
    }))
}

fn intent(cause: &Option<pb::Cause>) -> &str {
    cause.as_ref().map_or("", |cause| &cause.intent)
}

/// Digest of what a repeat under one key must have in common with the first call: the caller's
/// intent, or the message when it has none. Expected revisions are left out: a repeat reads them
/// again, and the first call has moved them.
fn request_digest(method: &str, intent: &str, content: &impl Message) -> String {
    if !intent.is_empty() {
        return intent_digest(intent);
    }
    let mut bytes = method.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(content.encode_to_vec());
    digest(&bytes)
}

fn intent_digest(intent: &str) -> String {
    digest(format!("intent\0{intent}").as_bytes())
}

fn profile_revision(at: pb::ProfileRevision) -> ProfileAtRevision {
    ProfileAtRevision {
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
