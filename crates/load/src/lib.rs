//! A load generator for `Rank` and for `ModelInfer` of any server that implements the Open
//! Inference Protocol, so that our servers and others are measured in the same way.
//!
//! ```no_run
//! use counterweight_load::{Contents, Mode, Options, RankWorkload, Workload, run};
//!
//! # async fn example() -> Result<(), counterweight_load::LoadError> {
//! let mut options = Options::new(
//!     "127.0.0.1:7000",
//!     Workload::Rank(RankWorkload {
//!         profile: String::new(),
//!         candidates: 500,
//!         limit: 10,
//!         contents: Contents::Raw,
//!         inputs: Vec::new(), // those that DescribeRanking lists
//!     }),
//! );
//! options.mode = Mode::Open { rate: 1000.0 };
//! let report = run(&options, |_progress| {}).await?;
//! # Ok(())
//! # }
//! ```

mod options;
mod phase;
mod run;

mod inputs;
mod request;
mod wire;

mod closed;
mod open;

mod error;
mod report;
mod tally;

pub use error::LoadError;
pub use options::{Contents, InferWorkload, Mode, Options, RankWorkload, TensorSpec, Workload};
pub use report::{Latency, Report};
pub use run::{Progress, run};
