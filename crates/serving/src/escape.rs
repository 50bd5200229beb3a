//! Text from elsewhere on its way to a terminal or into a log: it must not steer the one or forge
//! lines in the other.

use std::{borrow::Cow, fmt::Write as _};

/// Text for one line or one cell: whatever would move the cursor, change colours, turn the order
/// of letters round or break the line is written as `\u001b`.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_where(text, steers_terminal)
}

/// Text of several lines: as [`escape`], but for the ends of lines.
#[must_use]
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escape_where(text, |letter| letter != '\n' && steers_terminal(letter))
}

/// The escapes are those of JSON, so that JSON which is printed stays what it was.
fn escape_where(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escaped) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if escaped(letter) {
            // All of them are below U+10000. Writing to a string cannot fail.
            let _ = write!(clean, "\\u{:04x}", u32::from(letter));
        } else {
            clean.push(letter);
        }
    }
    clean.into()
}

/// C0, DEL and C1 controls; line separators; marks, embeddings, overrides and isolates of
/// bidirectional text.
fn steers_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears the screen, rings, begins a sequence in one byte, deletes, turns the order round.
    const HOSTILE: &str = "a\u{1b}[2J\u{7}\u{9b}31m\u{7f}\u{202e}b\u{2066}\r\n\tc";

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let escaped = "a\\u001b[2J\\u0007\\u009b31m\\u007f\\u202eb\\u2066\\u000d\\u000a\\u0009c";
        assert_eq!(escape(HOSTILE), escaped);
        assert_eq!(escape_lines(HOSTILE), escaped.replace("\\u000a", "\n"));
        for plain in ["", "β = −3 “naïve” 👇 日本", "עברית"] {
            assert_eq!(escape(plain), plain);
        }
    }
}
