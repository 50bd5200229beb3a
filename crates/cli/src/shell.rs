//! Prints commands that a person can copy into a shell.

use std::iter::once;

use shlex::try_quote;

/// This program with these arguments, quoted for a shell.
pub(crate) fn shell_command(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|word| {
        // Quoting fails for a zero byte only, and process arguments cannot contain one.
        try_quote(word).unwrap_or_default()
    });
    once("counterweight".into())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}
