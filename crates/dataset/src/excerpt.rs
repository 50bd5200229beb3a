//! Text from outside in a message: cut to a readable length, control characters escaped.

use std::fmt::{self, Debug, Display, Formatter, Write as _};

/// Characters of what a reader says of a file.
const PROBLEM: usize = 400;
/// Characters of a single value.
const VALUE: usize = 60;

/// Text that came out of a file, or was made of such text. It is never longer than a few lines,
/// whatever the file holds, and cannot move a terminal's cursor.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// The start of what is wrong with a file.
    pub(crate) fn problem(text: impl Display) -> Self {
        Self::cut(text, PROBLEM)
    }

    /// The start of a value.
    pub(crate) fn value(text: impl Display) -> Self {
        Self::cut(text, VALUE)
    }

    fn cut(text: impl Display, most: usize) -> Self {
        let mut cut = Cut {
            text: String::new(),
            left: most,
        };
        // It fails on purpose once the text is long enough, so that no more of it is formatted.
        let _ = write!(cut, "{text}");
        Self(cut.text)
    }
}

/// Takes so many characters and then an ellipsis.
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

/// In quotes, as a message shows a value.
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
