//! The only place where wire types and this crate's own types meet.

mod authorise;
mod common;
mod describe;
mod log;
pub(crate) mod ranking;
pub(crate) mod status;
pub(crate) mod weights;
