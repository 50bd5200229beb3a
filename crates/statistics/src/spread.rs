//! How far values scatter, and how many of that an interval reaches.

/// The standard deviation with n − 1; NaN for fewer than two values.
///
/// ```
/// use counterweight_statistics::deviation;
///
/// assert_eq!(deviation([1.0, 3.0, 5.0].into_iter()), 2.0);
/// assert!(deviation([1.0].into_iter()).is_nan());
/// ```
pub fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean) * (value - mean)).sum();
    if count < 2.0 {
        f64::NAN
    } else {
        (squares / (count - 1.0)).sqrt()
    }
}

/// The standard error of a mean from the squared sums of each cluster's influences: clusters of one
/// user are alike, so they count as one draw, with the usual correction for few of them (Liang and
/// Zeger, Biometrika 73, 1986). NaN for fewer than two clusters.
pub fn clustered_error(squares: f64, clusters: f64) -> f64 {
    if clusters < 2.0 {
        f64::NAN
    } else {
        (squares * clusters / (clusters - 1.0)).sqrt()
    }
}

/// z such that a standard normal lies within ±z with probability `level`, in (0, 1).
///
/// ```
/// use counterweight_statistics::normal_quantile;
///
/// assert!((normal_quantile(0.95) - 1.959_963_984_540_054).abs() < 1e-12);
/// ```
pub fn normal_quantile(level: f64) -> f64 {
    // By halving, on the error function: 200 steps leave two neighbouring doubles, and no library
    // for it.
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
    fn what_is_too_few_is_not_known() {
        assert!(deviation(std::iter::empty()).is_nan());
        assert!(deviation([3.0].into_iter()).is_nan());
        assert_eq!(deviation([3.0, 3.0].into_iter()), 0.0);
        assert!(clustered_error(1.0, 1.0).is_nan());
        assert_eq!(clustered_error(8.0, 2.0), 4.0);
    }
}
