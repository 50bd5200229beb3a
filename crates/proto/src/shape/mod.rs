//! What every message type looks like on the wire and how much memory it takes when it is decoded.
//!
//! A server decodes a message only after it knows what that will cost: an empty sub-message is two
//! bytes on the wire and hundreds in memory. The tables are made once from the descriptors; one
//! pass over the bytes of a message then checks that it can be decoded and bounds the memory,
//! without any allocation.

mod build;
mod scan;

use std::collections::HashMap;

pub use build::ShapeError;
pub use scan::{Malformed, ScanError};

/// The methods of every service, and the shapes of the messages that they receive.
#[derive(Debug)]
pub struct Contracts {
    messages: Vec<MessageShape>,
    methods: HashMap<String, Method>,
}

/// One method of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    input: usize,
    /// The caller sends a stream of messages.
    pub client_streams: bool,
    /// The server answers with a stream of messages.
    pub server_streams: bool,
}

/// A message type.
#[derive(Debug)]
struct MessageShape {
    /// Upper bound of the size of the generated struct, in bytes.
    size: usize,
    /// By field number; a number that is not used is [`Kind::Unknown`].
    fields: Vec<Field>,
}

/// A field of a message type.
#[derive(Debug, Clone)]
struct Field {
    name: Box<str>,
    kind: Kind,
    repeated: bool,
    /// Bytes of memory for every element of a repeated field. A vector doubles when it is full, and
    /// holds its old and its new room while it moves.
    element: usize,
    /// Bytes more for the first element. A vector starts with room for several.
    first: usize,
}

/// How a field is encoded. `Message` and `Map` name a message type by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Varint,
    Fixed32,
    Fixed64,
    String,
    Bytes,
    Message(usize),
    Map(usize),
}

impl Contracts {
    /// The method of an HTTP path such as `/package.Service/Method`.
    #[must_use]
    pub fn method(&self, path: &str) -> Option<Method> {
        self.methods.get(path).copied()
    }
}
