//! The small HTTP listener for scrapers and probes. It is apart from the gRPC port and has
//! connections of its own, so that an overload there never hides it.

use std::{io, iter, sync::Arc};

use axum::{
    Router,
    http::{
        HeaderName, StatusCode,
        header::{CONNECTION, CONTENT_TYPE},
    },
    response::IntoResponse,
    routing::get,
};
use prometheus::{Registry, TextEncoder};

use crate::acceptor::Acceptor;

/// A connection is for one request, so that an idle one keeps no place.
const CLOSE: (HeaderName, &str) = (CONNECTION, "close");

/// Serves `GET /metrics` (Prometheus text format) and `GET /healthz` until it is dropped.
///
/// Every `/healthz` calls `health`: `Ok(notes)` is answered with 200, `ok` and a line for each note,
/// `Err(reason)` with 503 and the reason.
///
/// # Errors
/// The listener failed.
pub(crate) async fn serve_http(
    acceptor: Acceptor,
    registry: Registry,
    health: impl Fn() -> Result<Vec<String>, String> + Send + Sync + 'static,
) -> io::Result<()> {
    let health = Arc::new(health);
    let routes = Router::new()
        .route("/metrics", get(move || async move { metrics(&registry) }))
        .route(
            "/healthz",
            get(move || async move {
                let (code, text) = match health() {
                    Ok(notes) => {
                        let lines = iter::once("ok".to_owned()).chain(notes);
                        (StatusCode::OK, lines.map(|line| line + "\n").collect())
                    }
                    Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
                };
                (code, [CLOSE], text)
            }),
        );
    axum::serve(acceptor, routes).await
}

fn metrics(registry: &Registry) -> impl IntoResponse + use<> {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => (
            StatusCode::OK,
            [CLOSE, (CONTENT_TYPE, prometheus::TEXT_FORMAT)],
            text,
        ),
        Err(error) => {
            tracing::error!(%error, "cannot encode the metrics");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                [CLOSE, (CONTENT_TYPE, "text/plain")],
                error.to_string(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use prometheus::IntCounter;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{
        Limits,
        acceptor::{ListeningSocket, Terms},
        connection::Timeliness,
        shared::Shared,
    };

    fn acceptor(listener: TcpListener, within: Duration) -> Acceptor {
        let shared = Shared::new(&[], &Registry::new(), Limits::default()).unwrap();
        let terms = Terms {
            max_connections: 2,
            timeliness: Timeliness::End(within),
            send_timeout: within,
            budget: shared.budget,
            refused: IntCounter::new("refused", "Connections.").unwrap(),
        };
        Acceptor::new(ListeningSocket::Tcp(listener), terms)
    }

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
                Ok(vec!["2 records were lost".to_owned()])
            } else {
                Err("draining".to_owned())
            }
        };
        let acceptor = acceptor(listener, Duration::from_secs(10));
        let server = tokio::spawn(serve_http(acceptor, registry, health));

        let answer = fetch(address, "/metrics").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("requests_total 3"),
            "{answer}"
        );
        let answer = fetch(address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("ok\n2 records were lost\n"), "{answer}");
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
    #[tokio::test]
    async fn slow_and_surplus_connections_are_closed_and_others_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = acceptor(listener, Duration::from_millis(300));
        let _server = tokio::spawn(serve_http(acceptor, Registry::new(), || Ok(Vec::new())));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        let mut mute = TcpStream::connect(address).await.unwrap();
        // Both places are taken, so that a third is closed at once.
        let mut surplus = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        assert!(matches!(
            surplus.read_to_end(&mut rest).await,
            Ok(0) | Err(_)
        ));
        for connection in [&mut slow, &mut mute] {
            assert!(matches!(
                connection.read_to_end(&mut rest).await,
                Ok(0) | Err(_)
            ));
        }
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    }
}
