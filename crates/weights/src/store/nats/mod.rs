//! The store for many combiners: a stream in NATS, a copy of it in a file, and heartbeats.

mod stream;

mod first;
mod link;
mod replicas;
mod settings;
mod skipping;
mod unreadable;

#[cfg(test)]
pub(super) use self::link::CHUNK;
pub(super) use self::{link::Address, stream::Nats};
