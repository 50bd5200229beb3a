//! A clock that stands still until it is set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use crate::Clock;

/// A clock that stands still until it is set. Its clones show the same time.
#[derive(Debug, Clone)]
pub struct DrivenClock(Arc<AtomicI64>);

impl DrivenClock {
    /// A clock that shows these milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Sets the time. It may go back, as a system's clock may.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for DrivenClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time() {
        let clock = DrivenClock::new(5);
        let shown: Arc<dyn Clock> = Arc::new(clock.clone());
        clock.set(7);
        assert_eq!(shown.now_ms(), 7);
        assert_eq!(shown.since_1970().as_millis(), 7);
        clock.set(-1);
        assert_eq!(shown.since_1970().as_millis(), 0, "before 1970");
    }
}
