//! Off-policy evaluation: estimates what another policy would have brought, from a log that
//! explored. An estimate is refused when its importance weights do not support it.
//!
//! The logged propensities are exact. Where λ was drawn, they follow from the breakpoints of the
//! probabilities that the request was ranked by; otherwise the log states them. The target policy
//! may rank by other models than those that served the log.

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
