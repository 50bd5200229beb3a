//! Live weights: an append-only log whose sequence number is the revision, one writer, and one snapshot per request.

mod live;

mod entry;
mod in_force;
mod store;

pub(crate) use entry::{Entry, ObjectiveWeight, ProfileWeights, digest};
pub(crate) use in_force::{InForce, named};
pub(crate) use live::{Change, LiveWeights, ProfileChange};
