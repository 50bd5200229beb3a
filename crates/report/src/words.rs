//! Names and numbers as a report writes them.

use counterweight_evaluation::{Basis, Interval, Parts};

/// A name as it is read: `engagement_bait` is engagement bait.
pub(crate) fn display_name(name: &str) -> String {
    name.replace('_', " ")
}

/// A text with a capital at its start.
pub(crate) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

/// A number with at most four decimals and no trailing zeros.
pub(crate) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    minus(text.trim_end_matches('0').trim_end_matches('.'))
}

/// A λ in a sentence, which needs no more than two decimals.
pub(crate) fn rounded(value: f64) -> String {
    short((100.0 * value).round() / 100.0)
}

/// A number with the minus sign that is as wide as a plus.
pub(crate) fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// A share in percent: with a decimal where it is small.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    minus(&match percent.abs() {
        size if size >= 9.95 => format!("{percent:.0}"),
        _ => format!("{percent:.1}"),
    })
}

/// A change in percent, with its sign.
pub(crate) fn percent_change(share: f64) -> String {
    let sign = if share > 0.0 { "+" } else { "" };
    format!("{sign}{} %", percent(share))
}

/// A value with half the width of its interval.
pub(crate) fn value_and_half(value: f64, low: f64, high: f64) -> String {
    match value.is_nan() {
        true => "–".to_owned(),
        false => format!("{value:.4} ±{:.4}", 0.5 * (high - low)),
    }
}

/// A value with its interval.
pub(crate) fn interval(own: Interval) -> String {
    format!("{:.4} ({:.4} to {:.4})", own.value, own.low, own.high)
}

/// A difference with its interval.
pub(crate) fn change(own: Interval) -> String {
    minus(&format!(
        "{:+.4} ({:+.4} to {:+.4})",
        own.value, own.low, own.high
    ))
}

/// What gain and cost are measured by.
pub(crate) fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Realised => "observed outcomes",
        Basis::OffPolicy => "off-policy estimates",
        Basis::Predicted => "model predictions, which are only as good as the models",
    }
}

/// The part of the log that is shown.
pub(crate) fn part(part: Parts) -> &'static str {
    match part {
        Parts::Tune => "tune part",
        Parts::Test => "test part",
        Parts::All => "both parts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_their_size_allows() {
        assert_eq!(
            [0.5, 0.0, 12.0, 0.123_456].map(short),
            ["0.5", "0", "12", "0.1235"]
        );
        assert_eq!(percent_change(0.04), "+4.0 %");
        assert_eq!([0.5, 0.091, -0.0996].map(percent), ["50", "9.1", "−10"]);
    }

    #[test]
    fn a_name_starts_with_a_capital_in_a_title() {
        assert_eq!(
            capitalised(&display_name("engagement_bait")),
            "Engagement bait"
        );
        assert_eq!(capitalised(""), "");
    }
}
