//! The limits of the server: those that are written, and the defaults of the others.

use std::time::Duration;

use counterweight_serving::{Drain, Limits, ServingError};

use super::problem::{Checked, problem};
use crate::config::raw;

/// The limits of a `[limits]` table.
pub(in crate::config) fn limits(raw: &raw::Limits) -> Checked<Limits> {
    let default = Limits::default();
    let milliseconds =
        |written: Option<u64>, default: Duration| written.map_or(default, Duration::from_millis);
    let limits = Limits {
        memory_budget: raw.memory_budget_bytes.unwrap_or(default.memory_budget),
        max_message_bytes: raw.max_message_bytes.unwrap_or(default.max_message_bytes),
        max_concurrent_requests: raw
            .max_concurrent_requests
            .unwrap_or(default.max_concurrent_requests),
        max_connections: raw.max_connections.unwrap_or(default.max_connections),
        max_streams: raw.max_streams.unwrap_or(default.max_streams),
        read_timeout: milliseconds(raw.read_timeout_ms, default.read_timeout),
        send_timeout: milliseconds(raw.send_timeout_ms, default.send_timeout),
        drain: Drain {
            timeout: raw
                .drain_seconds
                .map_or(default.drain.timeout, Duration::from_secs),
            ..default.drain
        },
    };
    match limits.check() {
        Ok(()) => Ok(limits),
        Err(ServingError::Limit {
            limit,
            problem: text,
        }) => problem(format!("limits.{limit}"), text),
        Err(error) => problem("limits", error.to_string()),
    }
}
