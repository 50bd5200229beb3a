//! The methods of both servers, read off their descriptors.

use counterweight_proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::attacks::Aim;

/// One method that a caller can reach.
#[derive(Debug, Clone)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The server that has it.
    pub aim: Aim,
    /// True where the answer is a stream.
    pub streams: bool,
    /// What it is sent.
    pub(super) input: MessageDescriptor,
}

/// All methods, in the order of the contracts.
#[must_use]
pub fn methods() -> Vec<Method> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut methods = Vec::new();
    for service in pool.services() {
        let aim = match service.package_name() {
            "inference" => Aim::Model,
            _ => Aim::Combiner,
        };
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            methods.push(Method {
                // A method lives as long as the program that fuzzes it.
                path: path.leak(),
                aim,
                streams: method.is_server_streaming(),
                input: method.input(),
            });
        }
    }
    methods
}
