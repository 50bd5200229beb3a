//! What belongs to a call and not to its content: when it arrived, when it must be answered, and
//! which trace it is part of.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tonic::{Request, metadata::MetadataMap};

use crate::{
    TraceContext,
    budget::Charge,
    limiter::{Outcome, Place},
};

/// One call. The [`Gate`](crate::Gate) puts it into the extensions of every request.
#[derive(Debug, Clone)]
pub struct Call {
    /// When the headers arrived.
    pub arrived: Instant,
    /// When the caller stops waiting; `None` when the caller set no deadline.
    pub deadline: Option<Instant>,
    /// The span of this call in the caller's trace.
    pub trace: TraceContext,
    /// Names the connection among those of the server, so that they share it fairly.
    pub(crate) connection: u64,
    /// Held by whoever works on the call, so that work which outlives its caller still counts.
    place: Option<Arc<Place>>,
    /// Held for the message, whose memory is in use as long as somebody works on the call.
    _memory: Option<Arc<Charge>>,
}

impl Call {
    /// Reads the deadline of a call whose headers have just arrived.
    pub(crate) fn new(metadata: &MetadataMap, trace: TraceContext) -> Self {
        let arrived = Instant::now();
        let timeout = metadata
            .get("grpc-timeout")
            .and_then(|value| parse_timeout(value.as_bytes()));
        Self {
            arrived,
            deadline: timeout.map(|timeout| arrived + timeout),
            trace,
            connection: 0,
            place: None,
            _memory: None,
        }
    }

    pub(crate) fn on_connection(mut self, connection: u64) -> Self {
        self.connection = connection;
        self
    }

    pub(crate) fn with_place(mut self, place: Place) -> Self {
        self.place = Some(Arc::new(place));
        self
    }

    pub(crate) fn with_memory(mut self, memory: Charge) -> Self {
        self._memory = Some(Arc::new(memory));
        self
    }

    /// Tells the limiter how the call ended for its caller.
    pub(crate) fn end(&self, outcome: Outcome) {
        if let Some(place) = &self.place {
            place.end(outcome);
        }
    }

    /// Takes the call out of a request; a request that came past no gate has just arrived.
    #[must_use]
    pub fn take_from<T>(request: &mut Request<T>) -> Self {
        request.extensions_mut().remove().unwrap_or_else(|| {
            let trace = TraceContext::from_metadata(request.metadata()).child();
            Self::new(request.metadata(), trace)
        })
    }

    /// Moves the deadline forward, so that time is left to make the answer: by one sixteenth of
    /// the caller's time, and by at most `longest`.
    #[must_use]
    pub fn reserving(mut self, longest: Duration) -> Self {
        self.deadline = self.deadline.map(|deadline| {
            let reserve = deadline.saturating_duration_since(self.arrived) / 16;
            deadline - reserve.min(longest)
        });
        self
    }

    /// The deadline of a step that may take `longest`: never later than the call's own.
    #[must_use]
    pub fn until(&self, longest: Duration) -> Instant {
        let own = Instant::now() + longest;
        self.deadline.map_or(own, |deadline| deadline.min(own))
    }

    /// True once the deadline has passed: nobody waits for the answer, so no work should begin.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Parses a `grpc-timeout` header: at most eight digits and a unit. A malformed one is no timeout,
/// and one above a year is a year.
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
        for bad in ["", "S", "1", "1x", "-1S", "123456789S", "1 S", "1é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_part_of_the_callers_time_is_kept_for_the_answer() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "160m".parse().unwrap());
        let call = Call::new(&metadata, TraceContext::root());
        let at = |milliseconds| Some(call.arrived + Duration::from_millis(milliseconds));
        assert_eq!(call.deadline, at(160));
        assert_eq!(
            call.clone().reserving(Duration::from_secs(1)).deadline,
            at(150)
        );
        assert_eq!(
            call.clone().reserving(Duration::from_millis(3)).deadline,
            at(157)
        );
        assert_eq!(Some(call.until(Duration::from_secs(9))), call.deadline);
        assert!(!call.is_overdue());
        let late = Call {
            deadline: Some(call.arrived),
            ..call
        };
        assert!(late.is_overdue());
    }
}
