//! Impression logs: what was ranked, what was shown, and the outcomes.
//!
//! [`Log`] reads a log request by request, with the probabilities in the log or those of given
//! models. Each user is either in the tune part or in the test part. [`LogWriter`] writes a log in
//! the columns of `data/SCHEMA.md`. [`replay`] ranks what a request log has again.

pub mod columns;
mod deal;
mod error;
mod export;
mod gathering;
mod log;
mod ranked;
mod read;
mod replay;
mod request;
mod score;
mod summary;
mod versions;

pub use error::LogError;
pub use export::{LogWriter, WrittenLog};
pub use gathering::MOST_CANDIDATES;
pub use log::{Log, LogOptions, Objective, Source, UnshownLabels};
pub use ranked::{DrawnLambda, RankedObjective, RankedRequest};
pub use replay::{Replayed, replay};
pub use request::{Exploration, Logged, Part, Parts, Request};
pub use summary::Summary;
