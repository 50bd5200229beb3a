//! Formats times for people: local time to the second, with its offset from UTC. JSON keeps UTC.

use jiff::tz::TimeZone;
use prost_types::Timestamp;

/// A time of a message, in the time zone of this machine.
pub(crate) fn local_time(time: &Timestamp) -> String {
    time_in(time, TimeZone::system())
}

/// An optional time; empty if it is missing.
pub(crate) fn local_time_or_empty(time: Option<&Timestamp>) -> String {
    time.map(local_time).unwrap_or_default()
}

fn time_in(time: &Timestamp, zone: TimeZone) -> String {
    match jiff::Timestamp::new(time.seconds, time.nanos) {
        Ok(instant) => {
            let local = instant.to_zoned_datetime(zone);
            local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
        }
        // Outside the range of the calendar: print it as it came.
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    #[test]
    fn a_time_is_shown_in_local_seconds_with_the_offset() {
        let time = "2026-01-02T23:04:05.678901234Z".parse().unwrap();
        let kolkata = Offset::from_seconds(5 * 3600 + 1800).unwrap();
        for (zone, shown) in [
            (kolkata.to_time_zone(), "2026-01-03 04:34:05 +05:30"),
            (TimeZone::UTC, "2026-01-02 23:04:05 +00:00"),
        ] {
            assert_eq!(time_in(&time, zone), shown);
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_as_it_came() {
        let time = Timestamp {
            seconds: i64::MAX,
            nanos: -1,
        };
        assert!(!time_in(&time, TimeZone::UTC).is_empty());
    }
}
