//! An error with the causes beneath it: tonic's own text is often only "transport error".

use std::error::Error;

/// The error's text, then each cause that adds something to it.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

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
}
