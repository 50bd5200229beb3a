//! An error with the causes beneath it: tonic's own text is often only "transport error".

use std::{error::Error, iter::successors};

use tonic::Status;

use crate::code::code_name;

/// The error's text, then each cause that adds something to it.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    with_causes(error.to_string(), error.source())
}

/// The message of a status, or the name of its code where it has none, then each cause that adds
/// something to it.
pub fn status_chain(status: &Status) -> String {
    let text = match status.message() {
        "" => code_name(status.code()),
        message => message,
    };
    with_causes(text.to_owned(), status.source())
}

fn with_causes(mut text: String, cause: Option<&(dyn Error + 'static)>) -> String {
    for cause in successors(cause, |&cause| cause.source()) {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot connect")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot connect")]
    struct Inner(#[source] io::Error);

    #[test]
    fn a_cause_that_repeats_the_error_is_left_out() {
        let error = Outer(Inner(io::Error::other("refused")));
        assert_eq!(error_chain(&error), "cannot connect: refused");
    }

    #[test]
    fn a_status_without_a_message_is_called_by_its_code() {
        assert_eq!(status_chain(&Status::unavailable("full")), "full");
        let mut status = Status::unavailable("");
        assert_eq!(status_chain(&status), "UNAVAILABLE");
        status.set_source(Arc::new(io::Error::other("refused")));
        assert_eq!(status_chain(&status), "UNAVAILABLE: refused");
    }
}
