//! What every gRPC server of this project shares: listeners, admission, deadlines, drain, health,
//! supervised background tasks, status encoding, metrics, logging and trace context.
//!
//! A server makes a [`Server`], puts its services behind a [`Gate`], starts its background work on
//! [`Tasks`], and calls [`Server::run`], which returns when everything has stopped.

mod error;
mod listener;
mod server;

mod admission;
mod call;
mod fair_queue;
mod health;
mod lifecycle;
mod limiter;
mod panics;
mod priority;
mod refusal;
mod status;
mod tasks;
mod work_pool;

mod escape;
mod http;
mod logging;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod signals;
mod spans;
mod trace;

pub use admission::{Gate, Gated};
pub use call::Call;
pub use error::ServingError;
pub use escape::{escape, escape_lines};
pub use health::{Condition, Health};
pub use lifecycle::Lifecycle;
pub use listener::{Listener, Listeners, SocketFile, bind_tcp};
pub use logging::{Exporting, init_logging};
pub use metrics::{BUCKETS, Register};
pub use priority::lower_thread_priority;
pub use refusal::{OVERLOADED, Refusal};
pub use server::{Drain, Server};
pub use signals::shutdown_signal;
pub use spans::OutgoingCall;
pub use status::{DOMAIN, clip, status, with_retry};
pub use tasks::Tasks;
pub use trace::TraceContext;
pub use work_pool::{WorkError, WorkPool};

/// The metrics library in use, re-exported so that servers register into the same
/// [`prometheus::Registry`].
pub use prometheus;
