//! The errors of this crate, and the one match from error to gRPC code.

use std::{io, path::PathBuf};

use counterweight_model::ModelError;
use counterweight_serving::{Refusal, ServingError, WorkError, status, with_retry};
use counterweight_tensor::TensorError;
use tonic::{Code, Status};

/// Why the server did not start, or why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ModelServerError {
    /// The repository folder cannot be read.
    #[error(
        "cannot read the model repository {path}: {source}; give a folder that contains one folder \
         per model"
    )]
    Repository {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting is out of its range.
    #[error("{setting} must be {expected}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A listener, a metric, the transport or a background task failed.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// The repository has no model with the requested name.
    #[error(
        "model {model:?} does not exist; available models: {}",
        list(available)
    )]
    UnknownModel {
        /// The name that was requested.
        model: String,
        /// The models that are served.
        available: Vec<String>,
    },
    /// The model does not have the requested version.
    #[error(
        "model {model:?} has no version {version:?}; available versions: {}",
        list(available)
    )]
    UnknownVersion {
        /// The model.
        model: String,
        /// The version that was requested.
        version: String,
        /// The versions that are loaded.
        available: Vec<String>,
    },
    /// The model or version is known but not loaded.
    #[error("model {model:?}{} is not loaded: {reason}", named(version))]
    NotLoaded {
        /// The model.
        model: String,
        /// The version; empty for the default.
        version: String,
        /// Why it is not loaded.
        reason: String,
    },
    /// A requested load failed; the versions that were loaded before are still served.
    #[error("cannot load model {model:?}{}: {reason}", named(version))]
    LoadFailed {
        /// The model.
        model: String,
        /// The version; empty if it is not known.
        version: String,
        /// Why it cannot be loaded.
        reason: String,
    },
    /// The request would unload the default version, but not the whole model.
    #[error(
        "version {version:?} is the default of model {model:?}; write another version into LATEST \
         first, or unload the whole model"
    )]
    UnloadsDefault {
        /// The model.
        model: String,
        /// The version.
        version: String,
    },
    /// The server does not support a parameter of the request.
    #[error("parameter {parameter:?} is not supported; {advice}")]
    Parameter {
        /// Its name.
        parameter: String,
        /// What to do.
        advice: &'static str,
    },
    /// A tensor is malformed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The request has no tensors, so the number of rows is unknown.
    #[error("the request has no input tensors; send one per input, with at least one row")]
    NoRows,
    /// The model has no such input.
    #[error("model {model:?} has no input {tensor:?}{suggestion}; ModelMetadata lists its inputs")]
    UnknownInput {
        /// The model.
        model: String,
        /// The name that was sent.
        tensor: String,
        /// ` (did you mean …?)`, or empty.
        suggestion: String,
    },
    /// The tensors of one request have different numbers of rows.
    #[error("tensor {tensor:?} has {found} rows, but {other:?} has {expected}; {advice}")]
    RowCount {
        /// The tensor that differs.
        tensor: String,
        /// Its rows.
        found: usize,
        /// The tensor that set the number of candidates.
        other: String,
        /// Rows of that tensor.
        expected: usize,
        /// What to send.
        advice: &'static str,
    },
    /// A tensor does not have the width of its input.
    #[error(
        "tensor {tensor:?} has {found} values per row, but the input is {kind}; send the shape \
         {expected}"
    )]
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
    /// An element of a list input is not a JSON array of strings.
    #[error(
        "tensor {tensor:?}, row {row}: the element is not a JSON array of strings ({problem}); \
         send for example [\"a\",\"b\"]"
    )]
    List {
        /// The tensor.
        tensor: String,
        /// The row, from 0.
        row: usize,
        /// The parser's message.
        problem: String,
    },
    /// The columns do not fit the schema: a required input is missing, or a value is not allowed.
    #[error("{0}")]
    Batch(#[source] ModelError),
    /// The model has no such output.
    #[error(
        "output {output:?} does not exist{suggestion}; use probability, logit or contributions"
    )]
    UnknownOutput {
        /// The name that was requested.
        output: String,
        /// ` (did you mean …?)`, or empty.
        suggestion: String,
    },
    /// An output was requested twice.
    #[error("output {output:?} is requested twice; request it once")]
    DuplicateOutput {
        /// The output.
        output: String,
    },
    /// The rows of the request would take too much memory.
    #[error(
        "the request has {rows} rows, but this model accepts at most {most_rows}; send fewer at a \
         time"
    )]
    TooManyRows {
        /// Rows of the request.
        rows: usize,
        /// The most that are accepted.
        most_rows: usize,
    },
    /// An output would exceed the largest size of an answer.
    #[error(
        "the contributions of {rows} rows and {features} features would make the answer larger \
         than {most} bytes; send fewer rows"
    )]
    AnswerTooLarge {
        /// Rows of the request.
        rows: usize,
        /// Features of the model.
        features: usize,
        /// The largest answer, in bytes.
        most: usize,
    },
    /// A checked batch could not be scored, or a score was not finite.
    #[error("model {model:?} version {version:?} failed: {problem}")]
    Score {
        /// The model.
        model: String,
        /// The version.
        version: String,
        /// The reason.
        problem: String,
    },
    /// The deadline of the call passed.
    #[error("the deadline of the call passed before the answer was ready")]
    DeadlineExceeded,
    /// Work on the pool of threads was rejected or panicked.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The pool of threads cannot be started.
    #[error("cannot start the worker threads: {0}")]
    Threads(#[source] io::Error),
    /// A task of the server panicked.
    #[error("internal error: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Names a version in a message; the default version has no name.
fn named(version: &str) -> String {
    match version {
        "" => String::new(),
        version => format!(" version {version:?}"),
    }
}

/// Lists names for a message: at most ten, and how many more there are.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

impl From<ModelServerError> for Status {
    fn from(error: ModelServerError) -> Self {
        let (code, reason) = error.code();
        let facts = error.facts();
        let facts = facts.map(|(name, value)| (name, value.to_owned()));
        let status = status(code, &error.to_string(), reason, facts);
        match error {
            ModelServerError::Work(WorkError::Refused(Refusal::Overloaded { retry_after })) => {
                with_retry(&status, retry_after)
            }
            _ => status,
        }
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
            Self::AnswerTooLarge { .. } => (Code::InvalidArgument, "ANSWER_TOO_LARGE"),
            Self::TooManyRows { .. } => (Code::InvalidArgument, "TOO_MANY_ROWS"),
            Self::Work(WorkError::Refused(refusal)) => (refusal.code(), refusal.reason()),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Self::Score { .. } => (Code::Internal, "MODEL_FAILED"),
            Self::Work(WorkError::Panicked(_))
            | Self::Threads(_)
            | Self::Task(_)
            | Self::Repository { .. }
            | Self::Setting { .. }
            | Self::Serving(_) => (Code::Internal, "INTERNAL"),
        }
    }

    /// The metadata of the `ErrorInfo`, for programs. `field` is the name of a field of the request
    /// or of a tensor. A value that was sent has a name of its own, such as `model`.
    fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let (field, value) = match self {
            Self::UnknownModel { model, .. }
            | Self::NotLoaded { model, .. }
            | Self::LoadFailed { model, .. }
            | Self::UnloadsDefault { model, .. }
            | Self::Score { model, .. } => (Some("model_name"), Some(("model", model.as_str()))),
            Self::UnknownVersion { version, .. } => {
                (Some("model_version"), Some(("version", version.as_str())))
            }
            Self::Parameter { parameter, .. } => {
                (Some("parameters"), Some(("parameter", parameter.as_str())))
            }
            Self::UnknownOutput { output, .. } | Self::DuplicateOutput { output } => {
                (Some("outputs"), Some(("output", output.as_str())))
            }
            Self::AnswerTooLarge { .. } => (Some("outputs"), None),
            Self::NoRows | Self::TooManyRows { .. } => (Some("inputs"), None),
            Self::Tensor(error) => (error.tensor(), None),
            Self::UnknownInput { tensor, .. }
            | Self::RowCount { tensor, .. }
            | Self::Width { tensor, .. }
            | Self::List { tensor, .. } => (Some(tensor.as_str()), None),
            Self::Batch(
                ModelError::MissingInput { input }
                | ModelError::WrongKind { input, .. }
                | ModelError::WrongLength { input, .. }
                | ModelError::WrongDimension { input, .. }
                | ModelError::Infinite { input, .. }
                | ModelError::NotBoolean { input, .. },
            ) => (Some(input.as_str()), None),
            Self::Batch(_)
            | Self::DeadlineExceeded
            | Self::Work(_)
            | Self::Threads(_)
            | Self::Task(_)
            | Self::Repository { .. }
            | Self::Setting { .. }
            | Self::Serving(_) => (None, None),
        };
        field.map(|field| ("field", field)).into_iter().chain(value)
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

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
