//! The shape of a word, independent of its letters. Headlines in capitals or with numbers differ
//! from sentences in their shapes alone.

/// A byte for the shape of a token, which does not occur in UTF-8. `None` for a token that is not a
/// word; such a token is used itself in place of a shape.
pub(super) fn shape(token: &str) -> Option<u8> {
    let first = token.chars().next()?;
    let (length, mut all_digits, mut upper, mut lower) = (token.chars().count(), true, 0, 0);
    for c in token.chars() {
        all_digits &= c.is_numeric();
        upper += usize::from(c.is_uppercase());
        lower += usize::from(c.is_lowercase());
    }
    Some(match () {
        () if all_digits && length < 3 => 0xf5,
        () if all_digits => 0xf6,
        () if upper > 0 && lower == 0 && length == 1 => 0xf7,
        () if upper > 0 && lower == 0 => 0xf8,
        () if first.is_uppercase() => 0xf9,
        () if lower > 0 && upper == 0 => 0xfa,
        () if first.is_alphanumeric() || first == '_' => 0xfb,
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fall_into_seven_shapes() {
        let alike = [
            &["7", "42"][..],
            &["365", "2024"],
            &["I", "Ж"],
            &["TEN", "X_1", "ÉTÉ"],
            &["Ten", "McX", "Über"],
            &["ten", "x_1", "straße"],
            &["iPhone", "_", "日本"],
        ];
        for (at, tokens) in alike.iter().enumerate() {
            tokens
                .iter()
                .for_each(|token| assert_eq!(shape(token), Some(0xf5 + at as u8), "{token}"));
        }
        ["!", "—", "🙂"]
            .into_iter()
            .for_each(|token| assert_eq!(shape(token), None));
    }
}
