//! The sources of an objective's probabilities, and their failures.

mod answer;
mod client;
mod endpoints;
mod health;
mod infer;
mod inputs;
mod metadata;
mod model;
mod objective;
mod objectives;
mod refusal;

pub(crate) use self::{
    answer::{Answer, SourceError},
    inputs::{Input, Side},
    model::Model,
    objective::{Objective, Source},
    objectives::Objectives,
};
