//! The generated message types and gRPC stubs of `proto/`, the codec that they use, and a channel for unary calls.
#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)] // generated code

pub mod codec;
mod unary;

pub use unary::{Unary, UnaryError};

/// The Open Inference Protocol.
pub mod inference {
    tonic::include_proto!("inference");
}

/// The ranking and weights services.
pub mod counterweight {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("counterweight.v1");
    }
}

/// The encoded `FileDescriptorSet` of every service, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
