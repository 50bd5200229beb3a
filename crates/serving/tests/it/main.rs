//! Every integration test of this crate, in one binary.

mod connections;
#[cfg(feature = "otlp")]
mod otlp;
mod requests;
mod support;
