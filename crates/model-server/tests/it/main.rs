//! Every integration test of this crate, in one binary: one link instead of 4.

mod support;

mod infer;
mod lifecycle;
mod repository;
mod triton;
