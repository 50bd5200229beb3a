//! Why a load run could not be made; errors of single requests are counted in the report instead.

/// Why a load run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option has no meaning.
    #[error("{option} is {value}; {expected}")]
    Option {
        /// The field of [`crate::Options`].
        option: &'static str,
        /// What was given.
        value: String,
        /// What is taken.
        expected: &'static str,
    },
    /// The address does not parse.
    #[error("address {address:?}: {reason}; give HOST:PORT or http://HOST:PORT")]
    Address {
        /// What was given.
        address: String,
        /// Why.
        reason: String,
    },
    /// No connection.
    #[error("no connection to {address}: {reason}; is the server running there?")]
    Connect {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server would not say what it takes.
    #[error(
        "{method} of {address} failed with {code}: {message}; name the inputs yourself where the server does not describe them"
    )]
    Describe {
        /// The method that failed.
        method: &'static str,
        /// The server.
        address: String,
        /// gRPC code.
        code: &'static str,
        /// The server's words.
        message: String,
    },
    /// No values can be made for a tensor.
    #[error("tensor {tensor:?}: {reason}")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The first request, sent before the load, failed, so that all would.
    #[error("the first request to {address} failed with {code}: {message}")]
    FirstRequest {
        /// The server.
        address: String,
        /// gRPC code.
        code: &'static str,
        /// The server's words.
        message: String,
    },
    /// The first request was answered with something else than asked for.
    #[error("the answer of {address} to the first request is wrong: {reason}")]
    Answer {
        /// The server.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The thread that keeps the time could not be started.
    #[error("cannot start the thread that keeps the arrival rate: {0}")]
    Pacer(#[from] std::io::Error),
}
