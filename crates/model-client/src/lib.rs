//! Asks objective models for probabilities over the Open Inference Protocol.
//!
//! [`Batch`] is a request's candidates and features, checked once. [`Model`] sends it to one of the
//! model's servers and reads one probability per candidate. It keeps the model's inputs by version,
//! balances calls over servers and addresses, and tries a server that does not answer last.
//!
//! A mistake of the caller is an [`InputError`]. What goes wrong at the model is a [`Failure`].

mod answer;
mod batch;
mod client;
mod connection;
mod endpoints;
mod error;
mod health;
mod infer;
mod inputs;
mod metadata;
mod model;
mod refusal;
mod source;

pub use self::{
    answer::Prediction,
    batch::Batch,
    error::{Failure, InputError, ModelError, NotAnAddress},
    inputs::{Input, Inputs, Side},
    model::Model,
    source::{ModelSource, Packed},
};
