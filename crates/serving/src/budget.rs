//! The memory that requests and answers may take together, and each connection's share of it.
//!
//! Bytes are charged before they are allocated and given back when they are dropped. One counter
//! for the server and one for each connection are enough.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use prometheus::IntGauge;

/// The memory of a server; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    charged: AtomicUsize,
    /// Connections that hold something.
    holders: AtomicUsize,
    gauge: IntGauge,
}

/// What one connection holds of the budget; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Account(Arc<Holding>);

#[derive(Debug)]
struct Holding {
    budget: Budget,
    charged: AtomicUsize,
}

/// Memory in use, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Account,
    bytes: usize,
}

impl Budget {
    /// A budget in bytes. `gauge` shows how many are charged.
    pub(crate) fn new(limit: usize, gauge: IntGauge) -> Self {
        Self(Arc::new(Shared {
            limit,
            charged: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            gauge,
        }))
    }

    /// An account for a new connection.
    pub(crate) fn open(&self) -> Account {
        Account(Arc::new(Holding {
            budget: self.clone(),
            charged: AtomicUsize::new(0),
        }))
    }
}

impl Shared {
    /// True when a connection may hold `held` bytes while all together hold `charged`.
    fn allows(&self, charged: usize, held: usize) -> bool {
        let most = self.limit / 4 * 3;
        let busy = charged > most;
        // While memory is short, nobody may hold more than an equal share of three quarters: a
        // caller who holds little is answered although others have taken the rest. The last quarter
        // takes the answers of calls in progress, whose size is known only when they are made.
        let share = most / self.holders.load(Relaxed).max(1);
        charged <= self.limit && held <= self.limit / 2 && !(busy && held > share)
    }
}

impl Account {
    /// Charges `bytes`, or returns `None` when the budget or the connection's share is used up.
    pub(crate) fn try_charge(&self, bytes: usize) -> Option<Charge> {
        let shared = &self.0.budget.0;
        let held = self.hold(bytes);
        // Checked before it is added: a charge that is refused must not refuse others meanwhile.
        let allowed = shared.charged.fetch_update(Relaxed, Relaxed, |charged| {
            let charged = charged.checked_add(bytes)?;
            shared.allows(charged, held).then_some(charged)
        });
        if allowed.is_err() {
            self.release(bytes);
            return None;
        }
        Some(self.charged(bytes))
    }

    /// Charges memory that is in use already, such as an answer.
    pub(crate) fn charge(&self, bytes: usize) -> Charge {
        self.hold(bytes);
        self.0.budget.0.charged.fetch_add(bytes, Relaxed);
        self.charged(bytes)
    }

    /// The bytes that the connection holds.
    pub(crate) fn held(&self) -> usize {
        self.0.charged.load(Relaxed)
    }

    fn charged(&self, bytes: usize) -> Charge {
        self.0.budget.0.gauge.add(signed(bytes));
        Charge {
            account: self.clone(),
            bytes,
        }
    }

    /// Adds to what the connection holds, and returns that.
    fn hold(&self, bytes: usize) -> usize {
        let held = self.0.charged.fetch_add(bytes, Relaxed);
        if held == 0 && bytes > 0 {
            self.0.budget.0.holders.fetch_add(1, Relaxed);
        }
        held.saturating_add(bytes)
    }

    fn release(&self, bytes: usize) {
        let held = self.0.charged.fetch_sub(bytes, Relaxed);
        if held == bytes && bytes > 0 {
            self.0.budget.0.holders.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let shared = &self.account.0.budget.0;
        shared.charged.fetch_sub(self.bytes, Relaxed);
        shared.gauge.sub(signed(self.bytes));
        self.account.release(self.bytes);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(limit: usize) -> (Budget, IntGauge) {
        let gauge = IntGauge::new("charged", "Bytes.").unwrap();
        (Budget::new(limit, gauge.clone()), gauge)
    }

    #[test]
    fn one_connection_holds_at_most_half() {
        let (budget, gauge) = budget(1000);
        let greedy = budget.open();
        assert!(greedy.try_charge(501).is_none());
        let charge = greedy.try_charge(400).unwrap();
        assert!(greedy.try_charge(101).is_none());
        let more = greedy.try_charge(100).unwrap();
        assert_eq!(gauge.get(), 500);
        drop(charge);
        assert_eq!((gauge.get(), greedy.held()), (100, 100));
        drop(more);
        assert_eq!(gauge.get(), 0);
        assert!(greedy.try_charge(500).is_some());
    }

    #[test]
    fn when_memory_is_short_those_who_hold_more_than_their_share_are_refused_first() {
        let (budget, _) = budget(1000);
        let (one, other, quiet) = (budget.open(), budget.open(), budget.open());
        let _held = [one.try_charge(370).unwrap(), other.try_charge(370).unwrap()];
        let small = quiet.try_charge(10).unwrap();
        assert!(one.try_charge(10).is_none(), "it holds more than a third");
        assert!(quiet.try_charge(200).is_some());
        assert!(quiet.try_charge(260).is_none(), "nothing is left");
        drop(small);
    }

    #[test]
    fn an_answer_is_charged_although_the_budget_is_used_up() {
        let (budget, gauge) = budget(100);
        let account = budget.open();
        let answer = account.charge(500);
        assert_eq!(gauge.get(), 500);
        assert!(budget.open().try_charge(1).is_none());
        drop(answer);
        assert!(budget.open().try_charge(1).is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_charged_is_given_back(
            steps in prop::collection::vec((0_usize..3, 0_usize..300, any::<bool>()), 0..60),
        ) {
            let (budget, gauge) = budget(1000);
            let accounts = [budget.open(), budget.open(), budget.open()];
            let mut charges = Vec::new();
            for (account, bytes, release) in steps {
                charges.extend(accounts[account].try_charge(bytes));
                if release && !charges.is_empty() {
                    charges.swap_remove(bytes % charges.len());
                }
                let held: usize = charges.iter().map(|charge| charge.bytes).sum();
                prop_assert!(held <= 1000);
                prop_assert_eq!(gauge.get(), signed(held));
                let holders = accounts.iter().filter(|one| one.0.charged.load(Relaxed) > 0);
                prop_assert_eq!(budget.0.holders.load(Relaxed), holders.count());
            }
        }
    }
}
