//! The quantile behind every interval.

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
}
