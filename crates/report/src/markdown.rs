//! Escapes text for Markdown, as the template engine does for HTML.

use std::fmt::{self, Write};

use askama::filters::Escaper;

/// One line of Markdown whose characters mean nothing but themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Markdown;

impl Escaper for Markdown {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' | '\r' => dest.write_char(' ')?,
                '*' | '_' | '`' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '\\' => {
                    dest.write_char('\\')?;
                    dest.write_char(c)?;
                }
                _ => dest.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The marks around a code block: more backticks than any run within it.
pub(crate) fn fence(code: &str) -> String {
    let runs = code.split(|c| c != '`').map(str::len);
    "`".repeat(3.max(1 + runs.max().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lose_their_meaning() {
        let mut out = String::new();
        Markdown
            .write_escaped_str(&mut out, "a_b [x](y) <script> | #1\n- 0.08")
            .unwrap();
        assert_eq!(out, r"a\_b \[x\](y) \<script\> \| \#1 - 0.08");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("counterweight rank"), "```");
        assert_eq!(fence("a ```` b"), "`````");
    }
}
