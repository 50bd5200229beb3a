//! The small HTTP listener for scrapers and probes. It is apart from the gRPC port, so that an
//! overload there never hides it.

use std::{io, sync::Arc};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;

/// Serves `GET /metrics` (Prometheus text format) and `GET /healthz` until it is dropped.
///
/// Every `/healthz` calls `health`: `Ok` is answered with 200 and `ok`, `Err(reason)` with 503 and
/// the reason.
///
/// # Errors
/// The listener failed.
pub(crate) async fn serve_http(
    listener: TcpListener,
    registry: Registry,
    health: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> io::Result<()> {
    let health = Arc::new(health);
    let routes = Router::new()
        .route("/metrics", get(move || async move { metrics(&registry) }))
        .route(
            "/healthz",
            get(move || async move {
                match health() {
                    Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
                    Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
                }
            }),
        );
    axum::serve(listener, routes).await
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => (
            StatusCode::OK,
            [(CONTENT_TYPE, prometheus::TEXT_FORMAT)],
            text,
        ),
        Err(error) => {
            tracing::error!(%error, "cannot encode the metrics");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                [(CONTENT_TYPE, "text/plain")],
                error.to_string(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use prometheus::IntCounter;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    async fn fetch(address: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn metrics_and_health_are_served_until_the_listener_is_dropped() {
        let registry = Registry::new();
        let counter = IntCounter::new("requests_total", "Requests.").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let ready = Arc::new(AtomicBool::new(true));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let flag = Arc::clone(&ready);
        let health = move || {
            if flag.load(Ordering::Relaxed) {
                Ok(())
            } else {
                Err("draining".to_owned())
            }
        };
        let server = tokio::spawn(serve_http(listener, registry, health));

        let answer = fetch(address, "/metrics").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("requests_total 3"),
            "{answer}"
        );
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        ready.store(false, Ordering::Relaxed);
        let answer = fetch(address, "/healthz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.ends_with("draining\n"),
            "{answer}"
        );
        assert!(fetch(address, "/nothing").await.starts_with("HTTP/1.1 404"));

        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        assert!(TcpStream::connect(address).await.is_err());
    }
}
