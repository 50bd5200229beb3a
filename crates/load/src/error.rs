//! Why a load run cannot be done. Errors of single requests are counted in the report instead.

/// Why a load run cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An option is out of range.
    #[error("{option} is {value}; {expected}")]
    Option {
        /// The field of [`crate::Options`].
        option: &'static str,
        /// The given value.
        value: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The address is not valid.
    #[error("address {address:?}: {reason}; give HOST:PORT or http://HOST:PORT")]
    Address {
        /// The given address.
        address: String,
        /// Why.
        reason: String,
    },
    /// The connection failed.
    #[error("cannot connect to {address}: {reason}; check that the server is running there")]
    Connect {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server did not describe its inputs.
    #[error(
        "{method} of {address} failed with {code}: {message}; \
         if the server does not describe its inputs, name them yourself"
    )]
    Describe {
        /// The method that failed.
        method: &'static str,
        /// The server.
        address: String,
        /// gRPC code.
        code: &'static str,
        /// The server's message.
        message: String,
    },
    /// No values can be generated for a tensor.
    #[error("tensor {tensor:?}: {reason}")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The first request failed. It is sent before the load, since all others would fail too.
    #[error("the first request to {address} failed with {code}: {message}")]
    FirstRequest {
        /// The server.
        address: String,
        /// gRPC code.
        code: &'static str,
        /// The server's message.
        message: String,
    },
    /// The answer to the first request is not what was asked for.
    #[error("the answer of {address} to the first request is wrong: {reason}")]
    Answer {
        /// The server.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The thread that sends at the arrival rate could not be started.
    #[error("cannot start the thread that sends at the arrival rate: {0}")]
    Pacer(#[from] std::io::Error),
}
