//! How an error becomes a gRPC status: the one place that bounds the text which leaves a server.
//!
//! Each service maps its own errors to codes and reasons; this module only encodes them.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// Domain of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "counterweight";
/// A status travels in HTTP headers, and common clients accept 8 KiB of them. The message travels
/// twice, once percent-encoded and once in the details, which are in Base64.
const MAX_MESSAGE_BYTES: usize = 1500;
const MAX_VALUE_BYTES: usize = 256;
const MAX_VALUES: usize = 8;

/// Encodes an error with a `google.rpc.ErrorInfo`. Long texts are clipped, and at most eight
/// entries of `metadata` are sent. Faults of the server itself are logged.
pub fn status(
    code: Code,
    message: &str,
    reason: &str,
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> Status {
    if matches!(code, Code::Internal | Code::DataLoss | Code::Unknown) {
        tracing::error!(reason, error = message, "a call failed");
    }
    let metadata: HashMap<String, String> = metadata
        .into_iter()
        .take(MAX_VALUES)
        .map(|(key, value)| (key.to_owned(), clip(&value, MAX_VALUE_BYTES)))
        .collect();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    let message = clip(message, escaped_prefix(message, MAX_MESSAGE_BYTES));
    Status::with_error_details(code, message, details)
}

/// The same status with a `google.rpc.RetryInfo`, for an error that may be gone after that time.
#[must_use]
pub fn with_retry(status: &Status, after: Duration) -> Status {
    let mut details = status.get_error_details();
    details.set_retry_info(Some(after));
    Status::with_error_details(status.code(), status.message(), details)
}

/// `text`, or its start of at most `max_bytes` bytes and an ellipsis.
#[must_use]
pub fn clip(text: &str, max_bytes: usize) -> String {
    let start = &text[..text.floor_char_boundary(max_bytes)];
    match start.len() == text.len() {
        true => text.to_owned(),
        false => format!("{start}…"),
    }
}

/// How many bytes of `text` take at most `max_bytes` bytes when they are percent-encoded.
fn escaped_prefix(text: &str, max_bytes: usize) -> usize {
    let mut bytes = 0;
    for (at, character) in text.char_indices() {
        bytes += match character {
            '%' => 3,
            ' '..='~' => 1,
            _ => 3 * character.len_utf8(),
        };
        if bytes > max_bytes {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_fits_into_the_headers_whatever_its_texts_are() {
        for letter in ["x", "ü", "😀", "%", "\n"] {
            let long = letter.repeat(1 << 20);
            let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
            let metadata = keys.map(|key| (key, long.clone()));
            let status = status(Code::NotFound, &long, "UNKNOWN", metadata);
            let headers = status.clone().into_http::<()>().headers().clone();
            let bytes: usize = headers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len() + 32)
                .sum();
            assert!(bytes < 8192, "{letter:?}: {bytes} bytes");
            assert!(status.message().ends_with('…'));
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.metadata.len(), MAX_VALUES);
        }
    }

    #[test]
    fn short_texts_are_sent_whole() {
        let metadata = [("field", "weights".to_owned())];
        let status = status(Code::InvalidArgument, "no weights", "NO_WEIGHTS", metadata);
        assert_eq!(status.message(), "no weights");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("NO_WEIGHTS", "counterweight")
        );
        assert_eq!(info.metadata["field"], "weights");
        assert_eq!(clip("grün", 3), "gr…");
        assert_eq!(clip("grün", 5), "grün");
    }
}
