//! The journal over a disk that crashes, fills up and refuses.

mod bucket;
mod common;
mod frames;
mod log;
mod parts;
mod ranking;
mod upload;
mod wal;
