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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_as_short_as_its_interval_allows() {
        assert_eq!(shortest((0.6, 0.8), 0.7), 0.7);
        assert_eq!(shortest((0.687, 0.6893), 0.68815), 0.688);
        assert_eq!(shortest((2.0, f64::INFINITY), 4.0), 4.0);
        assert_eq!(shortest((0.0, 0.0), 0.0), 0.0);
    }
}
