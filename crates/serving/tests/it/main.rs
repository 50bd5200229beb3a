//! Every integration test of this crate, in one binary.

#[cfg(feature = "otlp")]
mod otlp;
