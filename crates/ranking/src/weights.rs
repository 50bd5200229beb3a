//! A weight set that has been checked: only the checked type acts.

/// The largest absolute value that a weight can be set to. A score is a sum of as many products of
/// a weight and a probability as there are objectives, so with it every score is finite by far.
pub const MAX_WEIGHT: f64 = 1e12;

/// Why a weight set is refused. `objective` is its position in objective order, from 0.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// NaN or infinite.
    #[error("the weight of objective {objective} is {weight}; send a finite number")]
    NotFinite {
        /// Position of the objective.
        objective: usize,
        /// The weight.
        weight: f64,
    },
    /// Further from zero than [`MAX_WEIGHT`].
    #[error(
        "the weight of objective {objective} is {weight:e}; send a number from -1e12 to 1e12, with which every score is finite"
    )]
    TooLarge {
        /// Position of the objective.
        objective: usize,
        /// The weight.
        weight: f64,
    },
    /// No weight, or every weight is zero: such a set orders nothing.
    #[error("every weight is zero, which orders nothing; give at least one objective a weight")]
    AllZero,
}

/// One finite weight per objective, in objective order; at least one is not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights(Vec<f64>);

impl Weights {
    /// Checks a weight set; −0 becomes 0.
    ///
    /// ```
    /// use counterweight_ranking::{Weights, WeightsError};
    ///
    /// assert_eq!(Weights::new(vec![1.0, -0.5])?.as_slice(), [1.0, -0.5]);
    /// assert_eq!(Weights::new(vec![0.0, 0.0]), Err(WeightsError::AllZero));
    /// # Ok::<(), WeightsError>(())
    /// ```
    ///
    /// # Errors
    /// [`WeightsError`] when a weight is not finite or all are zero.
    pub fn new(weights: Vec<f64>) -> Result<Self, WeightsError> {
        for (objective, &weight) in weights.iter().enumerate() {
            if !weight.is_finite() {
                return Err(WeightsError::NotFinite { objective, weight });
            }
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(WeightsError::AllZero);
        }
        Ok(Self(
            weights.into_iter().map(|weight| weight + 0.0).collect(),
        ))
    }

    /// Checks a weight set that somebody sets: as [`Weights::new`], and no weight lies further from
    /// zero than [`MAX_WEIGHT`].
    ///
    /// # Errors
    /// As [`Weights::new`], and [`WeightsError::TooLarge`].
    pub fn settable(weights: Vec<f64>) -> Result<Self, WeightsError> {
        let weights = Self::new(weights)?;
        let mut each = weights.0.iter().enumerate();
        match each.find(|(_, weight)| weight.abs() > MAX_WEIGHT) {
            Some((objective, &weight)) => Err(WeightsError::TooLarge { objective, weight }),
            None => Ok(weights),
        }
    }

    /// The weights in objective order.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }
}

/// The symbol of an objective by its position: α, β, γ ...; after ω it is `w25`, `w26` ...
pub fn symbol(objective: usize) -> String {
    const GREEK: &str = "αβγδεζηθικλμνξοπρστυφχψω";
    GREEK.chars().nth(objective).map_or_else(
        || format!("w{}", objective + 1),
        |letter| letter.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_sets_that_order_something_are_weights() {
        assert_eq!(Weights::new(vec![0.0, -0.0]), Err(WeightsError::AllZero));
        assert_eq!(Weights::new(vec![]), Err(WeightsError::AllZero));
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Weights::new(vec![1.0, bad]).unwrap_err();
            assert!(
                matches!(error, WeightsError::NotFinite { objective: 1, .. }),
                "{error}"
            );
        }
        let weights = Weights::new(vec![1.0, -0.0]).unwrap();
        assert_eq!(weights.as_slice()[1].to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_weight_that_is_set_lies_within_the_largest_and_one_that_is_read_is_finite() {
        assert!(Weights::settable(vec![1e12, -1e12]).is_ok());
        let error = Weights::settable(vec![1.0, -1.1e12]).unwrap_err();
        let expected = WeightsError::TooLarge {
            objective: 1,
            weight: -1.1e12,
        };
        assert_eq!(error, expected);
        assert!(error.to_string().contains("is -1.1e12;"), "{error}");
        assert!(Weights::new(vec![f64::MAX]).is_ok());
        assert_eq!(Weights::settable(vec![0.0]), Err(WeightsError::AllZero));
    }

    #[test]
    fn symbols_follow_the_alphabet() {
        assert_eq!([symbol(0), symbol(1), symbol(2)], ["α", "β", "γ"]);
        assert_eq!([symbol(23), symbol(24)], ["ω", "w25"]);
    }
}
