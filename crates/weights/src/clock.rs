//! The time of the injected clock, as ramps and entries have it.

use std::time::UNIX_EPOCH;

use counterweight_clock::Clock;
use prost_types::Timestamp;

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now_ms()).unwrap_or(0)
}

/// The time of an entry that is made now.
pub(crate) fn timestamp(clock: &dyn Clock) -> Timestamp {
    (UNIX_EPOCH + clock.since_1970()).into()
}
