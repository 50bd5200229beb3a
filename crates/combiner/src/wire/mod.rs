//! The only place where wire types and this crate's own types meet: one file per service, one for errors.

mod authorise;
mod log;
pub(crate) mod ranking;
pub(crate) mod status;
pub(crate) mod weights;
