//! Bounds of a weight: how far it may lie, and how far it may move at once.

use crate::weights::Weights;

/// What is forgiven of a largest step, relative to it: 0.1 + 0.2 may be a step of 0.2.
pub(crate) const STEP_TOLERANCE: f64 = 1e-9;

/// Bounds of the weight of one objective; unbounded by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The least weight; −∞ for none.
    pub min: f64,
    /// The greatest weight; +∞ for none.
    pub max: f64,
    /// The largest change in one step, above 0; +∞ for none.
    pub max_step: f64,
}

impl Default for Bound {
    fn default() -> Self {
        Self {
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
            max_step: f64::INFINITY,
        }
    }
}

/// Why a weight is out of bounds. `objective` is its position in objective order, from 0.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BoundError {
    /// Too small.
    #[error("the weight is {weight}, below its minimum {min}")]
    BelowMinimum {
        /// Position of the objective.
        objective: usize,
        /// The weight.
        weight: f64,
        /// The least one.
        min: f64,
    },
    /// Too great.
    #[error("the weight is {weight}, above its maximum {max}")]
    AboveMaximum {
        /// Position of the objective.
        objective: usize,
        /// The weight.
        weight: f64,
        /// The greatest one.
        max: f64,
    },
    /// Too far from the weight before it.
    #[error(
        "the weight would go from {from} to {to} in one step, and its largest step is {max_step}"
    )]
    StepTooLarge {
        /// Position of the objective.
        objective: usize,
        /// The weight before.
        from: f64,
        /// The weight after.
        to: f64,
        /// The largest step.
        max_step: f64,
    },
}

impl BoundError {
    /// Position of the objective, from 0.
    pub const fn objective(&self) -> usize {
        match self {
            Self::BelowMinimum { objective, .. }
            | Self::AboveMaximum { objective, .. }
            | Self::StepTooLarge { objective, .. } => *objective,
        }
    }
}

/// Checks that every weight lies within its bound; `bounds` has one per objective.
///
/// # Errors
/// The first weight that does not.
pub fn check_range(bounds: &[Bound], weights: &Weights) -> Result<(), BoundError> {
    for (objective, (&weight, bound)) in weights.as_slice().iter().zip(bounds).enumerate() {
        let Bound { min, max, .. } = *bound;
        if weight < min {
            return Err(BoundError::BelowMinimum {
                objective,
                weight,
                min,
            });
        }
        if weight > max {
            return Err(BoundError::AboveMaximum {
                objective,
                weight,
                max,
            });
        }
    }
    Ok(())
}

/// Checks that no weight moves further at once than it may; `bounds`, `from` and `to` have one
/// element per objective.
///
/// # Errors
/// The first weight that does.
pub fn check_step(bounds: &[Bound], from: &[f64], to: &[f64]) -> Result<(), BoundError> {
    for (objective, ((&from, &to), bound)) in from.iter().zip(to).zip(bounds).enumerate() {
        let max_step = bound.max_step;
        if (to - from).abs() > max_step * (1.0 + STEP_TOLERANCE) {
            return Err(BoundError::StepTooLarge {
                objective,
                from,
                to,
                max_step,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(values: &[f64]) -> Weights {
        Weights::new(values.to_vec()).unwrap()
    }

    #[test]
    fn without_bounds_everything_is_within() {
        let bounds = [Bound::default(); 2];
        assert_eq!(
            check_range(&bounds, &weights(&[f64::MAX, f64::MIN])),
            Ok(())
        );
        assert_eq!(
            check_step(&bounds, &[f64::MIN, 0.0], &[f64::MAX, 1.0]),
            Ok(())
        );
    }

    #[test]
    fn the_bound_itself_is_within_and_the_next_number_is_not() {
        let bounds = [
            Bound::default(),
            Bound {
                min: -2.0,
                max: 0.0,
                max_step: 0.5,
            },
        ];
        for weight in [-2.0, 0.0] {
            assert_eq!(check_range(&bounds, &weights(&[1.0, weight])), Ok(()));
        }
        let low = (-2.0_f64).next_down();
        assert_eq!(
            check_range(&bounds, &weights(&[1.0, low])),
            Err(BoundError::BelowMinimum {
                objective: 1,
                weight: low,
                min: -2.0
            })
        );
        let high = 0.0_f64.next_up();
        let error = check_range(&bounds, &weights(&[1.0, high])).unwrap_err();
        assert!(matches!(error, BoundError::AboveMaximum { .. }));
        assert_eq!(error.objective(), 1);
    }

    #[test]
    fn a_step_may_be_as_large_as_it_may_and_rounding_is_forgiven() {
        let bounds = [Bound {
            max_step: 0.2,
            ..Bound::default()
        }];
        assert_eq!(check_step(&bounds, &[0.1], &[0.1 + 0.2]), Ok(()));
        assert_eq!(check_step(&bounds, &[0.3], &[0.1]), Ok(()));
        let error = check_step(&bounds, &[0.0], &[-0.21]).unwrap_err();
        assert!(error.to_string().contains("largest step is 0.2"), "{error}");
    }
}
