//! When an attack ends, and how fast it may send.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// Attacks go on until this is dropped.
#[derive(Debug)]
pub struct Stop(#[expect(dead_code, reason = "it is kept to be dropped")] watch::Sender<()>);

/// What all connections of an attack share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Control {
    stop: watch::Receiver<()>,
    sent: Arc<AtomicU64>,
    opened: Arc<AtomicU64>,
    rate: Option<f64>,
    begun: Instant,
}

impl Control {
    /// The control of one attack. `rate` is the most bytes a second over all connections; with
    /// `None` the attack sends as fast as it can.
    #[must_use]
    pub fn new(rate: Option<f64>) -> (Stop, Self) {
        let (sender, stop) = watch::channel(());
        let control = Self {
            stop,
            sent: Arc::default(),
            opened: Arc::default(),
            rate,
            begun: Instant::now(),
        };
        (Stop(sender), control)
    }

    /// Bytes that were written to sockets so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Connections that were opened so far.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Resolves when the attack is to end.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        while stop.changed().await.is_ok() {}
    }

    /// Counts a connection. Returns the counter of the bytes that are written.
    pub(super) fn count_connection(&self) -> Arc<AtomicU64> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.sent)
    }

    /// Waits until the rate allows more bytes.
    pub(super) async fn pace(&self) {
        while let Some(rate) = self.rate {
            let ahead = self.sent() as f64 / rate - self.begun.elapsed().as_secs_f64();
            if ahead <= 0.0 {
                return;
            }
            // A pause of bounded length, so that a rate near 0 does not overflow it.
            sleep(Duration::from_secs_f64(ahead.min(0.1))).await;
        }
    }
}
