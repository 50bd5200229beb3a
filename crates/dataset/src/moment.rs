//! The time of a row in a comparable form: ISO 8601 text is an instant, and a number is a number.
//! Times are never compared as text, because `03/02/2024` would sort before `05/11/2023`.

use std::{cmp::Ordering, fmt};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// A time by which rows are ordered. All moments of one column have the same variant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// A finite number, in the unit of the column.
    Number(f64),
    Instant(Timestamp),
}

impl Moment {
    /// A finite number as a moment; `None` for NaN and ±∞. Both zeros give the same moment.
    pub(crate) fn number(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self::Number(number + 0.0))
    }

    /// Parses a number or ISO 8601. A time without an offset is UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.parse::<f64>() {
            Ok(number) => Self::number(number),
            Err(_) => instant(text).map(Self::Instant),
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Number(_))
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    // The parser of civil times ignores an offset or zone, so a text that may contain one is
    // rejected.
    let time = text.get(10..).unwrap_or_default();
    if time.contains(['+', '-', '[', 'Z', 'z']) {
        return None;
    }
    let civil: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Instant(a), Self::Instant(b)) => a.cmp(b),
            (Self::Number(_), Self::Instant(_)) => Ordering::Less,
            (Self::Instant(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Moment {}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn iso_8601_is_an_instant_with_its_offset() {
        let noon = Moment::parse("2024-02-03T12:00:00Z").unwrap();
        for same in [
            "2024-02-03T12:00Z",
            "2024-02-03 12:00:00+00:00",
            "2024-02-03T13:00:00+01:00",
            "2024-02-03T13:00:00.000+01",
            "2024-02-02T23:30:00-12:30",
            "2024-02-03T12:00:00",
            " 2024-02-03 12:00:00.000000 ",
            "20240203T120000Z",
        ] {
            assert_eq!(Moment::parse(same), Some(noon), "{same}");
        }
        assert_eq!(
            Moment::parse("2024-02-03").unwrap().to_string(),
            "2024-02-03T00:00:00Z"
        );
        let later = Moment::parse("2024-02-03T12:00:00.000000001Z").unwrap();
        assert!(noon < later);
    }

    #[test]
    fn ambiguous_or_invalid_times_are_rejected() {
        for text in [
            "",
            "03/02/2024 00:00",
            "2024-2-3",
            "2024-13-01",
            "2024-02-30",
            "Feb 3, 2024",
            "3 February 2024",
            "2024-02-03 12:00 PM",
            "2024-02-03+01:00",
            "2024-02-03T12:00:00[Europe/Paris]",
            "2024",
            "monday",
            "NaN",
            "inf",
        ] {
            let parsed = Moment::parse(text);
            // A bare year is a number.
            assert!(parsed.is_none_or(Moment::is_number), "{text}: {parsed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_order_is_total(
            a in ".{0,40}",
            b in "[0-9T:Z+. -]{0,30}",
            c in any::<f64>(),
        ) {
            let moments = [Moment::parse(&a), Moment::parse(&b), Moment::number(c)];
            for one in moments.iter().flatten() {
                for other in moments.iter().flatten() {
                    prop_assert_eq!(one.cmp(other), other.cmp(one).reverse());
                }
            }
        }
    }
}
