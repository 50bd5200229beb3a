//! Impression logs: what was ranked, what was shown, and the outcomes.
//!
//! [`Log`] reads a log request by request, with the probabilities in the log or those of given
//! models. Each user is either in the tune part or in the test part. [`LogWriter`] writes a log in
//! the columns of `data/SCHEMA.md`. [`replay`] ranks what a request log has again, and
//! [`read_ranking`] explains one of its rankings.

pub mod columns;
mod deal;
mod describe;
mod error;
mod export;
mod gathering;
mod log;
mod ranked;
mod read;
mod request;
mod request_log;
mod score;
mod summary;
mod versions;

pub use error::LogError;
pub use export::{LogWriter, WrittenLog};
pub use gathering::MOST_CANDIDATES;
pub use log::{Log, LogOptions, Objective, Source, UnshownLabels};
pub use ranked::{DrawnLambda, RankedObjective, RankedRequest};
pub use request::{Exploration, Logged, Part, Parts, Request};
pub use request_log::{
    Explained, FeatureTerms, FoundRanking, InputValue, LoggedRanking, NotExplained,
    ProbabilityDifference, Replayed, Rescored, RowExplained, TermOfColumn, Uncompared, Unlogged,
    find_ranking, nearest_ranking, read_ranking, replay,
};
pub use summary::Summary;
