//! Where a model is served, and what it is sent.

use std::time::Duration;

/// A model behind the Open Inference Protocol.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// `http://host:port` or `unix:/path`, at least one. Requests are balanced over them, and over
    /// all addresses of a host name.
    pub endpoints: Vec<String>,
    /// The model's name on the server.
    pub name: String,
    /// A pinned version; none means the served default.
    pub version: Option<String>,
    /// The output tensor with the probabilities. Default `probability`.
    pub output: String,
    /// The column of an output of shape [n, d], from 0. Default 0.
    pub column: usize,
    /// The longest a call may take, even when the caller allows more. Default 1 s.
    pub timeout: Duration,
    /// Numeric features packed into one tensor; none sends one tensor per feature.
    pub packed: Option<Packed>,
    /// Repeat context features to the number of candidates, for servers that do not broadcast.
    pub expand_context: bool,
}

/// Numeric features packed into one tensor of shape [n, d].
#[derive(Debug, Clone)]
pub struct Packed {
    /// The tensor's name.
    pub input: String,
    /// The features, in the order of the columns. A vector feature fills as many columns as it is
    /// wide.
    pub features: Vec<String>,
}
