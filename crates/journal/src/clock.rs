//! The injected clock, and the hours by which logs are divided.

pub use counterweight_clock::{Clock, SystemClock};
use jiff::Timestamp;

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// The folder of an hour, counted from 1970-01-01 UTC: `dt=YYYY-MM-DD/hr=HH`.
pub(crate) fn hour_folder(hour: i64) -> String {
    let nearest = match hour < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    };
    let time = Timestamp::from_millisecond(hour.saturating_mul(HOUR_MS)).unwrap_or(nearest);
    time.strftime("dt=%Y-%m-%d/hr=%H").to_string()
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
        assert_eq!(&hour_folder(i64::MAX)[..7], "dt=9999", "the last known");
    }
}
