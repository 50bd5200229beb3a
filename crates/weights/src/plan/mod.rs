//! Plans changes from the current log state, with every check that needs that state.

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

pub use self::{
    audience::{AudienceChange, ExperimentChange},
    command::Command,
    planner::{Context, KnownAttributes, ModelIdentity, ProfileAtRevision},
    ramp::RampPlan,
    rollback::Restored,
    set::ProfileChange,
};
pub(crate) use self::{
    planner::Planner,
    ramp::{due, next_due_ms},
};
