//! Checks where the weights log is kept, and how long idempotency keys are remembered.

use std::{path::Path, time::Duration};

use counterweight_weights::{MIN_KEY_HORIZON, StoreConfig, StoreConfigError};

use super::problem::{Checked, problem};
use crate::config::raw;

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// Ten years.
const MAX_KEY_DAYS: u64 = 3650;

pub(in crate::config) fn key_horizon(days: u64) -> Checked<Duration> {
    let least = MIN_KEY_HORIZON.as_secs() / DAY_SECONDS;
    if !(least..=MAX_KEY_DAYS).contains(&days) {
        return problem(
            "store.idempotency_days",
            format!("is {days}; write from {least} to {MAX_KEY_DAYS}"),
        );
    }
    Ok(Duration::from_secs(days * DAY_SECONDS))
}

pub(in crate::config) fn store(raw: raw::Store, folder: &Path) -> Checked<StoreConfig> {
    if raw.path.as_os_str().is_empty() {
        return problem(
            "store.path",
            "is empty; name the file that keeps the weights",
        );
    }
    let path = folder.join(raw.path);
    let Some(url) = raw.nats else {
        if raw.stream.is_some() {
            return problem(
                "store.stream",
                "has no effect without store.nats; name the server too, or leave it out",
            );
        }
        return Ok(StoreConfig::Embedded { path });
    };
    StoreConfig::nats(path, url, raw.stream)
        .or_else(|StoreConfigError { key, problem }| self::problem(format!("store.{key}"), problem))
}
