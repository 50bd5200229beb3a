//! What a change makes of the log's state: every check of a write that needs to know what is there.

mod audience;
mod binding;
mod change_audience;
mod check;
mod check_audience;
mod command;
mod every_set;
mod kill;
mod planner;
mod ramp;
mod rollback;
mod set;

#[cfg(test)]
mod tests;

pub use self::{
    audience::{AudienceChange, ExperimentChange},
    command::Command,
    planner::{Context, KnownAttributes, ModelIdentity, ProfileAt},
    ramp::RampPlan,
    rollback::Restored,
    set::ProfileChange,
};
pub(crate) use self::{
    planner::{Planner, check_expected},
    ramp::{due, next_due_ms},
};
