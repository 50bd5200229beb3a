//! A walk from one weight set to another in even steps.
//!
//! Order depends on the direction of the weights only, and a scale of the weights on the units of
//! the objectives. So the walk goes along the segment w₀ → w₁ (bounds are convex, so it stays
//! within them) in equal angles, measured after each weight is scaled by its objective's base rate.
//! With scaled norms n₀ and n₁ and the angle Ω between the scaled vectors, step s of S stands at
//! the share
//!
//! ```text
//! t(σ) = n₀·sin(σΩ) / (n₁·sin((1 − σ)Ω) + n₀·sin(σΩ)),   σ = s/S;   t = σ where Ω = 0
//! ```
//!
//! of the segment: by the law of sines, the point there is at the angle σΩ from w₀. The denominator
//! is a sine wave that is concave on [0, Ω], and t′ is inversely proportional to its square; so t′
//! falls and then rises, and the largest of the steps is the first or the last.

use std::f64::consts::PI;

use crate::{
    bounds::{Bound, STEP_TOLERANCE},
    weights::Weights,
};

/// The most steps of a ramp.
pub const MAX_STEPS: u32 = 10_000;
/// Angles below this are rounding: the directions are equal, or opposite.
const SAME_DIRECTION: f64 = 1e-9;

/// Why no ramp leads from one weight set to another.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum RampError {
    /// The weight sets and base rates do not have one element per objective each.
    #[error(
        "{from} weights, {to} target weights and {base_rates} base rates; give one of each per objective"
    )]
    Lengths {
        /// Weights at the start.
        from: usize,
        /// Weights at the end.
        to: usize,
        /// Base rates.
        base_rates: usize,
    },
    /// A base rate is not above 0 and finite.
    #[error("the base rate of objective {objective} is {rate}; give a finite number above 0")]
    BaseRate {
        /// Position of the objective, from 0.
        objective: usize,
        /// The rate.
        rate: f64,
    },
    /// A scaled weight set has no direction: it is zero or infinite to a 64-bit float.
    #[error(
        "a weight set is zero or infinite once it is scaled by the base rates, and so has no direction"
    )]
    NoDirection,
    /// The way leads through zero, where every order is lost.
    #[error(
        "the target points the opposite way, and a ramp to it passes through weights that order nothing; ramp to a set in between first"
    )]
    Opposite,
    /// Not between 1 and [`MAX_STEPS`].
    #[error("{steps} steps; give between 1 and {MAX_STEPS}")]
    Steps {
        /// What was given.
        steps: u32,
    },
    /// A step would pass a largest step.
    #[error(
        "the largest of {steps} steps passes a step bound; the smallest sufficient number of steps is {sufficient}"
    )]
    TooFew {
        /// What was given.
        steps: u32,
        /// The smallest number that is enough.
        sufficient: u32,
    },
    /// Not even the most steps are enough.
    #[error("not even {MAX_STEPS} steps keep to the step bounds; go by sets in between")]
    TooFar,
}

/// The way from one weight set to another; every length is the number of objectives.
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    from: Vec<f64>,
    to: Vec<f64>,
    /// Of the scaled vectors.
    norms: (f64, f64),
    /// Ω between the scaled vectors, in [0, π); 0 when they point the same way.
    angle: f64,
}

impl Ramp {
    /// The way between two weight sets, with the base rate of each objective (finite, above 0).
    ///
    /// # Errors
    /// [`RampError::Lengths`], [`RampError::BaseRate`], [`RampError::NoDirection`],
    /// [`RampError::Opposite`].
    pub fn new(from: &Weights, to: &Weights, base_rates: &[f64]) -> Result<Self, RampError> {
        let (from, to) = (from.as_slice(), to.as_slice());
        if from.len() != to.len() || from.len() != base_rates.len() {
            return Err(RampError::Lengths {
                from: from.len(),
                to: to.len(),
                base_rates: base_rates.len(),
            });
        }
        for (objective, &rate) in base_rates.iter().enumerate() {
            if !(rate > 0.0 && rate.is_finite()) {
                return Err(RampError::BaseRate { objective, rate });
            }
        }
        let (start, n0) = direction(from, base_rates)?;
        let (end, n1) = direction(to, base_rates)?;
        let angle = angle(&start, &end);
        if PI - angle < SAME_DIRECTION {
            return Err(RampError::Opposite);
        }
        Ok(Self {
            from: from.to_vec(),
            to: to.to_vec(),
            norms: (n0, n1),
            angle: if angle < SAME_DIRECTION { 0.0 } else { angle },
        })
    }

    /// The weights at a step, which turns the direction by the same angle as every other step. Step
    /// 0 is the start, and step `steps` and all after it are the target, to the bit.
    ///
    /// ```
    /// use counterweight_ranking::{Ramp, Weights};
    ///
    /// let (from, to) = (Weights::new(vec![1.0, 0.0])?, Weights::new(vec![0.0, -1.0])?);
    /// let ramp = Ramp::new(&from, &to, &[1.0, 1.0])?;
    /// let middle = ramp.weights_at(1, 2);
    /// assert!((middle[0] - 0.5).abs() < 1e-15 && (middle[1] + 0.5).abs() < 1e-15);
    /// assert_eq!(ramp.weights_at(2, 2), [0.0, -1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn weights_at(&self, step: u32, steps: u32) -> Vec<f64> {
        if step >= steps {
            return self.to.clone();
        }
        let share = self.share(step, steps);
        self.from
            .iter()
            .zip(&self.to)
            // Rounding does not leave the segment, and so not the bounds.
            .map(|(&from, &to)| (from + share * (to - from)).clamp(from.min(to), from.max(to)))
            .collect()
    }

    /// Checks that no step of so many passes a largest step; `bounds` has one per objective.
    ///
    /// # Errors
    /// [`RampError::Steps`], [`RampError::TooFew`], [`RampError::TooFar`].
    pub fn check_steps(&self, bounds: &[Bound], steps: u32) -> Result<(), RampError> {
        if !(1..=MAX_STEPS).contains(&steps) {
            return Err(RampError::Steps { steps });
        }
        if self.keeps(bounds, steps) {
            return Ok(());
        }
        let sufficient = self.sufficient_steps(bounds)?;
        Err(RampError::TooFew { steps, sufficient })
    }

    /// The smallest number of steps of which none passes a largest step; `bounds` has one per
    /// objective.
    ///
    /// # Errors
    /// [`RampError::TooFar`].
    pub fn sufficient_steps(&self, bounds: &[Bound]) -> Result<u32, RampError> {
        if !self.keeps(bounds, MAX_STEPS) {
            return Err(RampError::TooFar);
        }
        // The first and the last step shrink as their number grows.
        let (mut too_few, mut enough) = (0, MAX_STEPS);
        while enough - too_few > 1 {
            let middle = too_few + (enough - too_few) / 2;
            if self.keeps(bounds, middle) {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        Ok(enough)
    }

    /// t(step/steps).
    fn share(&self, step: u32, steps: u32) -> f64 {
        let s = f64::from(step) / f64::from(steps);
        if self.angle == 0.0 {
            return s;
        }
        let (n0, n1) = self.norms;
        let near = n0 * (s * self.angle).sin();
        let far = n1 * (f64::from(steps - step) / f64::from(steps) * self.angle).sin();
        near / (far + near)
    }

    /// Whether the first and the last of so many steps keep to the bounds, and with them all.
    fn keeps(&self, bounds: &[Bound], steps: u32) -> bool {
        let largest = self.share(1, steps).max(1.0 - self.share(steps - 1, steps));
        self.from
            .iter()
            .zip(&self.to)
            .zip(bounds)
            .all(|((from, to), bound)| {
                (to - from).abs() * largest <= bound.max_step * (1.0 + STEP_TOLERANCE)
            })
    }
}

/// The scaled vector at length one, and its length.
fn direction(weights: &[f64], base_rates: &[f64]) -> Result<(Vec<f64>, f64), RampError> {
    let scaled = || weights.iter().zip(base_rates).map(|(w, rate)| w * rate);
    let norm = scaled().map(|w| w * w).sum::<f64>().sqrt();
    if norm.is_normal() {
        Ok((scaled().map(|w| w / norm).collect(), norm))
    } else {
        Err(RampError::NoDirection)
    }
}

/// The angle between two vectors of length one, exact for small and for large angles (Kahan, "How
/// futile are mindless assessments of roundoff", §12).
fn angle(a: &[f64], b: &[f64]) -> f64 {
    let length = |combine: fn(f64, f64) -> f64| {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| combine(a, b).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    2.0 * length(|a, b| a - b).atan2(length(|a, b| a + b))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{check_range, check_step};

    fn weights(values: &[f64]) -> Weights {
        Weights::new(values.to_vec()).unwrap()
    }

    type Case = (Vec<f64>, Vec<f64>, Vec<f64>, u32);

    /// Two weight sets, base rates and steps, for 2, 3 and 5 objectives.
    fn case() -> impl Strategy<Value = Case> {
        prop_oneof![Just(2_usize), Just(3), Just(5)].prop_flat_map(|n| {
            let weight = -10.0..10.0_f64;
            (
                vec(weight.clone(), n),
                vec(weight, n),
                vec(0.001..1.0_f64, n),
                1_u32..200,
            )
        })
    }

    fn scaled_angle(a: &[f64], b: &[f64], rates: &[f64]) -> f64 {
        let (a, _) = direction(a, rates).unwrap();
        let (b, _) = direction(b, rates).unwrap();
        angle(&a, &b)
    }

    proptest! {
        #[test]
        fn it_turns_evenly_stays_between_and_ends_at_the_target((from, to, rates, steps) in case()) {
            let ramp = match Ramp::new(&weights(&from), &weights(&to), &rates) {
                Err(RampError::Opposite) => return Ok(()),
                other => other.unwrap(),
            };
            prop_assert_eq!(ramp.weights_at(0, steps), from.clone());
            prop_assert_eq!(ramp.weights_at(steps, steps), to.clone());
            let bounds: Vec<Bound> = from.iter().zip(&to).map(|(a, b)| Bound { min: a.min(*b), max: a.max(*b), ..Bound::default() }).collect();
            let whole = scaled_angle(&from, &to, &rates);
            for step in 0..steps {
                let (here, next) = (ramp.weights_at(step, steps), ramp.weights_at(step + 1, steps));
                prop_assert_eq!(check_range(&bounds, &weights(&next)), Ok(()));
                let turned = scaled_angle(&here, &next, &rates);
                // Close to the origin, where a wide turn passes, a rounded weight turns more.
                let room = 1e-7 / (PI - whole);
                prop_assert!((turned - whole / f64::from(steps)).abs() < room, "step {}: {} of {}", step, turned, whole);
            }
        }

        #[test]
        fn the_sufficient_steps_suffice_and_one_fewer_do_not((from, to, rates, _) in case(), max_step in 0.05..5.0_f64) {
            let Ok(ramp) = Ramp::new(&weights(&from), &weights(&to), &rates) else { return Ok(()) };
            let bounds = vec![Bound { max_step, ..Bound::default() }; from.len()];
            let keeps = |steps: u32| (0..steps).all(|step| check_step(&bounds, &ramp.weights_at(step, steps), &ramp.weights_at(step + 1, steps)).is_ok());
            match ramp.sufficient_steps(&bounds) {
                Ok(enough) => {
                    prop_assert!(keeps(enough), "{} steps", enough);
                    prop_assert_eq!(ramp.check_steps(&bounds, enough), Ok(()));
                    if enough > 1 {
                        prop_assert!(!keeps(enough - 1));
                        prop_assert_eq!(ramp.check_steps(&bounds, enough - 1), Err(RampError::TooFew { steps: enough - 1, sufficient: enough }));
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error, RampError::TooFar);
                    prop_assert!(!keeps(MAX_STEPS));
                }
            }
        }
    }

    #[test]
    fn the_same_direction_is_walked_in_even_shares() {
        let ramp = Ramp::new(&weights(&[1.0, -0.5]), &weights(&[3.0, -1.5]), &[0.3, 0.1]).unwrap();
        assert_eq!(ramp.weights_at(1, 4), [1.5, -0.75]);
        assert_eq!(ramp.weights_at(2, 4), [2.0, -1.0]);
    }

    #[test]
    fn a_quarter_turn_of_equal_lengths_is_at_equal_shares_of_both_half_way() {
        let ramp = Ramp::new(&weights(&[1.0, 0.0]), &weights(&[0.0, -1.0]), &[1.0, 1.0]).unwrap();
        let middle = ramp.weights_at(1, 2);
        assert!((middle[0] - 0.5).abs() < 1e-15 && (middle[1] + 0.5).abs() < 1e-15);
        // 30° of 90°: tan 30° = (1 − w) / w turned round.
        let third = ramp.weights_at(1, 3);
        assert!((third[1] / third[0] + (PI / 6.0).tan()).abs() < 1e-15);
    }

    #[test]
    fn what_has_no_way_is_refused() {
        let one = weights(&[1.0, -0.5]);
        let refused = |to: &[f64], rates: &[f64]| Ramp::new(&one, &weights(to), rates).unwrap_err();
        assert_eq!(refused(&[-2.0, 1.0], &[0.4, 0.2]), RampError::Opposite);
        assert_eq!(
            refused(&[1.0, 0.0], &[0.4, 0.0]),
            RampError::BaseRate {
                objective: 1,
                rate: 0.0
            }
        );
        assert_eq!(
            refused(&[1e-200, 1e-200], &[1e-150, 1e-150]),
            RampError::NoDirection
        );
        assert!(matches!(
            refused(&[1.0], &[0.4, 0.1]),
            RampError::Lengths { .. }
        ));
        let ramp = Ramp::new(&one, &weights(&[1.0, -50.0]), &[1.0, 1.0]).unwrap();
        let tight = |max_step| {
            [Bound {
                max_step,
                ..Bound::default()
            }; 2]
        };
        assert_eq!(
            ramp.check_steps(&tight(1.0), 0),
            Err(RampError::Steps { steps: 0 })
        );
        assert_eq!(ramp.check_steps(&tight(1e-6), 50), Err(RampError::TooFar));
    }
}
