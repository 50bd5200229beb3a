//! Joins a request log with the events that came of its rankings.
//!
//! [`join`] writes a labelled impression log: the rows of the request log with a label for each
//! objective, in the columns of `data/SCHEMA.md`, and a [`Manifest`] that names its files. It reads the
//! logs hour by hour. An event belongs to the hour of its ranking, and every event is counted once.
//!
//! [`compact`] rewrites the parts of a log, [`Verified`] reads all of it, and [`forget_labels`] removes a
//! person or a post from a labelled log.
//!
//! An hour is complete when its end, the longest window and the time that events may take to arrive
//! have passed. The result does not depend on the order in which events arrived. In a backfill events
//! count as arrived when they happened.

mod compact;
mod counts;
mod error;
mod events;
mod forget;
mod forget_labels;
mod frame;
mod hour;
mod join;
mod label;
mod lock;
mod manifest;
mod output_file;
mod posts;
mod resolve;
mod route;
mod rows;
mod rules;
mod spill;
mod united;
mod units;
mod verify;

pub use compact::{Compacted, compact};
pub use counts::{Counts, EventCounts, LabelCounts};
pub use error::JoinError;
pub use forget_labels::forget_labels;
pub use join::{Joined, Options, join};
pub use manifest::{Hour, LabelledFile, Manifest};
pub use rules::{Combine, LabelRule, Rules, SEEN, parse_span};
pub use verify::Verified;
