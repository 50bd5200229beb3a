//! Every integration test of this crate, in one binary: one link instead of 7.

mod common;

mod artefact;
mod batch;
mod calibration;
mod encoding;
mod leakage;
mod properties;
mod text;
