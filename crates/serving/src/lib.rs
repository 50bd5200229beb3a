//! What every gRPC server of this project shares: connections, the memory budget, admission,
//! deadlines, drain, health, supervised background tasks, status encoding, metrics, logging and
//! trace context.
//!
//! A server makes a [`Server`] with its [`Limits`], puts its services behind a [`Gate`], starts its
//! background work on [`Tasks`], and calls [`Server::run`], which returns when everything has
//! stopped.

mod error;
mod listener;
mod server;

mod acceptor;
mod connection;
mod peer;

mod admission;
mod answer;
mod budget;
mod call;
mod fair_queue;
mod health;
mod intake;
mod lifecycle;
mod limiter;
mod limits;
mod memory;
mod panics;
mod priority;
mod refusal;
mod room;
mod shared;
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
pub use limits::{Drain, Limits};
pub use listener::{Listener, Listeners, SocketFile, bind_tcp};
pub use logging::{Exporting, init_logging};
pub use metrics::{BUCKETS, Register};
pub use priority::lower_thread_priority;
pub use refusal::{OVERLOADED, Refusal};
pub use server::Server;
pub use signals::{ignore_file_size_limit, shutdown_signal};
pub use spans::OutgoingCall;
pub use status::{DOMAIN, clip, status, with_retry};
pub use tasks::Tasks;
pub use trace::TraceContext;
pub use work_pool::{WorkError, WorkPool};

/// The metrics library in use, re-exported so that servers register into the same
/// [`prometheus::Registry`].
pub use prometheus;
