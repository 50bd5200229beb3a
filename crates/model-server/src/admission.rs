//! What happens to a call before its body is read: too many are refused at once, and one whose deadline passes is ended.
//!
//! It stands before the generated service, because there a call is seen when its headers arrive; in the service itself it is seen
//! only once a thread has time for it, which under overload is too late to say no.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, server::NamedService};
use tower::Service;

use crate::{ModelServerError, metrics::Metrics};

/// When a call arrived, and when it must have been answered; an extension of its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) arrived: Instant,
    pub(crate) deadline: Option<Instant>,
}

impl Timing {
    /// An error once the deadline has passed, so that no work is begun for nobody.
    pub(crate) fn check(&self) -> Result<(), ModelServerError> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(ModelServerError::DeadlineExceeded),
            _ => Ok(()),
        }
    }
}

/// The limit of requests in flight.
#[derive(Clone)]
pub(crate) struct Limit {
    permits: Arc<Semaphore>,
    size: u32,
}

impl Limit {
    pub(crate) fn new(max_in_flight: usize) -> Result<Self, ModelServerError> {
        match u32::try_from(max_in_flight) {
            Ok(size) if size > 0 && max_in_flight <= Semaphore::MAX_PERMITS => Ok(Self {
                permits: Arc::new(Semaphore::new(max_in_flight)),
                size,
            }),
            _ => Err(ModelServerError::Setting {
                setting: "max_in_flight",
                expected: "between 1 and 500 million",
            }),
        }
    }

    fn enter(&self) -> Result<OwnedSemaphorePermit, ModelServerError> {
        Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| ModelServerError::Overloaded {
                limit: self.size as usize,
            })
    }

    /// Resolves once nothing is in flight; from then on nothing is admitted.
    pub(crate) async fn emptied(&self) {
        if let Ok(all) = self.permits.acquire_many(self.size).await {
            all.forget();
        }
    }
}

/// A service behind the limit and the deadline.
#[derive(Clone)]
pub(crate) struct Admission<S> {
    pub(crate) inner: S,
    pub(crate) limit: Limit,
    pub(crate) metrics: Metrics,
}

impl<S: NamedService> NamedService for Admission<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Admission<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let arrived = Instant::now();
        // Only inference is limited: whoever asks for health under overload must get an answer.
        let permit = if request.uri().path().ends_with("/ModelInfer") {
            match self.limit.enter() {
                Ok(permit) => Some(permit),
                Err(error) => {
                    let response = refuse(error, &self.metrics);
                    return Box::pin(std::future::ready(Ok(response)));
                }
            }
        } else {
            None
        };
        let deadline = timeout(request.headers()).and_then(|timeout| arrived.checked_add(timeout));
        request
            .extensions_mut()
            .insert(Timing { arrived, deadline });
        let answer = self.inner.call(request);
        let metrics = self.metrics.clone();
        Box::pin(async move {
            let in_flight = permit.map(|permit| (permit, InFlight::enter(&metrics)));
            let Some(deadline) = deadline else {
                return answer.await;
            };
            match tokio::time::timeout_at(deadline.into(), answer).await {
                Ok(answer) => answer,
                Err(_) if in_flight.is_some() => {
                    Ok(refuse(ModelServerError::DeadlineExceeded, &metrics))
                }
                Err(_) => Ok(Status::from(ModelServerError::DeadlineExceeded).into_http()),
            }
        })
    }
}

fn refuse(error: ModelServerError, metrics: &Metrics) -> Response<Body> {
    let status = Status::from(error);
    metrics.failed("", "", status.code());
    status.into_http()
}

/// Counts a request as in flight for as long as it lives, also when its caller goes away.
struct InFlight(Metrics);

impl InFlight {
    fn enter(metrics: &Metrics) -> Self {
        metrics.in_flight.inc();
        Self(metrics.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

/// The `grpc-timeout` of a call: at most eight digits and a unit. A malformed one counts as none.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(read("20m"), Some(Duration::from_millis(20)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        assert_eq!(read("3n"), Some(Duration::from_nanos(3)));
        for malformed in ["", "m", "20", "-1m", "123456789m", "20x", "1é"] {
            let value = http::HeaderValue::from_bytes(malformed.as_bytes()).unwrap();
            let headers =
                HeaderMap::from_iter([(http::HeaderName::from_static("grpc-timeout"), value)]);
            assert_eq!(timeout(&headers), None, "{malformed}");
        }
    }

    /// An inner service that takes the request and never answers.
    #[derive(Clone)]
    struct Silent;

    impl Service<Request<Body>> for Silent {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Pending<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            std::future::pending()
        }
    }

    #[tokio::test]
    async fn a_passed_deadline_is_told_as_such_and_frees_the_place() {
        let registry = counterweight_telemetry::prometheus::Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        let limit = Limit::new(1).unwrap();
        let mut service = Admission {
            inner: Silent,
            limit: limit.clone(),
            metrics,
        };
        let call = |path: &str| {
            let request = Request::builder().uri(format!("/inference.GRPCInferenceService/{path}"));
            request
                .header("grpc-timeout", "5m")
                .body(Body::empty())
                .unwrap()
        };
        let status = |response: &Response<Body>| {
            response.headers()["grpc-status"]
                .to_str()
                .unwrap()
                .to_owned()
        };
        let first = service.call(call("ModelInfer"));
        let second = service.call(call("ModelInfer")).await.unwrap();
        assert_eq!(
            status(&second),
            (tonic::Code::ResourceExhausted as i32).to_string()
        );
        let unlimited = service.call(call("ServerLive")).await.unwrap();
        for response in [first.await.unwrap(), unlimited] {
            assert_eq!(
                status(&response),
                (tonic::Code::DeadlineExceeded as i32).to_string()
            );
        }
        assert!(limit.enter().is_ok());
    }
}
