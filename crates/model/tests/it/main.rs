//! All integration tests of this crate, in one binary, which is linked once.

mod common;

mod artefact;
mod batch;
mod calibration;
mod outside_bytes;
mod properties;
