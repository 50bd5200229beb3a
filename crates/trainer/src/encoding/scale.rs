//! Mean and standard deviation of a column, which may have any magnitude.

use counterweight_model::encoder::Standard;

/// Mean and standard deviation of the values that are not NaN. `None` if there are none, if all are
/// equal, or if the deviation has no finite inverse.
pub(crate) fn fit_standard(values: impl Iterator<Item = f64> + Clone) -> Option<Standard> {
    let present = values.filter(|value| !value.is_nan());
    let (low, high) = present
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
    if low >= high {
        return None;
    }
    // The values are divided by the largest magnitude first, because the squares of huge numbers
    // would overflow and those of tiny numbers would become 0.
    let unit = low.abs().max(high.abs());
    let (count, sum) = present
        .clone()
        .fold((0.0, 0.0), |(count, sum), x| (count + 1.0, sum + x / unit));
    let mean = sum / count;
    let variance = present.map(|x| (x / unit - mean).powi(2)).sum::<f64>() / count;
    let standard = Standard {
        mean: mean * unit,
        sd: variance.sqrt() * unit,
    };
    standard.is_valid().then_some(standard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(standard: Standard, values: &[f64]) -> Vec<f64> {
        let mut out = vec![];
        standard.apply(values, &mut out);
        out
    }

    #[test]
    fn standardises_skips_missing_values_and_bounds() {
        let values = [1.0, f64::NAN, 3.0];
        let standard = fit_standard(values.iter().copied()).unwrap();
        assert_eq!(standard, Standard { mean: 2.0, sd: 1.0 });
        assert_eq!(
            applied(standard, &[1.0, f64::NAN, 3.0, 1e300, -1e300]),
            [-1.0, 0.0, 1.0, 10.0, -10.0]
        );
    }

    #[test]
    fn a_column_without_variation_is_none() {
        assert_eq!(fit_standard([].into_iter()), None);
        assert_eq!(fit_standard([f64::NAN; 3].into_iter()), None);
        assert_eq!(fit_standard([7.5; 3].into_iter()), None);
    }

    #[test]
    fn extreme_magnitudes_stay_finite() {
        for scale in [f64::MAX / 4.0, 1e200, 1e-200] {
            let values = [-scale, 0.0, scale, scale];
            let standard = fit_standard(values.into_iter()).unwrap();
            let out = applied(standard, &values);
            assert!(
                out.iter()
                    .all(|value| value.is_finite() && value.abs() < 3.0),
                "{scale}: {out:?}"
            );
            assert!(out[0] < out[1] && out[1] < out[2]);
        }
        // The inverse of this deviation overflows, so the column is left out.
        assert_eq!(
            fit_standard([0.0, f64::MIN_POSITIVE * 1e-3].into_iter()),
            None
        );
    }
}
