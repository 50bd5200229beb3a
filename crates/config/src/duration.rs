//! Durations as people write them: a number with a unit.

use std::time::Duration;

/// Parses a number with a unit: ms, s, m, h or d.
///
/// ```
/// use std::time::Duration;
/// use counterweight_config::parse_duration;
///
/// assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
/// ```
///
/// # Errors
/// The text in a sentence, if it is not a duration above 0.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write for example 90s, 10m, 2h or 1d");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "10", "m", "0s", "-1s", "1w", "1e99d", "nans"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
