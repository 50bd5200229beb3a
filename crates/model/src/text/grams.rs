//! Cuts a text into n-grams and hashes each distinct one once, without allocating per n-gram.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::table::hash;

/// Which pieces of a text are n-grams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GramKind {
    /// One or two words in sequence. A word is at least two letters, digits or underscores in lower case.
    Words,
    /// Three to five characters inside one blank-separated piece in lower case, with a blank at either end of it.
    Characters,
}

impl GramKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Characters => "characters",
        }
    }
}

/// The text at hand in lower case, and buffers that live from text to text.
#[derive(Default)]
pub(crate) struct GramBuffer {
    lower: String,
    /// Pieces of `lower`, with one blank between.
    pieces: String,
    spans: Vec<Range<usize>>,
    boundaries: Vec<usize>,
    distinct: Distinct,
}

impl GramBuffer {
    /// Takes up a text.
    pub(super) fn read(&mut self, text: &str) {
        self.lower.clear();
        if text.is_ascii() {
            self.lower.push_str(text);
            self.lower.make_ascii_lowercase();
        } else {
            self.lower.extend(text.chars().flat_map(char::to_lowercase));
        }
    }

    /// The text in lower case.
    pub(super) fn lower(&self) -> &str {
        &self.lower
    }

    /// Hashes of the distinct n-grams of the text, in the order of their first occurrence.
    pub(super) fn distinct(&mut self, kind: GramKind) -> &[u64] {
        self.pieces.clear();
        self.spans.clear();
        match kind {
            GramKind::Words => self.words(),
            GramKind::Characters => self.characters(),
        }
        &self.distinct.found
    }

    fn words(&mut self) {
        for word in words(&self.lower).filter(|word| word.chars().nth(1).is_some()) {
            let start = self.pieces.len();
            self.pieces.push_str(word);
            self.spans.push(start..self.pieces.len());
            self.pieces.push(' ');
        }
        self.distinct.start(2 * self.spans.len());
        let bytes = self.pieces.as_bytes();
        for span in &self.spans {
            self.distinct.insert(hash(&bytes[span.clone()]));
        }
        for pair in self.spans.windows(2) {
            self.distinct
                .insert(hash(&bytes[pair[0].start..pair[1].end]));
        }
    }

    fn characters(&mut self) {
        self.pieces.push(' ');
        for piece in self.lower.split_whitespace() {
            let start = self.pieces.len() - 1;
            self.pieces.push_str(piece);
            self.pieces.push(' ');
            self.spans.push(start..self.pieces.len());
        }
        self.distinct
            .start(3 * (self.pieces.len() + self.spans.len()));
        for span in &self.spans {
            self.boundaries.clear();
            let piece = &self.pieces[span.clone()];
            if piece.is_ascii() {
                self.boundaries.extend(0..=piece.len());
            } else {
                self.boundaries
                    .extend(piece.char_indices().map(|(at, _)| at));
                self.boundaries.push(piece.len());
            }
            let characters = self.boundaries.len() - 1;
            for n in 3..=5 {
                if characters <= n {
                    // A piece no longer than that is one n-gram, and there are no longer ones.
                    self.distinct.insert(hash(piece.as_bytes()));
                    break;
                }
                for window in self.boundaries.windows(n + 1) {
                    self.distinct
                        .insert(hash(&piece.as_bytes()[window[0]..window[n]]));
                }
            }
        }
    }
}

/// Runs of letters, digits and underscores.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// A set of hashes that is emptied in no time: a slot counts only if it bears the current generation.
#[derive(Default)]
struct Distinct {
    slots: Vec<(u64, u32)>,
    generation: u32,
    found: Vec<u64>,
}

impl Distinct {
    /// Empties the set and makes room for `at_most` hashes.
    fn start(&mut self, at_most: usize) {
        self.found.clear();
        let size = (2 * at_most).next_power_of_two().max(64);
        if self.slots.len() < size || self.generation == u32::MAX {
            self.slots = vec![(0, 0); size.max(self.slots.len())];
            self.generation = 0;
        }
        self.generation += 1;
    }

    #[inline]
    fn insert(&mut self, hash: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.1 != self.generation {
                *slot = (hash, self.generation);
                self.found.push(hash);
                return;
            }
            if slot.0 == hash {
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(grams: &[&str]) -> Vec<u64> {
        grams.iter().map(|gram| hash(gram.as_bytes())).collect()
    }

    fn grams(kind: GramKind, text: &str) -> Vec<u64> {
        let mut buffer = GramBuffer::default();
        buffer.read(text);
        buffer.distinct(kind).to_vec()
    }

    #[test]
    fn words_are_those_of_two_characters_and_pairs_skip_the_rest() {
        let expected = [
            "you",
            "won",
            "believe",
            "it_3",
            "you won",
            "won believe",
            "believe it_3",
        ];
        assert_eq!(
            grams(GramKind::Words, "You won't believe, IT_3!"),
            hashes(&expected)
        );
        assert_eq!(grams(GramKind::Words, "no No NO"), hashes(&["no", "no no"]));
        assert!(grams(GramKind::Words, "a b ! ").is_empty());
    }

    #[test]
    fn characters_are_those_that_scikit_learn_cuts_inside_words() {
        // CountVectorizer(analyzer="char_wb", ngram_range=(3, 5)) on "Ab xyz!", in order of first occurrence.
        let expected = [
            " ab", "ab ", " ab ", " xy", "xyz", "yz!", "z! ", " xyz", "xyz!", "yz! ", " xyz!",
            "xyz! ",
        ];
        assert_eq!(grams(GramKind::Characters, "Ab  xyz!"), hashes(&expected));
        assert_eq!(grams(GramKind::Characters, "a"), hashes(&[" a "]));
    }

    #[test]
    fn characters_of_many_bytes_are_whole() {
        assert_eq!(
            grams(GramKind::Characters, "ÄÖ"),
            hashes(&[" äö", "äö ", " äö "])
        );
        assert_eq!(
            grams(GramKind::Characters, "Ж🙂"),
            hashes(&[" ж🙂", "ж🙂 ", " ж🙂 "])
        );
    }

    #[test]
    fn a_buffer_forgets_the_text_before() {
        let mut buffer = GramBuffer::default();
        buffer.read(&"a long text with many words ".repeat(200));
        let many = buffer.distinct(GramKind::Characters).len();
        buffer.read("word");
        assert_eq!(buffer.distinct(GramKind::Words), hashes(&["word"]));
        buffer.read(&"a long text with many words ".repeat(200));
        assert_eq!(buffer.distinct(GramKind::Characters).len(), many);
    }
}
