//! Waiting for something to happen, however long a loaded machine takes for it.

use std::{
    future::Future,
    panic::Location,
    thread,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};

/// How long anything may take that has no reason to be slow. A test fails after it, so that it does
/// not hang.
pub const LONG: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks again until `check` holds.
///
/// # Panics
/// It does not hold within [`LONG`].
#[track_caller]
pub fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    eventually_some(what, async move || check().await.then_some(()))
}

/// Asks again until `ask` gives something, and returns that.
///
/// # Panics
/// It gives nothing within [`LONG`].
#[track_caller]
pub fn eventually_some<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    soon(what, async move {
        loop {
            if let Some(value) = ask().await {
                return value;
            }
            sleep(PAUSE).await;
        }
    })
}

/// Waits for `future`.
///
/// # Panics
/// It does not end within [`LONG`].
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let outcome = timeout(LONG, future).await;
        outcome.unwrap_or_else(|_| panic!("{what}: not within {LONG:?} ({caller})"))
    }
}

/// Blocks until `ask` gives something, and returns that.
///
/// # Panics
/// It gives nothing within [`LONG`].
#[track_caller]
pub fn wait_until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = ask() {
            return value;
        }
        assert!(begun.elapsed() < LONG, "{what}: not within {LONG:?}");
        thread::sleep(PAUSE);
    }
}
