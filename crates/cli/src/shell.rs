//! Commands that a person can copy into a shell.

use std::iter::once;

use shlex::try_quote;

/// This program with these arguments, quoted for a shell.
pub(crate) fn shell_command(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|word| {
        // Only a zero byte has no quoted form, and no argument of a process can hold one.
        try_quote(word).unwrap_or_default()
    });
    once("counterweight".into())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}
