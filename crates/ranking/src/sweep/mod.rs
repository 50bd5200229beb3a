//! Exact curves over one weight: every metric of every page, for every x ≥ 0, from one pass over
//! the log.
//!
//! The weight of one objective is −x (or +x) and the others are fixed, so that a candidate's score
//! is a line in x (with two objectives and α = 1, x is λ = −β/α). Per request, [`Walk`] finds all
//! changes of the page; what a change does to each metric is a step; the steps of all requests,
//! sorted and added up, are the curves. Nothing is sampled and no grid is chosen.
//!
//! ```
//! use counterweight_ranking::sweep::{Discount, Metric, Plan, Request, Sign, Sweep};
//!
//! let bait = Metric::Predicted { objective: 1, discount: Discount::Flat };
//! let mut sweep = Sweep::new(Plan {
//!     k: 1,
//!     weights: vec![1.0, 0.0],
//!     swept: 1,
//!     sign: Sign::Negative,
//!     reference: 0.0,
//!     metrics: vec![bait, Metric::ChangedSet],
//! })?;
//! let (engagement, engagement_bait) = ([0.5, 0.375], [0.75, 0.25]);
//! let probabilities = &[&engagement[..], &engagement_bait];
//! sweep.push(&Request { unit: 1, probabilities, realised: &[] })?;
//! let curves = sweep.curves()?;
//! assert_eq!(curves.breakpoints().len(), 2); // 0, and (0.5 − 0.375)/(0.75 − 0.25) = 0.25
//! assert_eq!((curves.value_at(0, 0.2), curves.value_at(0, 0.3)), (0.75, 0.25));
//! assert_eq!((curves.value_at(1, 0.2), curves.value_at(1, 0.3)), (0.0, 1.0));
//! # Ok::<(), counterweight_ranking::RankingError>(())
//! ```

mod bootstrap;
mod collect;
mod columns;
mod curves;
mod line;
mod measure;
mod plan;
mod pool;
mod walk;

pub use bootstrap::Replicates;
pub use collect::Sweep;
pub use curves::Curves;
pub use plan::{Discount, Metric, Plan, Request, Sign};
pub use walk::{Step, Walk};
