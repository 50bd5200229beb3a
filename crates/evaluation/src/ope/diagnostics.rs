//! Diagnostics of importance weights, and the refusal of an estimate that they do not support.

use std::fmt;

/// What the weights of a sample look like. Slates of several places have weights at each; the worst
/// place counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// Slates.
    pub slates: usize,
    /// Effective sample size (Σw)² / Σw² (Kish, 1965).
    pub effective: f64,
    /// The largest weight's share of their sum.
    pub largest_share: f64,
    /// The mean weight; 1 in expectation where the propensities are right and the support is whole.
    pub mean_weight: f64,
    /// Its standard error.
    pub mean_weight_error: f64,
    /// Slates for which the target policy may do what the logging policy never does.
    pub unsupported: usize,
}

/// A reason not to believe an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// Fewer effective slates than a tenth of the slates.
    FewEffective {
        /// Effective slates.
        effective: f64,
        /// Slates.
        slates: usize,
    },
    /// One weight above 5 % of the sum.
    OneWeight {
        /// Its share.
        share: f64,
    },
    /// The mean weight is more than three standard errors from 1.
    MeanWeight {
        /// The mean.
        mean: f64,
        /// Its standard error.
        error: f64,
    },
    /// The target policy does what the logging policy never does.
    Unsupported {
        /// For so many slates.
        slates: usize,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewEffective { effective, slates } => {
                write!(
                    f,
                    "the weights leave {effective:.1} effective slates of {slates}, fewer than a tenth"
                )
            }
            Self::OneWeight { share } => write!(
                f,
                "one slate has {:.1} % of all weight, more than 5 %",
                100.0 * share
            ),
            Self::MeanWeight { mean, error } => write!(
                f,
                "the weights have mean {mean:.4} ± {error:.4}, more than three standard errors from 1: the propensities are not those of this log, or the target does what was never tried"
            ),
            Self::Unsupported { slates } => {
                write!(
                    f,
                    "for {slates} slates the target policy does what the logging policy never did; choose a target within the range that was explored"
                )
            }
        }
    }
}

impl Diagnostics {
    pub(super) fn new(slates: usize, places: &[PlaceWeights], unsupported: usize) -> Self {
        let worst = |value: &dyn Fn(&PlaceWeights) -> f64, pick: fn(f64, f64) -> f64| {
            places.iter().map(value).reduce(pick)
        };
        // The place whose mean weight is the most standard errors from 1.
        let off = |place: &PlaceWeights| {
            (place.mean() - 1.0).abs() / place.error().max(f64::MIN_POSITIVE)
        };
        let mean = places.iter().max_by(|a, b| off(a).total_cmp(&off(b)));
        Self {
            slates,
            effective: worst(&PlaceWeights::effective, f64::min).unwrap_or(0.0),
            largest_share: worst(&PlaceWeights::largest_share, f64::max).unwrap_or(0.0),
            mean_weight: mean.map_or(f64::NAN, PlaceWeights::mean),
            mean_weight_error: mean.map_or(f64::NAN, PlaceWeights::error),
            unsupported,
        }
    }

    /// Why the estimate should not be shown; empty where it may be.
    pub fn refusals(&self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if self.effective < self.slates as f64 / 10.0 || self.slates == 0 {
            refusals.push(Refusal::FewEffective {
                effective: self.effective,
                slates: self.slates,
            });
        }
        if self.largest_share > 0.05 {
            refusals.push(Refusal::OneWeight {
                share: self.largest_share,
            });
        }
        // Equal weights have no error; rounding is none.
        if (self.mean_weight - 1.0).abs() > 3.0 * self.mean_weight_error + 1e-9 {
            refusals.push(Refusal::MeanWeight {
                mean: self.mean_weight,
                error: self.mean_weight_error,
            });
        }
        if self.unsupported > 0 {
            refusals.push(Refusal::Unsupported {
                slates: self.unsupported,
            });
        }
        refusals
    }
}

/// The weights of one place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlaceWeights {
    count: f64,
    sum: f64,
    squares: f64,
    largest: f64,
}

impl PlaceWeights {
    pub(super) fn add(&mut self, weight: f64) {
        self.count += 1.0;
        self.sum += weight;
        self.squares += weight * weight;
        self.largest = self.largest.max(weight);
    }

    fn effective(&self) -> f64 {
        if self.squares > 0.0 {
            self.sum * self.sum / self.squares
        } else {
            0.0
        }
    }

    fn largest_share(&self) -> f64 {
        if self.sum > 0.0 {
            self.largest / self.sum
        } else {
            1.0
        }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// 0 where all weights are equal.
    fn error(&self) -> f64 {
        let variance = (self.squares - self.sum * self.mean()) / (self.count - 1.0);
        (variance.max(0.0) / self.count).sqrt()
    }
}
