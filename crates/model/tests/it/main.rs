//! Every integration test of this crate, in one binary: one link.

mod common;

mod artefact;
mod batch;
mod calibration;
mod outside_bytes;
mod properties;
