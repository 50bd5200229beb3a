//! Puts a server together, and takes it down without dropping a call.

use std::{future::Future, time::Duration};

use prometheus::Registry;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::server::{Router, TcpIncoming};

use crate::{Health, Lifecycle, Listener, Listeners, ServingError, Tasks, http::serve_http};

/// Flow control: thousands of candidates fit into one flight.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// One frame for a whole usual request: fewer reads and wake-ups than the default of 16 KiB.
const MAX_FRAME: u32 = 1 << 20;
/// Far above any limit on calls, so that the gate answers an overload and not a queue in the
/// client.
const MAX_STREAMS: u32 = 1 << 16;
/// A peer that has vanished is noticed after this and as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// For the last answers to leave after the last call has ended.
const FLUSH: Duration = Duration::from_millis(200);
const HEALTH: &str = "grpc.health.v1.Health";

/// How long a stop may take.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// How long calls are still accepted after the stop signal while health says NOT_SERVING, so
    /// that load balancers turn away first.
    pub grace: Duration,
    /// How long calls in progress may then take before the server stops without them.
    pub timeout: Duration,
}

/// What a gRPC server is made of beside its services.
#[derive(Debug)]
pub struct Server {
    services: &'static [&'static str],
    registry: Registry,
    drain: Drain,
    lifecycle: Lifecycle,
    health: Health,
    tasks: Tasks,
}

impl Server {
    /// A server of these services, by their full gRPC names. All are SERVING until a
    /// [`condition`](Health::condition) is added.
    ///
    /// # Errors
    /// A metric cannot be registered.
    pub async fn new(
        services: &'static [&'static str],
        registry: Registry,
        drain: Drain,
    ) -> Result<Self, ServingError> {
        Ok(Self {
            services,
            tasks: Tasks::new(&registry)?,
            registry,
            drain,
            lifecycle: Lifecycle::default(),
            health: Health::new(services).await,
        })
    }

    /// The server's place between start and stop.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// The health that the server reports.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The background tasks, which end with the server.
    pub fn tasks(&mut self) -> &mut Tasks {
        &mut self.tasks
    }

    /// Routes for health and for reflection on the encoded `descriptors`; add the services to them.
    ///
    /// # Errors
    /// The descriptors are not valid.
    pub fn router(&self, descriptors: &[u8]) -> Result<Router, ServingError> {
        let reflection = || {
            let names = self.services.iter().chain([&HEALTH]);
            names.fold(
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(descriptors)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET),
                |builder, &name| builder.with_service_name(name),
            )
        };
        Ok(tonic::transport::Server::builder()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(MAX_FRAME)
            .max_concurrent_streams(MAX_STREAMS)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .add_service(self.health.service())
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?))
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
            let lifecycle = self.lifecycle.clone();
            let health = move || match lifecycle.is_draining() {
                true => Err("draining".to_owned()),
                false => Ok(()),
            };
            let serving = serve_http(listener, self.registry.clone(), health);
            self.tasks.require("metrics listener", serving);
        }
        let lifecycle = self.lifecycle.clone();
        let serving = serve_grpc(router, listeners.grpc, async move {
            lifecycle.closing().await;
        });
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
        self.lifecycle.drain();
        tokio::select! {
            outcome = &mut serving => outcome?,
            () = self.calls_answered() => {}
        }
        tracing::info!("stopped");
        ended
    }

    /// Closes the server after the grace, and waits until the calls in progress are answered or
    /// their time is over.
    async fn calls_answered(&self) {
        sleep(self.drain.grace).await;
        self.lifecycle.close();
        let limit = self.drain.timeout;
        if timeout(limit, self.lifecycle.calls_ended()).await.is_err() {
            tracing::warn!(timeout = ?limit, "calls are still in progress; stopping without them");
        }
        // Usually every connection has closed before this is over, and the server is gone already.
        sleep(FLUSH).await;
    }
}

async fn serve_grpc(
    router: Router,
    listener: Listener,
    closing: impl Future<Output = ()>,
) -> Result<(), ServingError> {
    match listener {
        Listener::Tcp(listener) => {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router
                .serve_with_incoming_shutdown(incoming, closing)
                .await?;
        }
        Listener::Unix(listener, _file) => {
            let incoming = UnixListenerStream::new(listener);
            router
                .serve_with_incoming_shutdown(incoming, closing)
                .await?;
        }
    }
    Ok(())
}
