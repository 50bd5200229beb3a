//! The generated message types and gRPC stubs of `proto/`, and what every caller and server
//! shares: the codec, a channel for unary calls, the names of status codes, messages as JSON.
#![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)] // generated code

mod code;
pub mod codec;
mod error_chain;
mod json;
mod unary;

pub use code::code_name;
pub use error_chain::{error_chain, status_chain};
pub use json::to_json;
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
