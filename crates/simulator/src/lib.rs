//! A simulated feed whose labels follow a known law, so that models and estimates can be checked
//! against the truth.
//!
//! [`simulate`] writes four files into a folder: `impressions.parquet` (the impression log of
//! `data/SCHEMA.md`), `truth.parquet` (the probabilities from which the labels were drawn),
//! `candidates.ndjson` (the candidates of one more request) and `dataset.toml` (the description of
//! the dataset).
//!
//! [`Population`] has the same users without a log: they can visit a running combiner, and react to
//! the page that it answers by the same law.
//!
//! Every user, author, post and request has its own random stream, determined by the seed and its
//! number. So the same seed gives the same bytes, and a longer run begins with the same requests.

mod config;
mod frame;
mod grammar;
mod law;
mod parquet_file;
mod policy;
mod population;
mod post;
mod reaction;
mod request;
mod stream;
mod text;
mod user;
mod write;

pub use config::{Config, SimulatorError};
pub use frame::OBJECTIVES;
pub use parquet_file::ParquetFile;
pub use population::{Feature, Population, Visit};
pub use reaction::{Happening, Reaction};
pub use write::{CANDIDATES_FILE, DATASET_FILE, IMPRESSIONS_FILE, Summary, TRUTH_FILE, simulate};
