//! External text for messages, cut to a readable length, with control characters escaped.

use std::fmt::{self, Debug, Display, Formatter, Write as _};

/// Maximum characters of a problem report about a file.
const PROBLEM: usize = 400;
/// Maximum characters of a single value.
const VALUE: usize = 60;

/// Text from a file, or text that quotes it. It has a limited length whatever the file contains,
/// and cannot send control sequences to a terminal.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// The start of a problem report about a file.
    pub(crate) fn problem(text: impl Display) -> Self {
        Self::cut(text, PROBLEM)
    }

    /// The start of a value.
    pub(crate) fn value(text: impl Display) -> Self {
        Self::cut(text, VALUE)
    }

    fn cut(text: impl Display, max_characters: usize) -> Self {
        let mut cut = Cut {
            text: String::new(),
            left: max_characters,
        };
        // The writer fails once the text is long enough, so that the rest is not formatted.
        let _ = write!(cut, "{text}");
        Self(cut.text)
    }
}

/// A writer that keeps `left` more characters, then appends an ellipsis and fails.
struct Cut {
    text: String,
    left: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left == 0 {
                self.text.push('…');
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.text.push(character);
        }
        Ok(())
    }
}

impl Display for Excerpt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() {
                Display::fmt(&character.escape_default(), f)?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// The text in quotes, escaped like a string literal.
impl Debug for Excerpt {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_control_characters_escaped() {
        let long = Excerpt::value("é".repeat(1_000_000));
        assert_eq!(long.to_string(), "é".repeat(60) + "…");
        assert_eq!(Excerpt::value("é".repeat(60)).to_string(), "é".repeat(60));
        let escape = Excerpt::problem("a\x1b[2J\nb");
        assert_eq!(escape.to_string(), "a\\u{1b}[2J\\nb");
        assert_eq!(format!("{escape:?}"), "\"a\\u{1b}[2J\\nb\"");
    }
}
