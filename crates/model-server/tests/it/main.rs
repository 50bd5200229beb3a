//! All integration tests of this crate, in one binary, which is linked once.

mod support;

mod infer;
mod lifecycle;
mod repository;
mod triton;
