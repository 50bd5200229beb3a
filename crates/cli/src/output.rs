//! What goes to standard output: a table for people, or JSON for programs.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::json;

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    #[cfg(feature = "offline")]
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a value as JSON, or what `human` makes of it.
    pub(crate) fn print<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string_pretty(value)?
        } else {
            human(value)
        };
        line(&text)
    }

    /// Prints one element of a stream: a JSON object a line, or what `human` makes of it.
    pub(crate) fn print_element<T: Serialize>(
        self,
        value: &T,
        human: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        let text = if self.json {
            serde_json::to_string(value)?
        } else {
            human(value)
        };
        line(&text)
    }

    /// Prints an error to standard error; as JSON, an object with the key `error`.
    pub(crate) fn error(self, error: &anyhow::Error) {
        let text = format!("{error:#}");
        let text = if self.json {
            json!({ "error": text }).to_string()
        } else {
            format!("error: {text}")
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Writes one line to standard output.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end())?;
    out.flush()?;
    Ok(())
}

/// Writes one line to standard error, for a person to read beside the result.
#[cfg(feature = "offline")]
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whoever read the output has seen enough (`| head`): no failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A table: its first `left` columns are text and the others numbers, set flush right.
pub(crate) fn table<R>(header: &[&str], left: usize, rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let cell = |(column, text): (usize, String)| {
        let alignment = if column < left {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        };
        Cell::new(text).set_alignment(alignment)
    };
    table.set_header(
        header
            .iter()
            .map(|&text| text.to_owned())
            .enumerate()
            .map(cell),
    );
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(cell));
    }
    table.to_string()
}

/// A number with `digits` decimals, or a dash where there is none.
#[cfg(feature = "offline")]
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A number for JSON, which knows no infinity: nothing where there is no end.
pub(crate) fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}
