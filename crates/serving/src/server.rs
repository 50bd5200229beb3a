//! Puts a server together, and takes it down without dropping a call.

use std::{convert::Infallible, future::Future, mem, sync::Arc, time::Duration};

use futures::stream;
use prometheus::{IntCounterVec, IntGauge, Registry};
use tokio::time::{sleep, timeout};
use tonic::transport::server::Router;

use crate::{
    Gate, Health, Lifecycle, Limits, Listener, Listeners, Refusal, Register, ServingError, Tasks,
    acceptor::{Acceptor, ListeningSocket, Terms},
    connection::Timeliness,
    http::serve_http,
    shared::Shared,
};

/// One frame for a whole usual request: fewer reads and wake-ups than the default of 16 KiB.
const MAX_FRAME: u32 = 1 << 20;
/// Above what one caller needs, so that the gate answers an overload and not a queue in the client;
/// low enough that one connection cannot hold many calls whose messages never come.
const MAX_STREAMS: u32 = 1024;
/// A proxy's one connection carries the cancels of many callers, and each is a reset. HTTP/2
/// servers count resets to end connections that attack by them; here a reset stream costs no more
/// than its headers, so only absurd numbers end a connection.
const MAX_RESETS: usize = 100_000;
/// A peer that has vanished is noticed after this and as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For the last answers to leave after the last call has ended.
const FLUSH: Duration = Duration::from_millis(200);
const HEALTH: &str = "grpc.health.v1.Health";
/// A question to reflection is a name.
const MAX_REFLECTION_BYTES: usize = 64 << 10;
/// Connections of scrapers and probes, and how long each may last.
const MAX_HTTP_CONNECTIONS: usize = 64;
const HTTP_TIME: Duration = Duration::from_secs(10);

/// Lines for the health page.
type Notes = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// What a gRPC server is made of beside its services.
pub struct Server {
    services: &'static [&'static str],
    descriptors: &'static [u8],
    registry: Registry,
    shared: Arc<Shared>,
    refused_connections: IntCounterVec,
    health: Health,
    tasks: Tasks,
    notes: Notes,
}

impl Server {
    /// A server of these services, by their full gRPC names, which the encoded `descriptors`
    /// describe. All are SERVING until a [`condition`](Health::condition) is added.
    ///
    /// # Errors
    /// A limit is out of range, the descriptors are not valid, or a metric cannot be registered.
    pub async fn new(
        services: &'static [&'static str],
        descriptors: &'static [u8],
        registry: Registry,
        limits: Limits,
    ) -> Result<Self, ServingError> {
        let described = [
            descriptors,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        Ok(Self {
            services,
            descriptors,
            tasks: Tasks::new(&registry)?,
            refused_connections: Register(&registry).counters(
                "counterweight_refused_connections_total",
                "Connections that were closed as soon as they were accepted.",
                &["listener"],
            )?,
            shared: Arc::new(Shared::new(&described, &registry, limits)?),
            registry,
            health: Health::new(services).await,
            notes: Box::new(Vec::new),
        })
    }

    /// The server's place between start and stop.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.shared.lifecycle
    }

    /// A gate that limits the calls in progress of the `limited` methods. Other methods are not
    /// counted. `in_progress` shows how many limited calls are in progress, and `refused` hears of
    /// every limited call that is refused.
    ///
    /// # Errors
    /// A metric cannot be registered, since a server has one gate.
    pub fn gate(
        &self,
        limited: &'static [&'static str],
        in_progress: IntGauge,
        refused: impl Fn(&Refusal) + Send + Sync + 'static,
    ) -> Result<Gate, ServingError> {
        Gate::new(Arc::clone(&self.shared), limited, in_progress, refused)
    }

    /// The health that the server reports.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Adds lines to `/healthz`: what an operator should know although the server is up.
    pub fn set_notes(&mut self, notes: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        self.notes = Box::new(notes);
    }

    /// The background tasks, which end with the server.
    pub fn tasks(&mut self) -> &mut Tasks {
        &mut self.tasks
    }

    /// Routes for health and for reflection; add the services to them, each behind a gate.
    ///
    /// # Errors
    /// The descriptors are not valid.
    pub fn router(&self) -> Result<Router, ServingError> {
        let reflection = || {
            let names = self.services.iter().chain([&HEALTH]);
            names.fold(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(self.descriptors)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
                |builder, &name| builder.with_service_name(name),
            )
        };
        let v1 = reflection().build_v1()?;
        let v1alpha = reflection().build_v1alpha()?;
        let gate = Gate::unlimited(Arc::clone(&self.shared));
        let window = self.shared.limits.window();
        Ok(tonic::transport::Server::builder()
            .initial_stream_window_size(window)
            .initial_connection_window_size(window)
            .max_frame_size(MAX_FRAME)
            .max_concurrent_streams(MAX_STREAMS)
            .http2_max_pending_accept_reset_streams(Some(MAX_RESETS))
            .http2_max_local_error_reset_streams(Some(MAX_RESETS))
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(gate.guard_to_the_last(self.health.service()))
            .add_service(gate.guard_to_the_last(v1.max_decoding_message_size(MAX_REFLECTION_BYTES)))
            .add_service(
                gate.guard_to_the_last(v1alpha.max_decoding_message_size(MAX_REFLECTION_BYTES)),
            ))
    }

    /// Serves until `shutdown` resolves and the calls in progress are answered.
    ///
    /// The stop waits for calls, not for connections: a health watcher or an idle connection holds
    /// nothing up.
    ///
    /// # Errors
    /// The transport failed, or a required background task ended; that stops the server too.
    pub async fn run(
        mut self,
        router: Router,
        listeners: Listeners,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServingError> {
        if let Some(listener) = listeners.metrics {
            let lifecycle = self.lifecycle().clone();
            let notes = mem::replace(&mut self.notes, Box::new(Vec::new));
            let health = move || match lifecycle.is_draining() {
                true => Err("draining".to_owned()),
                false => Ok(notes()),
            };
            let terms = Terms {
                max_connections: MAX_HTTP_CONNECTIONS,
                timeliness: Timeliness::End(HTTP_TIME),
                ..self.terms("http")
            };
            let acceptor = Acceptor::new(ListeningSocket::Tcp(listener), terms);
            let serving = serve_http(acceptor, self.registry.clone(), health);
            self.tasks.require("metrics listener", serving);
        }
        let lifecycle = self.lifecycle().clone();
        let closing = async move { lifecycle.closing().await };
        let serving = serve_grpc(router, listeners.grpc, self.terms("grpc"), closing);
        tokio::pin!(serving);
        let ended = tokio::select! {
            outcome = &mut serving => return outcome,
            error = self.tasks.ended() => {
                tracing::error!(%error, "stopping");
                Err(error)
            }
            () = shutdown => Ok(()),
        };
        tracing::info!("draining");
        self.health.drain().await;
        self.lifecycle().drain();
        tokio::select! {
            outcome = &mut serving => outcome?,
            () = self.calls_answered() => {}
        }
        tracing::info!("stopped");
        ended
    }

    /// What is asked of connections by default.
    fn terms(&self, listener: &str) -> Terms {
        let limits = &self.shared.limits;
        Terms {
            max_connections: limits.max_connections,
            timeliness: Timeliness::Greet(limits.read_timeout),
            send_timeout: limits.send_timeout,
            budget: self.shared.budget.clone(),
            refused: self.refused_connections.with_label_values(&[listener]),
        }
    }

    /// Closes the server after the grace, and waits until the calls in progress are answered or
    /// their time is over.
    async fn calls_answered(&self) {
        let drain = self.shared.limits.drain;
        sleep(drain.grace).await;
        self.lifecycle().close();
        let limit = drain.timeout;
        if timeout(limit, self.lifecycle().calls_ended())
            .await
            .is_err()
        {
            tracing::warn!(timeout = ?limit, "calls are still in progress; stopping without them");
        }
        // Usually every connection has closed before this is over, and the server is gone already.
        sleep(FLUSH).await;
    }
}

async fn serve_grpc(
    router: Router,
    listener: Listener,
    terms: Terms,
    closing: impl Future<Output = ()>,
) -> Result<(), ServingError> {
    // The file of a Unix socket goes when the server has stopped.
    let (socket, _file) = match listener {
        Listener::Tcp(listener) => (ListeningSocket::Tcp(listener), None),
        Listener::Unix(listener, file) => (ListeningSocket::Unix(listener), Some(file)),
    };
    let acceptor = Acceptor::new(socket, terms);
    let incoming = stream::unfold(acceptor, |mut acceptor| async {
        let connection = acceptor.accept().await;
        Some((Ok::<_, Infallible>(connection), acceptor))
    });
    router
        .serve_with_incoming_shutdown(incoming, closing)
        .await?;
    Ok(())
}
