//! What another policy would have brought, from a log that explored: estimates with their
//! diagnostics, refused where the weights cannot carry them.
//!
//! The logged propensities are exact: of a λ that was drawn, from the breakpoints of the
//! probabilities that were ranked by; else from the log. The policy that is judged may rank by
//! other models than the log was served by.

mod curves;
mod diagnostics;
mod drawn;
mod estimate;
mod explored;
mod matches;
mod points;
mod propensity;
mod range;
mod rank;
mod report;
mod sample;
mod sums;
mod terms;
mod uniform;

pub use curves::write_ope_curves;
pub use diagnostics::{Diagnostics, Refusal};
pub use drawn::OffPolicy;
pub use estimate::estimate;
pub use explored::{Explored, Served, Weighting};
pub use propensity::{Draw, Propensities};
pub use report::{EstimateRow, OpeOptions, OpeReport, Policy, PolicyRow};
pub use sample::{Estimate, Expected, Sample, check_distribution};
pub use sums::OpeCurves;
