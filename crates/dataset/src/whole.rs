//! Integers that a join or a data frame has converted to floats: `8.0` is 8, in every format.

/// Above this, not every integer has its own float.
const EXACT: f64 = (1u64 << 53) as f64;

/// Parses an integer, even if it is written as a float: `8`, `8.0` and `8e0` are 8.
///
/// Returns `None` for a fraction, for a float beyond 2⁵³, and for text that is not a number.
///
/// ```
/// use counterweight_dataset::whole_number;
///
/// assert_eq!(whole_number("8.0"), Some(8));
/// assert_eq!(whole_number("8.5"), None);
/// ```
pub fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_floats_are_integers() {
        for (text, number) in [
            ("8", Some(8)),
            (" 8.0 ", Some(8)),
            ("8e0", Some(8)),
            ("-0.0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9007199254740993.0", Some(1 << 53)),
            ("9007199254740994.0", None),
            ("8.5", None),
            ("inf", None),
            ("NaN", None),
            ("", None),
            ("eight", None),
        ] {
            assert_eq!(whole_number(text), number, "{text}");
        }
    }
}
