//! A simulated feed whose labels follow a known law, so that models and estimates can be checked
//! against the truth.
//!
//! [`simulate`] writes four files into a folder: `impressions.parquet` (the impression log of
//! `data/SCHEMA.md`), `truth.parquet` (the probabilities from which the labels were drawn),
//! `candidates.ndjson` (the candidates of one more request) and `dataset.toml` (the description of
//! the dataset).
//!
//! Every user, author, post and request has its own random stream, determined by the seed and its
//! number. So the same seed gives the same bytes, and a longer run begins with the same requests.

mod config;
mod frame;
mod grammar;
mod law;
mod policy;
mod post;
mod request;
mod stream;
mod text;
mod user;
mod write;

pub use config::{Config, SimulatorError};
pub use write::{CANDIDATES_FILE, DATASET_FILE, IMPRESSIONS_FILE, Summary, TRUTH_FILE, simulate};
