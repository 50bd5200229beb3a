//! Parses numbers as people type them: the typographic minus (U+2212) of `β=−3` is a minus, too.

use std::borrow::Cow;

/// The minus sign of typeset text.
const TYPOGRAPHIC_MINUS: char = '\u{2212}';

/// The text with every typographic minus replaced by the plain one.
pub(crate) fn plain_minus(text: &str) -> Cow<'_, str> {
    if text.contains(TYPOGRAPHIC_MINUS) {
        text.replace(TYPOGRAPHIC_MINUS, "-").into()
    } else {
        text.into()
    }
}

/// Parses a number, which may be infinite or NaN; `None` if the text is not a number.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    plain_minus(text.trim()).parse().ok()
}

/// Parses `OBJECTIVE=WEIGHT`.
pub(crate) fn parse_weight(text: &str) -> Result<(String, f64), String> {
    let (name, weight) = text
        .rsplit_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or("write OBJECTIVE=WEIGHT, for example engagement_bait=-0.5")?;
    match parse_number(weight) {
        Some(number) if number.is_finite() => Ok((name.trim().to_owned(), number)),
        Some(_) => Err("a weight must be finite".to_owned()),
        None => Err(format!("{weight:?} is not a number")),
    }
}

/// Parses a share, from 0 to 1.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    parse_number(text)
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "give a share from 0 to 1, for example 0.08".to_owned())
}

/// Parses a finite number of at least 0, such as an exchange rate.
pub(crate) fn parse_non_negative(text: &str) -> Result<f64, String> {
    parse_number(text)
        .filter(|number| (0.0..f64::INFINITY).contains(number))
        .ok_or_else(|| "give a number of at least 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_minus_is_a_minus() {
        assert_eq!(parse_number("\u{2212}3"), Some(-3.0));
        assert_eq!(parse_number(" -3e\u{2212}2 "), Some(-0.03));
        for wrong in ["", "\u{2212}", "3\u{2212}", "–3"] {
            assert_eq!(parse_number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_assignment_needs_a_name_and_a_finite_number() {
        for written in ["β=-0.5", "β = \u{2212}0.5"] {
            assert_eq!(parse_weight(written), Ok(("β".to_owned(), -0.5)));
        }
        for wrong in ["β", "β=", "=1", "β=x", "β=inf", "β=NaN", "β=\u{2212}inf"] {
            assert!(parse_weight(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_and_rates_are_within_their_ranges() {
        assert_eq!(parse_share("0.08"), Ok(0.08));
        assert_eq!(parse_non_negative("1.5"), Ok(1.5));
        for wrong in ["-0.1", "\u{2212}0.1", "1.1", "NaN", "8%", ""] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
        for wrong in ["-1", "inf", "NaN", "x"] {
            assert!(parse_non_negative(wrong).is_err(), "{wrong}");
        }
    }
}
