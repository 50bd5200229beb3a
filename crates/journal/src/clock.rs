//! The injected clock. The shipped binary has the system's; tests drive their own.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Tells the time of day.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl<F: Fn() -> i64 + Send + Sync + 'static> Clock for F {
    fn now_ms(&self) -> i64 {
        self()
    }
}

/// The folder of an hour, counted from 1970-01-01 UTC: `dt=YYYY-MM-DD/hr=HH`.
pub(crate) fn hour_folder(hour: i64) -> String {
    let (year, month, day) = date_from_days(hour.div_euclid(24));
    format!(
        "dt={year:04}-{month:02}-{day:02}/hr={:02}",
        hour.rem_euclid(24)
    )
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. Years start in
/// March here, so that the leap day is the last one.
fn date_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::hour_folder;

    #[test]
    fn hours_have_folders() {
        assert_eq!(hour_folder(0), "dt=1970-01-01/hr=00");
        assert_eq!(hour_folder(-1), "dt=1969-12-31/hr=23");
        assert_eq!(hour_folder(19_782 * 24 + 5), "dt=2024-02-29/hr=05");
        assert_eq!(hour_folder(19_783 * 24), "dt=2024-03-01/hr=00");
        assert_eq!(hour_folder(11_016 * 24), "dt=2000-02-29/hr=00");
    }
}
