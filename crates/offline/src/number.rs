//! Numbers as people read them, and the quantile behind every interval.

/// The number with the fewest decimals in the middle half of an interval; `middle` where none has few.
pub(crate) fn shortest((low, high): (f64, f64), middle: f64) -> f64 {
    let quarter = 0.25 * (high - low);
    if !quarter.is_finite() || middle == 0.0 {
        return middle;
    }
    let rounded = |digits: usize| format!("{middle:.digits$}").parse().unwrap_or(middle);
    let within = |value: &f64| (low + quarter..=high - quarter).contains(value);
    (0..17).map(rounded).find(within).unwrap_or(middle)
}

/// z such that a standard normal lies within ±z with probability `level`.
pub fn normal_quantile(level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if libm::erf(middle / std::f64::consts::SQRT_2) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!((normal_quantile(0.95) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!((normal_quantile(0.5) - 0.674_489_750_196_081_7).abs() < 1e-12);
    }

    #[test]
    fn a_weight_is_as_short_as_its_interval_allows() {
        assert_eq!(shortest((0.6, 0.8), 0.7), 0.7);
        assert_eq!(shortest((0.687, 0.6893), 0.68815), 0.688);
        assert_eq!(shortest((2.0, f64::INFINITY), 4.0), 4.0);
        assert_eq!(shortest((0.0, 0.0), 0.0), 0.0);
    }
}
