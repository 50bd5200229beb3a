//! Live weights: an append-only log whose sequence number is the revision, and one snapshot per request.

mod live;

mod commit;
mod history;
mod log_state;
mod plan;
mod ramping;
mod replicas;
mod verify;
mod what_if;

mod audience;
mod entry;
mod in_force;
mod profile;
mod store;

#[cfg(test)]
mod tests;

pub(crate) use audience::{
    Arm, Attribute, Chosen, Condition, Draw, Experiment, Explained, Exploration, Segment, Test,
    Value, Verdict, Who, shares,
};
pub(crate) use entry::{Cause, Change, Entry, digest};
pub(crate) use history::Page;
pub(crate) use in_force::InForce;
pub(crate) use live::LiveWeights;
pub(crate) use log_state::LogState;
pub(crate) use plan::{
    AudienceChange, ExperimentChange, KnownAttributes, Planner, ProfileAt, ProfileChange, RampPlan,
    Restored, Served,
};
pub(crate) use profile::{Action, Bound, ObjectiveWeight, ProfileState, Ramp};
pub(crate) use ramping::now_ms;
pub(crate) use replicas::Replica;
pub use verify::{Verified, verify_log};
pub(crate) use what_if::WhatIf;
