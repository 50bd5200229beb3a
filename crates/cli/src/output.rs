//! Prints results: tables for people, JSON for programs. Control characters are escaped before
//! printing, so that text from files and servers cannot control the terminal.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, Table, presets};
use counterweight_proto::error_chain;
pub(crate) use counterweight_serving::escape;
use counterweight_serving::escape_lines;
use serde::Serialize;
use serde_json::json;

/// Prints results in one format: tables or JSON.
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

    /// Prints a value as indented JSON, or the text that `human` returns for it.
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
        print_lines(&text)
    }

    /// Prints one element of a stream: JSON on one line, or the text that `human` returns for it.
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
        print_lines(&text)
    }

    /// Prints an error to standard error. As JSON it is an object with the key `error`.
    pub(crate) fn error(self, error: &anyhow::Error) {
        // Many errors repeat their cause in their own text; `error_chain` prints each text once.
        let text = error_chain(error.as_ref());
        print_note(&if self.json {
            json!({ "error": text }).to_string()
        } else {
            format!("error: {text}")
        });
    }
}

/// Writes lines to standard output.
pub(crate) fn print_lines(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", escape_lines(text.trim_end()))?;
    out.flush()?;
    Ok(())
}

/// Writes lines to standard error, as a note beside the result.
pub(crate) fn print_note(text: &str) {
    // Standard error may be closed; the result does not depend on it.
    let _ = writeln!(io::stderr(), "{}", escape_lines(text));
}

/// True if the reader of the output closed the pipe (`| head`), which is not a failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Joins lines of text. Line breaks within a line are escaped, so that each stays one line.
#[cfg(any(feature = "offline", test))]
pub(crate) fn lines<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> String {
    let lines = lines.into_iter();
    let escaped: Vec<String> = lines
        .map(|line| escape(line.as_ref()).into_owned())
        .collect();
    escaped.join("\n")
}

/// Draws a table: the first `left` columns are text, the others are right-aligned numbers.
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
        Cell::new(escape(&text)).set_alignment(alignment)
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

/// A number with `digits` decimals, or a dash if there is no number.
#[cfg(feature = "offline")]
pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control characters: clear screen, bell, one-byte CSI, delete, and bidirectional overrides.
    const HOSTILE: &str = "a\u{1b}[2J\u{7}\u{9b}31m\u{7f}\u{202e}b\u{2066}\r\n\tc";

    #[test]
    fn a_line_stays_one_line() {
        let text = lines(["by eve: fine\nrevision 9 is applied", "next"]);
        assert_eq!(text, "by eve: fine\\u000arevision 9 is applied\nnext");
    }

    #[test]
    fn a_cause_is_printed_once() {
        let cause = || io::Error::from(io::ErrorKind::NotFound);
        let named = anyhow::Error::from(cause()).context(format!("cannot read x: {}", cause()));
        assert_eq!(
            error_chain(named.as_ref()),
            "cannot read x: entity not found"
        );
        let unnamed = anyhow::Error::from(cause()).context("cannot read x");
        assert_eq!(
            error_chain(unnamed.as_ref()),
            "cannot read x: entity not found"
        );
    }

    #[test]
    fn a_table_escapes_its_cells_and_keeps_its_rows() {
        let rows = [[HOSTILE.to_owned()], ["d".to_owned()]];
        let text = table(&["x\u{1b}"], 1, rows);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert_eq!(escape_lines(&text), text);
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let text = escape_lines(&serde_json::to_string_pretty(&json!({ "a": HOSTILE })).unwrap())
            .into_owned();
        assert!(!text.contains('\u{9b}') && !text.contains('\u{202e}'));
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["a"], HOSTILE);
    }
}
