//! Off-policy evaluation: what another weight would have earned, from what was logged under random weights.
//!
//! Where the weight of each request was drawn from a known density, [`Draw`] gives exact propensities from the breakpoints, and
//! [`Explored`] the estimates for every weight of the range at once. Where a log brings propensities of its own, [`Sample`] takes
//! them. Every estimate comes with [`Diagnostics`] that may refuse it. Intervals cover the sampling of requests under the
//! estimator's assumption about users, no more.

mod density;
mod diagnostics;
mod explored;
mod propensity;
mod sample;

pub use density::Density;
pub use diagnostics::{Diagnostics, Refusal};
pub use explored::{Explored, OpeCurves, Served, Weighting};
pub use propensity::{Draw, Propensities};
pub use sample::{Estimate, Expected, Sample, check_distribution};
