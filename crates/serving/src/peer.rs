//! The connection that a call came over: what it holds of the server's memory, and which answers
//! its reader has not taken yet.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::budget::{Account, Budget, Charge};

/// A reader that is slower than this may be cut off.
const BYTES_PER_MILLISECOND: u64 = 1 << 10;

/// One connection; clones share it. It is in the extensions of every request.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Arc<Connected>);

#[derive(Debug)]
struct Connected {
    id: u64,
    account: Account,
    send_timeout: Duration,
    answers: AtomicU64,
    /// Answers that the reader has not taken, by when they must be gone. The number tells answers
    /// of the same time apart.
    unsent: Mutex<BTreeSet<(Instant, u64)>>,
}

impl Peer {
    /// A new connection. Its reader must take each answer within `send_timeout`, and a millisecond
    /// more for every KiB that the connection holds when the answer is made.
    pub(crate) fn new(budget: &Budget, send_timeout: Duration) -> Self {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        Self(Arc::new(Connected {
            id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            account: budget.open(),
            send_timeout,
            answers: AtomicU64::new(0),
            unsent: Mutex::default(),
        }))
    }

    /// A number that no other connection of this process has.
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    /// The connection's part of the memory budget.
    pub(crate) fn account(&self) -> &Account {
        &self.0.account
    }

    /// When the first of the unsent answers must be gone.
    pub(crate) fn answers_due(&self) -> Option<Instant> {
        let unsent = self.0.unsent.lock();
        let unsent = unsent.unwrap_or_else(PoisonError::into_inner);
        unsent.first().map(|&(due, _)| due)
    }

    /// Charges a part of an answer until the transport drops it: it was sent, or its stream ended.
    pub(crate) fn charge_answer(&self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() {
            return bytes;
        }
        let charge = self.0.account.charge(bytes.len());
        let held = u64::try_from(self.0.account.held()).unwrap_or(u64::MAX);
        let queue = Duration::from_millis(held / BYTES_PER_MILLISECOND);
        let key = (
            Instant::now() + self.0.send_timeout + queue,
            self.0.answers.fetch_add(1, Ordering::Relaxed),
        );
        let unsent = self.0.unsent.lock();
        unsent.unwrap_or_else(PoisonError::into_inner).insert(key);
        Bytes::from_owner(Unsent {
            _charge: charge,
            bytes,
            peer: self.clone(),
            key,
        })
    }
}

/// A part of an answer that the transport holds.
struct Unsent {
    bytes: Bytes,
    _charge: Charge,
    peer: Peer,
    key: (Instant, u64),
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let unsent = self.peer.0.unsent.lock();
        let mut unsent = unsent.unwrap_or_else(PoisonError::into_inner);
        unsent.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::IntGauge;

    use super::*;

    #[test]
    fn an_answer_is_charged_and_due_until_its_last_slice_is_dropped() {
        let gauge = IntGauge::new("charged", "Bytes.").unwrap();
        let budget = Budget::new(1 << 30, gauge.clone());
        let peer = Peer::new(&budget, Duration::from_secs(30));
        assert_eq!(peer.answers_due(), None);
        let before = Instant::now();
        let small = peer.charge_answer(Bytes::from_static(b"small"));
        let due = peer.answers_due().unwrap();
        assert!(due >= before + Duration::from_secs(30));
        assert!(due <= Instant::now() + Duration::from_secs(30));
        let large = peer.charge_answer(Bytes::from(vec![7; 5000 << 10]));
        assert_eq!(gauge.get(), (5000 << 10) + 5);
        assert_eq!(peer.answers_due(), Some(due), "the first counts");
        drop(small);
        let due = peer.answers_due().unwrap();
        assert!(due >= before + Duration::from_secs(35), "five seconds more");
        let rest = large.slice(1000..);
        drop(large);
        assert!(peer.answers_due().is_some());
        assert_eq!(rest[0], 7);
        drop(rest);
        assert_eq!((peer.answers_due(), gauge.get()), (None, 0));
    }
}
