//! The combiner: ranks the candidates that it is given by `score = Σ weight · probability`, with
//! weights that may change while it runs.
//!
//! A request goes `wire::ranking` → `rank` → `source` → models and back. A change of weights goes
//! `wire::weights` → [`counterweight_weights`]. The two meet in one snapshot per request.
//!
//! [`serve`] runs on bound listeners until a future resolves; [`Config`] describes the service.

mod server;

mod wire;

mod batch;
mod engine;
mod features;
mod preview;
mod rank;
mod ranking;
mod recent_requests;
mod served;
mod source;
mod stability;

pub mod config;
mod error;
mod metrics;

pub use counterweight_serving::{Listener, Listeners};
use counterweight_weights as weights;

pub use config::Config;
pub use counterweight_weights::{StoreError, Verified, verify_log};
pub use error::{CombinerError, ConfigurationError, Failure};
pub use server::serve;
