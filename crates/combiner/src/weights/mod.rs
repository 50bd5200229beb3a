//! Live weights: an append-only log whose sequence number is the revision, one writer, and one snapshot per request.

mod entry;
mod live;
mod store;

pub(crate) use entry::{Entry, ObjectiveWeight, ProfileWeights, digest};
pub(crate) use live::{Change, InForce, LiveWeights, ProfileChange, named};
