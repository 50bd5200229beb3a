//! What belongs to one call and not to its content: when it has to be done, and which trace it is part of.

use std::time::{Duration, Instant};

use counterweight_telemetry::TraceContext;
use tonic::metadata::MetadataMap;

use crate::error::RequestError;

/// The share of the caller's time that is kept for combining and answering: one sixteenth, at most this much.
const RESERVE: Duration = Duration::from_millis(20);

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When the models have to have answered; none when the caller set no deadline.
    pub(crate) deadline: Option<Instant>,
    /// The caller's trace.
    pub(crate) trace: TraceContext,
}

impl Call {
    /// Reads deadline and trace of a call that arrived at `arrival`.
    pub(crate) fn new(metadata: &MetadataMap, arrival: Instant) -> Self {
        let deadline = metadata
            .get("grpc-timeout")
            .and_then(|value| parse_timeout(value.as_bytes()))
            .map(|timeout| arrival + timeout - (timeout / 16).min(RESERVE));
        Self {
            deadline,
            trace: TraceContext::from_metadata(metadata).child(),
        }
    }

    /// The deadline of something that may take `longest`.
    pub(crate) fn until(&self, longest: Duration) -> Instant {
        let own = Instant::now() + longest;
        self.deadline.map_or(own, |deadline| deadline.min(own))
    }

    /// Refuses to begin what can not be finished.
    pub(crate) fn check_time(&self) -> Result<(), RequestError> {
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => Err(RequestError::DeadlinePassed),
            _ => Ok(()),
        }
    }
}

/// The `grpc-timeout` header: at most eight digits and a unit. Longer than a year is as good as a year.
fn parse_timeout(value: &[u8]) -> Option<Duration> {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let timeout = match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    };
    Some(timeout.min(YEAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let read = |text: &str| parse_timeout(text.as_bytes());
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(read("1M"), Some(Duration::from_secs(60)));
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(365 * 24 * 3600))
        );
        for bad in ["", "S", "1", "1x", "-1S", "123456789S", "1 S"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_part_of_the_callers_time_is_kept_for_the_answer() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "160m".parse().unwrap());
        let arrival = Instant::now();
        let call = Call::new(&metadata, arrival);
        assert_eq!(call.deadline, Some(arrival + Duration::from_millis(150)));
        assert_eq!(
            call.until(Duration::from_secs(9)),
            arrival + Duration::from_millis(150)
        );
        assert!(call.check_time().is_ok());
        let late = Call {
            deadline: Some(arrival),
            ..call
        };
        assert!(matches!(
            late.check_time(),
            Err(RequestError::DeadlinePassed)
        ));
    }
}
