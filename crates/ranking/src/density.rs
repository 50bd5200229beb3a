//! The densities that a weight may be drawn from.

use crate::error::RankingError;

/// The density of a weight that was drawn at random, known because it was drawn on purpose
/// (`lambda_density` of the impression log).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Density {
    /// Constant on [low, high].
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end, above the lower one.
        high: f64,
    },
    /// 1 / (x · ln(high / low)) on [low, high].
    LogUniform {
        /// Lower end, above 0.
        low: f64,
        /// Upper end, above the lower one.
        high: f64,
    },
}

impl Density {
    /// The ends of the range.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Uniform { low, high } | Self::LogUniform { low, high } => (low, high),
        }
    }

    /// The probability of a draw below x; 0 below the range and 1 above it.
    ///
    /// ```
    /// use counterweight_ranking::Density;
    ///
    /// let density = Density::LogUniform { low: 0.25, high: 4.0 };
    /// assert_eq!((density.below(0.25), density.below(4.0)), (0.0, 1.0));
    /// assert!((density.below(1.0) - 0.5).abs() < 1e-15);
    /// assert!((density.quantile(0.5) - 1.0).abs() < 1e-15);
    /// ```
    pub fn below(self, x: f64) -> f64 {
        let (low, high) = self.range();
        if x <= low {
            0.0
        } else if x >= high {
            1.0
        } else {
            match self {
                Self::Uniform { .. } => (x - low) / (high - low),
                Self::LogUniform { .. } => (x / low).ln() / (high / low).ln(),
            }
        }
    }

    /// Where `below` is u: what a uniform number u in [0, 1] draws. The lower end for u at most 0
    /// (or no number), the upper end for u at least 1.
    pub fn quantile(self, u: f64) -> f64 {
        let (low, high) = self.range();
        if u >= 1.0 {
            return high;
        }
        let u = u.max(0.0);
        let x = match self {
            Self::Uniform { .. } => low + u * (high - low),
            Self::LogUniform { .. } => low * (u * (high / low).ln()).exp(),
        };
        x.max(low).min(high)
    }

    /// Whether it is a density.
    ///
    /// # Errors
    /// [`RankingError::OutOfRange`] for an end that is not finite or below 0 (for a log-uniform
    /// range: 0), and for ends that are not in ascending order.
    pub fn check(self) -> Result<(), RankingError> {
        let (low, high) = self.range();
        let refuse = |what, value, range| Err(RankingError::OutOfRange { what, value, range });
        if !(low.is_finite() && low >= 0.0) {
            return refuse(
                "the lower end of the drawn weight's range",
                low,
                "finite and at least 0",
            );
        }
        if matches!(self, Self::LogUniform { .. }) && low == 0.0 {
            return refuse("the lower end of a log-uniform range", low, "above 0");
        }
        if !high.is_finite() || high <= low {
            return refuse(
                "the upper end of the drawn weight's range",
                high,
                "finite and above the lower end",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mass_is_what_the_density_integrates_to() {
        let uniform = Density::Uniform {
            low: 0.5,
            high: 2.5,
        };
        assert_eq!(
            [0.0, 0.5, 1.0, 2.5, 9.0].map(|x| uniform.below(x)),
            [0.0, 0.0, 0.25, 1.0, 1.0]
        );
        let log = Density::LogUniform {
            low: 0.1,
            high: 10.0,
        };
        assert!((log.below(1.0) - 0.5).abs() < 1e-15);
        let steps = 100_000;
        let width = 0.9 / f64::from(steps);
        let middle = |i: i32| 0.1 + (f64::from(i) + 0.5) * width;
        let integral: f64 = (0..steps)
            .map(|i| width / (middle(i) * 100.0_f64.ln()))
            .sum();
        assert!((log.below(1.0) - integral).abs() < 1e-8);
    }

    proptest! {
        #[test]
        fn a_quantile_is_where_the_mass_below_is_u(
            ends in (1e-6..1e3f64, 1e-6..1e3f64), u in prop_oneof![Just(0.0), Just(1.0), 0.0..1.0f64], further in 0.0..1.0f64,
        ) {
            let (low, high) = (ends.0, ends.0 + ends.1);
            for density in [Density::Uniform { low, high }, Density::LogUniform { low, high }] {
                let x = density.quantile(u);
                prop_assert!((low..=high).contains(&x), "{x}");
                // The interval is as narrow as doubles near x allow.
                let sharp = 4.0 * f64::EPSILON * (high / (high - low)) * 4.0;
                prop_assert!((density.below(x) - u).abs() <= sharp.max(1e-14), "{} against {u}", density.below(x));
                prop_assert!(density.quantile(u + (1.0 - u) * further) >= x);
                prop_assert_eq!((density.quantile(-0.5), density.quantile(0.0)), (low, low));
                prop_assert_eq!((density.quantile(1.0), density.quantile(1.5)), (high, high));
            }
        }
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        for (low, high) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (-1.0, 1.0),
        ] {
            assert!(
                Density::Uniform { low, high }.check().is_err(),
                "{low} {high}"
            );
        }
        assert!(
            Density::LogUniform {
                low: 0.0,
                high: 1.0
            }
            .check()
            .is_err()
        );
        assert!(
            Density::Uniform {
                low: 0.0,
                high: 1.0
            }
            .check()
            .is_ok()
        );
    }
}
