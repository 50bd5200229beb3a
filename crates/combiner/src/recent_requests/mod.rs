//! The recent requests of each profile: a bounded and fair sample, kept for previews, for the
//! solver and for the log.
//!
//! Rank only asks an atomic whether a request is kept, and if so pushes it into an inbox. One
//! thread of lowest priority owns the sample of every profile and does all work on them, one job
//! after another, so that none of it slows Rank.

mod handle;
mod inbox;
mod record;
mod sample;
mod shared;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use self::{
    handle::RecentRequests,
    record::{Column, Recent, Record},
};
