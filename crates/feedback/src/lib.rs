//! Takes events (`counterweight.v1.FeedbackService`) and keeps them durably. It appends and keeps no
//! index: repetitions are removed when events are joined with rankings.
//!
//! [`Feedback`] is the log; [`FeedbackApi`] is the service, which a server puts behind its gate.
//! [`serve`] is a server of this service alone.

mod check;
mod config;
mod error;
mod feedback;
mod server;

pub use config::FeedbackConfig;
pub use error::FeedbackError;
pub use feedback::{Feedback, FeedbackApi};
pub use server::serve;

/// The name of the service in `grpc.health.v1`.
pub const FEEDBACK: &str = "counterweight.v1.FeedbackService";
