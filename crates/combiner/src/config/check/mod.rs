//! Checks of the raw configuration, one file per part. Every refusal names its key and says what to
//! write.

mod attributes;
mod limits;
mod objective;
mod problem;
mod profile;
mod request_log;
mod store;

pub(super) use self::{
    attributes::attributes,
    limits::limits,
    objective::objectives,
    problem::{Checked, Problem, problem},
    profile::profile,
    request_log::{feedback, request_log},
    store::{key_horizon, store},
};
