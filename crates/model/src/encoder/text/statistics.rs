//! Plain statistics of a text, such as its length.

use super::grams::{GramBuffer, words};

/// Names of the statistics, in the order in which [`statistics`] returns them.
pub const STATISTICS: [&str; 10] = [
    "length",
    "words",
    "capitals",
    "digits",
    "leading digit",
    "exclamation marks",
    "question marks",
    "quotation marks",
    "ellipses",
    "you and this",
];

/// The statistics of `text`, one number per name in [`STATISTICS`]. `buffer` must have read the
/// same text.
#[must_use]
pub fn statistics(text: &str, buffer: &GramBuffer) -> [f64; STATISTICS.len()] {
    let (mut length, mut letters, mut capitals, mut digits) = (0_u32, 0_u32, 0_u32, 0_u32);
    let (mut exclamations, mut questions, mut quotes, mut ellipses) = (0_u32, 0_u32, 0_u32, 0_u32);
    for c in text.chars() {
        length += 1;
        letters += u32::from(c.is_alphabetic());
        capitals += u32::from(c.is_uppercase());
        digits += u32::from(c.is_numeric());
        exclamations += u32::from(matches!(c, '!' | '！'));
        questions += u32::from(matches!(c, '?' | '？'));
        quotes += u32::from(matches!(c, '"' | '“' | '”' | '„' | '«' | '»'));
        ellipses += u32::from(c == '…');
    }
    ellipses += text.matches("...").count() as u32;
    let leading = text.trim_start().starts_with(|c: char| c.is_numeric());
    let addressing = words(buffer.lower())
        .filter(|word| matches!(*word, "you" | "your" | "this" | "these"))
        .count();
    let share = f64::from(capitals) / f64::from(letters.max(1));
    let count = f64::from;
    [
        count(length),
        text.split_whitespace().count() as f64,
        share,
        count(digits),
        f64::from(u8::from(leading)),
        count(exclamations),
        count(questions),
        count(quotes),
        count(ellipses),
        addressing as f64,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(text: &str) -> [f64; STATISTICS.len()] {
        let mut buffer = GramBuffer::default();
        buffer.read(text, &[]);
        statistics(text, &buffer)
    }

    #[test]
    fn counts_what_its_names_say() {
        assert_eq!(
            measure(r#" 10 THINGS "You" & your… did?!! this..."#),
            [39.0, 7.0, 0.35, 2.0, 1.0, 2.0, 1.0, 2.0, 2.0, 3.0]
        );
        assert_eq!(
            measure("!"),
            [1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
        );
    }
}
