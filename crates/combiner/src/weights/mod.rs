//! Live weights: an append-only log whose sequence number is the revision, and one snapshot per request.

mod live;

mod log_state;
mod plan;
mod replicas;

mod entry;
mod in_force;
mod profile;
mod store;

pub(crate) use entry::{Cause, Change, Entry, digest};
pub(crate) use in_force::InForce;
pub(crate) use live::LiveWeights;
pub(crate) use log_state::LogState;
pub(crate) use plan::{ProfileChange, set};
pub(crate) use profile::{ObjectiveWeight, ProfileState};
pub(crate) use replicas::Replica;
