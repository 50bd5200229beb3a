//! The combiner: ranks the candidates that it is given by `score = Σ weight · probability`, with weights that are
//! changed while it runs.
//!
//! A request goes `wire::ranking` → `rank` → `source` → models and back; a change of weights goes `wire::weights` →
//! `weights::live` → `weights::store`. The two meet in one snapshot per request.
//!
//! [`serve`] runs on bound listeners until a future resolves; [`Config`] says what is served.

mod server;

mod wire;

mod admission;
mod batch;
mod call;
mod features;
mod preview;
mod rank;
mod ring;
mod served;
mod source;
mod stability;
mod weights;

pub mod config;
mod error;
mod metrics;

pub use config::Config;
pub use error::{CombinerError, Failure};
pub use server::{Listeners, serve};
pub use weights::{Verified, verify_log};
