//! The gate before a service that never answers.

use std::{sync::Mutex, time::Duration};

use prometheus::Registry;

use super::*;
use crate::Limits;

/// A service that accepts every request and never answers.
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

fn call(path: &str) -> Request<Body> {
    Request::builder()
        .uri(format!("/test.Service/{path}"))
        .header("grpc-timeout", "50m")
        .body(Body::empty())
        .unwrap()
}

fn code(response: &Response<Body>) -> String {
    let code = response.headers()["grpc-status"].to_str();
    code.unwrap().to_owned()
}

#[tokio::test]
async fn calls_over_the_limit_or_the_deadline_are_refused_and_free_their_places() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let gauge = IntGauge::new("in_progress", "Calls.").unwrap();
    let heard = Arc::clone(&seen);
    let limits = Limits {
        max_concurrent_requests: 1,
        ..Limits::default()
    };
    let shared = Arc::new(Shared::new(&[], &Registry::new(), limits).unwrap());
    let lifecycle = shared.lifecycle.clone();
    let gate = Gate::new(shared, &["Work"], gauge.clone(), move |refusal| {
        heard.lock().unwrap().push(refusal.reason());
    })
    .unwrap();
    let mut service = gate.guard(Silent);
    let first = tokio::spawn(service.call(call("Work")));
    while gauge.get() == 0 {
        tokio::task::yield_now().await;
    }
    let second = service.call(call("Work")).await.unwrap();
    assert_eq!(code(&second), (Code::ResourceExhausted as i32).to_string());
    let unlimited = service.call(call("Live")).await.unwrap();
    for response in [first.await.unwrap().unwrap(), unlimited] {
        assert_eq!(code(&response), (Code::DeadlineExceeded as i32).to_string());
    }
    assert_eq!(gauge.get(), 0);
    lifecycle.calls_ended().await;
    lifecycle.close();
    let late = service.call(call("Work")).await.unwrap();
    assert_eq!(code(&late), (Code::Unavailable as i32).to_string());
    assert_eq!(
        *seen.lock().unwrap(),
        ["OVERLOADED", "DEADLINE_EXCEEDED", "DRAINING"]
    );
}

#[tokio::test]
async fn a_draining_server_says_so_and_not_that_it_is_overloaded() {
    let gauge = IntGauge::new("in_progress", "Calls.").unwrap();
    let limits = Limits {
        max_concurrent_requests: 1,
        ..Limits::default()
    };
    let shared = Arc::new(Shared::new(&[], &Registry::new(), limits).unwrap());
    let lifecycle = shared.lifecycle.clone();
    let gate = Gate::new(shared, &["Work"], gauge, |_| {}).unwrap();
    let mut service = gate.guard(Silent);
    let mut first = service.call(call("Work"));
    assert!(futures::poll!(&mut first).is_pending());
    lifecycle.drain();
    let second = service.call(call("Work")).await.unwrap();
    assert_eq!(code(&second), (Code::Unavailable as i32).to_string());
}

#[test]
fn only_the_overload_of_a_server_behind_counts_as_overload() {
    let outcome = |status: Status| outcome_of(&Ok(status.into_http()));
    let overloaded = Refusal::Overloaded {
        retry_after: Duration::from_millis(20),
    };
    assert_eq!(outcome(overloaded.into()), Outcome::Overloaded);
    let too_large = crate::status(Code::ResourceExhausted, "too large", "TOO_LARGE", []);
    assert_eq!(outcome(too_large), Outcome::Answered);
    assert_eq!(outcome(Refusal::DeadlineExceeded.into()), Outcome::Late);
    assert_eq!(outcome(Status::not_found("no")), Outcome::Answered);
}

#[test]
fn a_refusal_says_when_to_come_again() {
    let retry_after = Duration::from_millis(20);
    let status = Status::from(Refusal::Overloaded { retry_after });
    let retry = status.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(retry_after));
    assert_eq!(
        status.get_details_error_info().unwrap().reason,
        "OVERLOADED"
    );
}
