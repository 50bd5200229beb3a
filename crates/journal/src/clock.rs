//! The injected clock, and the hours by which logs are divided.

use std::path::Path;

pub use counterweight_clock::{Clock, SystemClock};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// The folder of an hour, counted from 1970-01-01 UTC: `dt=YYYY-MM-DD/hr=HH`.
#[must_use]
pub fn hour_folder(hour: i64) -> String {
    let nearest = match hour < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    };
    let time = Timestamp::from_millisecond(hour.saturating_mul(HOUR_MS)).unwrap_or(nearest);
    time.strftime("dt=%Y-%m-%d/hr=%H").to_string()
}

/// The hour of a folder `dt=YYYY-MM-DD/hr=HH`, counted from 1970-01-01 UTC.
pub(crate) fn hour_of_folder(folder: &Path) -> Option<i64> {
    let name = |folder: &Path| folder.file_name()?.to_str().map(str::to_owned);
    let hour: i64 = name(folder)?.strip_prefix("hr=")?.parse().ok()?;
    let day: Date = name(folder.parent()?)?.strip_prefix("dt=")?.parse().ok()?;
    let start = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    (0..24)
        .contains(&hour)
        .then(|| start.as_millisecond().div_euclid(HOUR_MS) + hour)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{hour_folder, hour_of_folder};

    #[test]
    fn hours_have_folders() {
        assert_eq!(hour_folder(0), "dt=1970-01-01/hr=00");
        assert_eq!(hour_folder(-1), "dt=1969-12-31/hr=23");
        assert_eq!(hour_folder(19_782 * 24 + 5), "dt=2024-02-29/hr=05");
        assert_eq!(hour_folder(19_783 * 24), "dt=2024-03-01/hr=00");
        assert_eq!(hour_folder(11_016 * 24), "dt=2000-02-29/hr=00");
        assert_eq!(&hour_folder(i64::MAX)[..7], "dt=9999", "the last known");
        for hour in [0, -1, 19_782 * 24 + 5] {
            let folder = Path::new("log/requests").join(hour_folder(hour));
            assert_eq!(hour_of_folder(&folder), Some(hour));
        }
        for wrong in ["dt=2024-02-30/hr=00", "dt=2024-02-28/hr=24", "hr=01", "a/b"] {
            assert_eq!(hour_of_folder(Path::new(wrong)), None, "{wrong}");
        }
    }
}
