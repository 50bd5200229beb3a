//! A server of this service alone, for teams that keep events apart from ranking.

use std::{
    future::{Future, pending},
    sync::Arc,
};

use counterweight_clock::SystemClock;
use counterweight_proto::{
    DESCRIPTORS, counterweight::v1::feedback_service_server::FeedbackServiceServer,
};
use counterweight_serving::{Limits, Listeners, Register, Server, prometheus::Registry};
use tonic::codec::CompressionEncoding::{Deflate, Gzip};

use crate::{
    FEEDBACK,
    config::FeedbackConfig,
    error::FeedbackError,
    feedback::{Feedback, FeedbackApi},
};

/// Serves until `shutdown` resolves and the calls in progress are answered.
///
/// # Errors
/// The log cannot start, or the server failed.
pub async fn serve(
    config: FeedbackConfig,
    replica: &str,
    limits: Limits,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), FeedbackError> {
    let registry = Registry::new();
    let feedback = Arc::new(Feedback::start(
        config,
        replica,
        Arc::new(SystemClock),
        &registry,
    )?);
    let drain = limits.drain.timeout;
    let outcome = run(&feedback, registry, limits, listeners, shutdown).await;
    feedback.log().close_within(drain).await;
    outcome
}

async fn run(
    feedback: &Arc<Feedback>,
    registry: Registry,
    limits: Limits,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), FeedbackError> {
    let in_progress = Register(&registry).gauge(
        "counterweight_write_events_in_flight",
        "WriteEvents requests in progress.",
    )?;
    let most = limits.max_message_bytes;
    let mut server = Server::new(&[FEEDBACK], DESCRIPTORS, registry, limits).await?;
    let gate = server.gate(&["WriteEvents"], in_progress, |_| {})?;
    let keyed = Arc::clone(feedback);
    server
        .tasks()
        .restart("read the key of the units", move || {
            let feedback = Arc::clone(&keyed);
            async move {
                feedback.find_key().await;
                pending::<()>().await;
            }
        });
    let notes = Arc::clone(feedback);
    server.set_notes(move || notes.notes());
    let service = FeedbackServiceServer::new(FeedbackApi(Arc::clone(feedback)))
        .max_decoding_message_size(most)
        .accept_compressed(Gzip)
        .accept_compressed(Deflate);
    let router = server.router()?.add_service(gate.guard(service));
    Ok(server.run(router, listeners, shutdown).await?)
}
