//! Hostile clients. Each attack goes on until it is stopped, and reports what it saw.

mod attack;
mod connection;
mod control;
mod crowd;
mod messages;
mod seen;
mod sink;
mod slow;
mod socket;
mod unread;
mod whole;

pub use attack::{Aim, Attack};
pub use connection::{Call, Connection};
pub use control::{Control, Stop};
pub use seen::{Answer, Seen};
pub use sink::Sink;
