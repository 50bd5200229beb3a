//! Live weights: an append-only log whose sequence number is the revision, and one snapshot of the
//! weights in force per request.
//!
//! [`LiveWeights`] is the way in: it opens the store, plans and commits changes, and answers which
//! weights are in force. [`InForce::choose`] decides which of a profile's weights a request gets.

mod live;

mod commit;
mod history;
mod local_kill;
mod local_switch;
mod log_state;
mod plan;
mod ramping;
mod replicas;
mod verify;
mod what_if;

mod audience;
mod entry;
mod in_force;
mod keys;
mod profile;
mod store;
mod weight;

#[cfg(feature = "nats")]
mod broker;
mod clock;
mod config;
mod error;
mod metrics;

#[cfg(test)]
mod test_config;
#[cfg(test)]
mod tests;

#[cfg(feature = "nats")]
pub use self::broker::BrokerUrl;
pub use self::{
    audience::{
        Arm, Attribute, Chosen, Condition, Draw, Experiment, Explained, Exploration,
        RequestContext, Segment, Test, Value, Verdict, shares,
    },
    clock::now_ms,
    config::{
        Config, MIN_KEY_HORIZON, Objective, OnModelChange, Profile, StoreConfig, StoreConfigError,
        find_profile,
    },
    entry::{Cause, Change, Entry, Moved, Skipped, digest},
    error::{Error, Mismatch, PlanError, StoreError},
    history::Page,
    in_force::InForce,
    live::LiveWeights,
    local_switch::LocalKill,
    plan::{
        AudienceChange, Command, Context, ExperimentChange, KnownAttributes, ModelIdentity,
        ProfileAtRevision, ProfileChange, RampPlan, Restored,
    },
    profile::{Action, ProfileState, Ramp},
    replicas::Replica,
    verify::{Verified, read_entry, verify_log},
    weight::{ModelBinding, ObjectiveWeight},
    what_if::WhatIf,
};
