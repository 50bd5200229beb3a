//! Trains the model of one objective from a log: encodes, fits, calibrates, measures and writes the artefact.
//!
//! The only crates that name polars and linfa are this one, the dataset reader and the offline benchmark.

pub mod fit;
