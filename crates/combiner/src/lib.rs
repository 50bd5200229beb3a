//! The combiner: ranks the candidates that it is given by `score = Σ weight · probability`, with
//! weights that may change while it runs.
//!
//! A request goes `wire::ranking` → `rank` → `objective` → [`counterweight_model_client`] → models
//! and back. A change of weights goes `wire::weights` → [`counterweight_weights`]. The two meet in
//! one snapshot per request.
//!
//! [`serve`] runs on bound listeners until a future resolves; [`Config`] describes the service.

mod server;

mod wire;

mod engine;
mod features;
mod objective;
mod objectives;
mod preview;
mod rank;
mod ranking;
mod recent_requests;
mod request_log;
mod served;
mod stability;

pub mod config;
mod error;
mod metrics;

pub use counterweight_serving::{Listener, Listeners};
use counterweight_weights as weights;

pub use config::Config;
pub use counterweight_model_client::{Failure, ModelSource, Packed};
pub use counterweight_weights::{Entry, StoreError, Verified, read_entry, verify_log};
pub use error::{CombinerError, ConfigurationError};
pub use server::{Combiner, serve};
