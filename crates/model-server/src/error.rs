//! Everything that goes wrong in this crate, and the one place where it becomes a gRPC status.

use std::{collections::HashMap, io, path::PathBuf};

use counterweight_model::ModelError;
use counterweight_tensor::TensorError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Domain of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "counterweight";
/// A status travels in HTTP headers, where clients take 8 KiB in all, and half of this may be escaped threefold.
const MAX_MESSAGE_CHARS: usize = 700;
const MAX_FIELD_CHARS: usize = 100;

/// Why a server did not start, or a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelServerError {
    /// The address can not be listened on.
    #[error("can not listen on {address}: {source}")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The repository folder can not be read.
    #[error(
        "model repository {path}: {source}; it must be a folder with one model folder per model"
    )]
    Repository {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting makes no sense.
    #[error("{setting} must be {expected}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Metrics or reflection could not be set up.
    #[error("{what}: {problem}")]
    Setup {
        /// What was set up.
        what: &'static str,
        /// What went wrong.
        problem: String,
    },
    /// The gRPC transport broke.
    #[error("gRPC transport: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// No model of that name.
    #[error(
        "no model {model:?} here; there {}",
        listed(available, "is no model", "are")
    )]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// Models that are here.
        available: Vec<String>,
    },
    /// No such version of a model.
    #[error(
        "model {model:?} has no version {version:?}; there {}",
        listed(available, "is none", "are")
    )]
    UnknownVersion {
        /// The model.
        model: String,
        /// What was asked for.
        version: String,
        /// Versions that are loaded.
        available: Vec<String>,
    },
    /// The model or version is known, but not loaded.
    #[error("model {model:?} {version:?} is not loaded: {reason}")]
    NotLoaded {
        /// The model.
        model: String,
        /// The version; empty for the served default.
        version: String,
        /// Why not.
        reason: String,
    },
    /// A load was asked for and failed; what was loaded before is served on.
    #[error("model {model:?} {version:?} can not be loaded: {reason}")]
    LoadFailed {
        /// The model.
        model: String,
        /// The version; empty when no version could be told.
        version: String,
        /// Why not.
        reason: String,
    },
    /// The served default can not be unloaded alone.
    #[error(
        "version {version:?} is what model {model:?} serves by default; let LATEST name another version first, or unload the whole model"
    )]
    UnloadsDefault {
        /// The model.
        model: String,
        /// The version.
        version: String,
    },
    /// A parameter of the protocol that is not spoken here.
    #[error("parameter {parameter:?} is not supported: {advice}")]
    Parameter {
        /// Its name.
        parameter: String,
        /// What to do.
        advice: &'static str,
    },
    /// A tensor that is no tensor.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The request has no tensors, so that nothing says how many rows there are.
    #[error("the request has no input tensors; send one per input of the model, at least one row")]
    NoRows,
    /// The model has no such input.
    #[error("model {model:?} has no input {tensor:?}{suggestion}; ModelMetadata lists its inputs")]
    UnknownInput {
        /// The model.
        model: String,
        /// What was sent.
        tensor: String,
        /// `(did you mean …?)` or nothing.
        suggestion: String,
    },
    /// Tensors of one request disagree on the number of candidates.
    #[error("tensor {tensor:?} has {found} rows, but {other:?} has {expected}; {advice}")]
    RowCount {
        /// The tensor that differs.
        tensor: String,
        /// Its rows.
        found: usize,
        /// The tensor that said how many candidates there are.
        other: String,
        /// Rows of that one.
        expected: usize,
        /// What is allowed.
        advice: &'static str,
    },
    /// A tensor has another width than its input.
    #[error("tensor {tensor:?} has {found} values per row; input is {kind}, send shape {expected}")]
    Width {
        /// The tensor.
        tensor: String,
        /// Its values per row.
        found: usize,
        /// Kind of the input.
        kind: String,
        /// The shape to send.
        expected: String,
    },
    /// An element of a list input is no JSON array of strings.
    #[error(
        "tensor {tensor:?}, row {row}: not a JSON array of strings ({problem}); send for example [\"a\",\"b\"]"
    )]
    List {
        /// The tensor.
        tensor: String,
        /// The row, from 0.
        row: usize,
        /// What the parser said.
        problem: String,
    },
    /// The columns do not fit the schema: a required input is missing, or a value is no value of its kind.
    #[error("{0}")]
    Batch(#[source] ModelError),
    /// The model has no such output.
    #[error("no output {output:?}{suggestion}; ask for probability, logit or contributions")]
    UnknownOutput {
        /// What was asked for.
        output: String,
        /// `(did you mean …?)` or nothing.
        suggestion: String,
    },
    /// An output was asked for twice.
    #[error("output {output:?} is asked for twice; ask once")]
    DuplicateOutput {
        /// The output.
        output: String,
    },
    /// A checked batch could not be scored, or gave a number that is none.
    #[error("model {model:?} {version:?} failed: {problem}")]
    Score {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// What happened.
        problem: String,
    },
    /// More requests in flight than the server takes.
    #[error("{limit} requests are in work, which is the limit; try again elsewhere or later")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// The deadline of the caller has passed.
    #[error("the deadline of the call has passed before the answer was ready")]
    DeadlineExceeded,
    /// A task of the server died.
    #[error("internal: {0}")]
    Task(#[from] tokio::task::JoinError),
}

fn listed(names: &[String], none: &str, some: &str) -> String {
    const SHOWN: usize = 10;
    match names.len() {
        0 => none.to_owned(),
        n if n > SHOWN => format!(
            "{some} {} and {} more",
            names[..SHOWN].join(", "),
            n - SHOWN
        ),
        _ => format!("{some} {}", names.join(", ")),
    }
}

impl From<ModelServerError> for Status {
    fn from(error: ModelServerError) -> Self {
        let (code, reason) = error.code();
        let mut metadata = HashMap::new();
        if let Some(field) = error.field() {
            metadata.insert("field".to_owned(), clip(field, MAX_FIELD_CHARS));
        }
        let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        Self::with_error_details(code, clip(&error.to_string(), MAX_MESSAGE_CHARS), details)
    }
}

impl ModelServerError {
    /// The gRPC code and the reason of the `ErrorInfo`.
    pub(crate) fn code(&self) -> (Code, &'static str) {
        match self {
            Self::UnknownModel { .. } => (Code::NotFound, "UNKNOWN_MODEL"),
            Self::UnknownVersion { .. } => (Code::NotFound, "UNKNOWN_VERSION"),
            Self::NotLoaded { .. } => (Code::Unavailable, "MODEL_NOT_LOADED"),
            Self::LoadFailed { .. } => (Code::FailedPrecondition, "LOAD_FAILED"),
            Self::UnloadsDefault { .. } => (Code::FailedPrecondition, "UNLOADS_DEFAULT"),
            Self::Parameter { .. } => (Code::InvalidArgument, "UNSUPPORTED_PARAMETER"),
            Self::Tensor(_) => (Code::InvalidArgument, "INVALID_TENSOR"),
            Self::NoRows => (Code::InvalidArgument, "NO_ROWS"),
            Self::UnknownInput { .. } => (Code::InvalidArgument, "UNKNOWN_INPUT"),
            Self::RowCount { .. } => (Code::InvalidArgument, "ROW_COUNT"),
            Self::Width { .. } => (Code::InvalidArgument, "WIDTH"),
            Self::List { .. } => (Code::InvalidArgument, "INVALID_LIST"),
            Self::Batch(ModelError::MissingInput { .. }) => {
                (Code::InvalidArgument, "MISSING_INPUT")
            }
            Self::Batch(_) => (Code::InvalidArgument, "INVALID_INPUT"),
            Self::UnknownOutput { .. } => (Code::InvalidArgument, "UNKNOWN_OUTPUT"),
            Self::DuplicateOutput { .. } => (Code::InvalidArgument, "DUPLICATE_OUTPUT"),
            Self::Overloaded { .. } => (Code::ResourceExhausted, "OVERLOADED"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::Score { .. } => (Code::Internal, "MODEL_FAILED"),
            Self::Task(_)
            | Self::Bind { .. }
            | Self::Repository { .. }
            | Self::Setting { .. }
            | Self::Setup { .. }
            | Self::Transport(_) => (Code::Internal, "INTERNAL"),
        }
    }

    /// The tensor, output, parameter or model that the error is about.
    fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownModel { model, .. }
            | Self::UnknownVersion { model, .. }
            | Self::NotLoaded { model, .. }
            | Self::LoadFailed { model, .. }
            | Self::UnloadsDefault { model, .. }
            | Self::Score { model, .. } => Some(model),
            Self::Parameter { parameter, .. } => Some(parameter),
            Self::Tensor(error) => error.tensor(),
            Self::UnknownInput { tensor, .. }
            | Self::RowCount { tensor, .. }
            | Self::Width { tensor, .. }
            | Self::List { tensor, .. } => Some(tensor),
            Self::Batch(
                ModelError::MissingInput { input }
                | ModelError::WrongKind { input, .. }
                | ModelError::WrongLength { input, .. }
                | ModelError::WrongDimension { input, .. }
                | ModelError::Infinite { input, .. }
                | ModelError::NotBoolean { input, .. },
            ) => Some(input),
            Self::UnknownOutput { output, .. } | Self::DuplicateOutput { output } => Some(output),
            Self::Batch(_)
            | Self::NoRows
            | Self::Overloaded { .. }
            | Self::DeadlineExceeded
            | Self::Task(_)
            | Self::Bind { .. }
            | Self::Repository { .. }
            | Self::Setting { .. }
            | Self::Setup { .. }
            | Self::Transport(_) => None,
        }
    }
}

/// At most `limit` characters; what clients send may be a megabyte, what goes back must fit in headers.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_names_the_field_and_fits_into_headers() {
        let tensor = "ü".repeat(1 << 20);
        let error = ModelServerError::UnknownInput {
            model: "m".to_owned(),
            tensor,
            suggestion: String::new(),
        };
        let status = Status::from(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().len() < 2000 && status.details().len() < 3000);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("UNKNOWN_INPUT", "counterweight")
        );
        assert!(info.metadata["field"].starts_with("üü"));
    }
}
