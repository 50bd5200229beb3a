//! Which numbers count as probabilities.

/// How far outside of [0, 1] a number may lie and still be a probability: the rounding of 32-bit
/// floats makes 1.0000001 of a 1.
pub const PROBABILITY_TOLERANCE: f64 = 1e-5;

/// Brings every number into [0, 1] that lies at most [`PROBABILITY_TOLERANCE`] outside, and makes
/// −0 a 0. Returns how many numbers were outside.
///
/// # Errors
/// The position of the first number that is NaN or lies farther outside; no number was changed.
pub fn clamp_probabilities(values: &mut [f64]) -> Result<usize, usize> {
    let allowed = -PROBABILITY_TOLERANCE..=1.0 + PROBABILITY_TOLERANCE;
    if let Some(at) = values.iter().position(|value| !allowed.contains(value)) {
        return Err(at);
    }
    let mut outside = 0;
    for value in values {
        let clamped = value.clamp(0.0, 1.0);
        outside += usize::from(clamped != *value);
        // −0 is 0, here as in every sum.
        *value = clamped + 0.0;
    }
    Ok(outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounding_of_single_floats_is_clamped_and_counted() {
        let mut values = [f64::from(1.000_000_1_f32), 0.5, -1e-7, 0.0, 1.0, -0.0];
        assert_eq!(clamp_probabilities(&mut values), Ok(2));
        assert_eq!(values, [1.0, 0.5, 0.0, 0.0, 1.0, 0.0]);
        assert!(values.iter().all(|value| value.is_sign_positive()));
    }

    #[test]
    fn what_lies_farther_outside_is_refused_and_changes_nothing() {
        for bad in [1.0 + 2e-5, -2e-5, f64::NAN, f64::INFINITY] {
            let mut values = [1.000_001, bad];
            assert_eq!(clamp_probabilities(&mut values), Err(1));
            assert_eq!(values[0], 1.000_001);
        }
        assert_eq!(
            clamp_probabilities(&mut [1.0 + PROBABILITY_TOLERANCE]),
            Ok(1)
        );
    }
}
