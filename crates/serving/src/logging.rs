//! One way to start logging, so that the lines of every server look alike and are filtered alike.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    field::MakeExt as _,
    fmt::{self, MakeWriter, format::debug_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{ServingError, escape};

/// The environment variable of the filter, in the syntax of `tracing` (`info,h2=warn`). When it is
/// unset, `RUST_LOG` is read.
const FILTER_VARIABLE: &str = "COUNTERWEIGHT_LOG";

/// The export of spans that was started with the logs.
#[derive(Debug)]
#[must_use = "spans that are not flushed before the process ends are lost"]
pub struct Exporting {
    #[cfg(feature = "otlp")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Writes logs to stderr from now on, one line per event: text for people, or JSON objects when
/// `json` is set. With the feature `otlp`, spans are exported to the collector at `otlp_endpoint`;
/// call it within a tokio runtime then.
///
/// The level is `info` unless `COUNTERWEIGHT_LOG`, or else `RUST_LOG`, says otherwise.
///
/// # Errors
/// The filter cannot be parsed, the endpoint is not valid, or this is the second call in the
/// process.
pub fn init_logging(json: bool, otlp_endpoint: Option<&str>) -> Result<Exporting, ServingError> {
    let filter = filter_from_environment()?;
    let lines = match json {
        true => {
            let lines = fmt::layer().json().flatten_event(true);
            lines.with_writer(io::stderr).boxed()
        }
        false => text_lines(io::stderr().is_terminal(), io::stderr).boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    #[cfg(feature = "otlp")]
    let (subscriber, exporting) = {
        let provider = otlp_endpoint.map(crate::otlp::provider).transpose()?;
        let spans = provider.as_ref().map(crate::otlp::layer);
        (subscriber.with(spans), Exporting { provider })
    };
    #[cfg(not(feature = "otlp"))]
    let exporting = match otlp_endpoint {
        None => Exporting {},
        Some(endpoint) => {
            return Err(ServingError::Otlp {
                endpoint: endpoint.to_owned(),
                reason: "this program was built without the feature `otlp`".to_owned(),
            });
        }
    };
    subscriber
        .try_init()
        .map_err(|_| ServingError::LoggingStarted)?;
    Ok(exporting)
}

impl Exporting {
    /// Exports the spans that are left, and stops. Call it within the runtime that was running when
    /// logging started.
    pub async fn finish(self) {
        #[cfg(feature = "otlp")]
        if let Some(provider) = self.provider {
            // It blocks until the collector has answered.
            let stopped = tokio::task::spawn_blocking(move || provider.shutdown()).await;
            if let Ok(Err(error)) = stopped {
                tracing::warn!(%error, "cannot export the last spans");
            }
        }
    }
}

/// Lines for people. Messages and fields hold what callers and models sent, and each event stays
/// one line whatever that is.
fn text_lines<S, W>(ansi: bool, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    let fields = debug_fn(|writer, field, value| {
        let text = format!("{value:?}");
        match field.name() {
            "message" => write!(writer, "{}", escape(&text)),
            name => write!(writer, "{name}={}", escape(&text)),
        }
    });
    fmt::layer()
        .with_ansi(ansi)
        .fmt_fields(fields.delimited(" "))
        .with_writer(writer)
}

fn filter_from_environment() -> Result<EnvFilter, ServingError> {
    for variable in [FILTER_VARIABLE, "RUST_LOG"] {
        if let Ok(value) = env::var(variable)
            && !value.trim().is_empty()
        {
            return parse_filter(variable, value);
        }
    }
    Ok(EnvFilter::new("info"))
}

fn parse_filter(variable: &'static str, value: String) -> Result<EnvFilter, ServingError> {
    value.parse().map_err(
        |error: tracing_subscriber::filter::ParseError| ServingError::LogFilter {
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

    #[cfg(not(feature = "otlp"))]
    #[test]
    fn an_endpoint_without_the_feature_is_an_error() {
        let error = init_logging(false, Some("http://localhost:4317")).unwrap_err();
        assert!(error.to_string().contains("otlp"), "{error}");
    }

    #[test]
    fn an_event_is_one_line_whatever_was_sent() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = text_lines(false, std::sync::Mutex::new(file.reopen().unwrap()));
        let subscriber = tracing_subscriber::registry().with(lines);
        let hostile = "x\r\n2026-01-01 INFO ranked\u{1b}[31m";
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", method = hostile);
            let _entered = span.enter();
            tracing::info!(shown = %hostile, quoted = hostile, number = 3, "model said {hostile}");
        });
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let escaped = "x\\u000d\\u000a2026-01-01 INFO ranked\\u001b[31m";
        assert!(
            text.contains(&format!("model said {escaped} shown={escaped}")),
            "{text}"
        );
        assert!(text.contains("number=3"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    }

    #[test]
    fn a_second_start_is_an_error() {
        let _ = init_logging(false, None);
        assert!(matches!(
            init_logging(true, None),
            Err(ServingError::LoggingStarted)
        ));
    }
}
