//! Weights as people read them.

/// The number with the fewest decimals in the middle half of an interval; `middle` where none has
/// few, where the interval has an infinite end, and where `middle` is 0.
pub fn shortest((low, high): (f64, f64), middle: f64) -> f64 {
    let quarter = 0.25 * (high - low);
    if !quarter.is_finite() || middle == 0.0 {
        return middle;
    }
    let rounded = |digits: usize| format!("{middle:.digits$}").parse().unwrap_or(middle);
    let within = |value: &f64| (low + quarter..=high - quarter).contains(value);
    (0..17).map(rounded).find(within).unwrap_or(middle)
}

/// A number in as few digits as say it exactly: in scientific notation where it would be long.
///
/// ```
/// use counterweight_ranking::number_text;
///
/// assert_eq!([-0.5, 3.0, 1e12, -1e-300].map(number_text), ["-0.5", "3", "1000000000000", "-1e-300"]);
/// ```
#[must_use]
pub fn number_text(number: f64) -> String {
    let plain = number == 0.0 || !number.is_finite() || (1e-6..1e16).contains(&number.abs());
    match plain {
        true => number.to_string(),
        false => format!("{number:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_to_the_bit_and_is_never_long() {
        for number in [
            0.0,
            -0.0,
            1.0 / 3.0,
            1e-6,
            9.9e-7,
            -1e-300,
            5e-324,
            f64::MAX,
            1e16,
            123_456_789.125,
        ] {
            let text = number_text(number);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
            assert!(text.len() <= 25, "{text}");
        }
        assert_eq!(number_text(f64::NEG_INFINITY), "-inf");
    }

    #[test]
    fn a_weight_is_as_short_as_its_interval_allows() {
        assert_eq!(shortest((0.6, 0.8), 0.7), 0.7);
        assert_eq!(shortest((0.687, 0.6893), 0.68815), 0.688);
        assert_eq!(shortest((2.0, f64::INFINITY), 4.0), 4.0);
        assert_eq!(shortest((0.0, 0.0), 0.0), 0.0);
    }
}
