//! The store of the weights log: it appends an entry directly after the one that the writer knew,
//! or rejects it, and returns entries in order. It does not judge their content.

mod kinds;

mod answers;
mod embedded;
mod health;
mod index;
mod line;
#[cfg(feature = "nats")]
mod nats;
mod snapshot;

#[cfg(all(test, feature = "nats"))]
mod tests;

pub(crate) use self::{
    answers::{Appended, PeerStatus},
    health::StoreHealth,
    kinds::Store,
    line::{LogPosition, scan},
};
