//! One way to start logging, so that every server's lines look and filter alike.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use tracing_subscriber::{EnvFilter, fmt};

/// The environment variable with the filter, in `tracing`'s syntax (`info,h2=warn`); `RUST_LOG` is read when it is unset.
const FILTER_VARIABLE: &str = "COUNTERWEIGHT_LOG";

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter can not be parsed.
    #[error(
        "{variable}={value:?} is no log filter ({reason}); write for example \"info\" or \"warn,counterweight_combiner=debug\""
    )]
    Filter {
        /// The environment variable it came from.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What the parser said.
        reason: String,
    },
    /// Logging runs already.
    #[error("logging was started before in this process")]
    AlreadyStarted,
}

/// Writes logs to stderr from now on, one line per event: text for people, or JSON objects when `json`.
///
/// The level is `info` unless `COUNTERWEIGHT_LOG` (or else `RUST_LOG`) says otherwise.
///
/// # Errors
/// A filter that can not be parsed, or a second call in one process.
pub fn init_logging(json: bool) -> Result<(), LoggingError> {
    let filter = filter_from_environment()?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|_| LoggingError::AlreadyStarted)
}

fn filter_from_environment() -> Result<EnvFilter, LoggingError> {
    for variable in [FILTER_VARIABLE, "RUST_LOG"] {
        if let Ok(value) = env::var(variable)
            && !value.trim().is_empty()
        {
            return parse_filter(variable, value);
        }
    }
    Ok(EnvFilter::new("info"))
}

fn parse_filter(variable: &'static str, value: String) -> Result<EnvFilter, LoggingError> {
    value.parse().map_err(
        |error: tracing_subscriber::filter::ParseError| LoggingError::Filter {
            variable,
            reason: error.to_string(),
            value,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_filter_is_named_with_its_variable() {
        let error = parse_filter(FILTER_VARIABLE, "combiner=loud".to_owned()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("COUNTERWEIGHT_LOG") && text.contains("combiner=loud"),
            "{text}"
        );
    }

    #[test]
    fn a_second_start_is_an_error() {
        let _ = init_logging(false);
        assert!(matches!(
            init_logging(true),
            Err(LoggingError::AlreadyStarted)
        ));
    }
}
