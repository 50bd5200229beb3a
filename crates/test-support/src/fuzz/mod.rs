//! Messages that are almost right, for every method of both servers.
//!
//! [`Fuzzer`] draws them: it fills messages from their descriptors with values that matter to the
//! servers, and damages what it has so far. The same seed draws the same messages.

mod corpus;
mod decode;
mod generate;
mod methods;
mod mutate;
mod source;

pub use corpus::{Corpus, read_corpus};
pub use decode::decode;
pub use methods::{Method, methods};
pub use source::Fuzzer;
