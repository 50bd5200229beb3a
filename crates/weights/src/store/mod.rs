//! Where the log of the weights is kept: it takes an entry at the end that the writer knew, or not
//! at all, and gives entries back in order. Whether an entry makes sense is decided above.

mod kinds;

mod answers;
mod embedded;
mod health;
mod index;
mod line;
mod log_file;
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
