//! Times for people: local time to the second, with its offset from UTC. JSON keeps UTC.

use std::fmt::Display;

use chrono::{DateTime, Local, TimeZone};
use prost_types::Timestamp;

/// A time of a message in the zone of this machine.
pub(crate) fn local_time(time: &Timestamp) -> String {
    time_in(time, &Local)
}

/// An optional time; empty where there is none.
pub(crate) fn local_time_or_empty(time: Option<&Timestamp>) -> String {
    time.map(local_time).unwrap_or_default()
}

fn time_in<Tz: TimeZone<Offset: Display>>(time: &Timestamp, zone: &Tz) -> String {
    let nanos = u32::try_from(time.nanos).unwrap_or_default();
    match DateTime::from_timestamp(time.seconds, nanos) {
        Some(utc) => {
            let local = utc.with_timezone(zone);
            local.format("%Y-%m-%d %H:%M:%S %:z").to_string()
        }
        // Beyond the calendar: as it came.
        None => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

    #[test]
    fn a_time_is_shown_in_local_seconds_with_the_offset() {
        let time = "2026-01-02T23:04:05.678901234Z".parse().unwrap();
        let kolkata = FixedOffset::east_opt(5 * 3600 + 1800).unwrap();
        assert_eq!(time_in(&time, &kolkata), "2026-01-03 04:34:05 +05:30");
        assert_eq!(time_in(&time, &Utc), "2026-01-02 23:04:05 +00:00");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_it_came() {
        let time = Timestamp {
            seconds: i64::MAX,
            nanos: -1,
        };
        assert!(!time_in(&time, &Utc).is_empty());
    }
}
