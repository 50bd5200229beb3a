//! Cuts a text into n-grams of several kinds and hashes each distinct n-gram, without an allocation
//! per n-gram.

use serde::{Deserialize, Serialize};

use super::shape::shape;
use crate::encoder::table::hash;

/// A kind of n-grams: which pieces of a text they are.
///
/// A *token* is a run of letters, digits and underscores, or any other single character that is not
/// blank. The start and the end of the text are tokens too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GramKind {
    /// One or two tokens in sequence, in lower case.
    Words,
    /// Three to five characters in sequence, also across words, with their case; blanks in a row
    /// count as one.
    CasedCharacters,
    /// The shapes of one to five tokens in sequence.
    Shapes,
}

impl GramKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Words, Self::CasedCharacters, Self::Shapes];

    /// A number that makes the hashes of equal strings of different kinds differ; it is arbitrary.
    fn seed(self) -> u64 {
        match self {
            Self::Words => 0x9e37_79b9_7f4a_7c15,
            Self::CasedCharacters => 0x94d0_49bb_1331_11eb,
            Self::Shapes => 0x2545_f491_4f6c_dd1d,
        }
    }
}

/// Tokens for the start and the end of a text: bytes that do not occur in UTF-8.
const START: u8 = 0xfe;
const END: u8 = 0xff;

/// The n-grams of one text, with buffers that are reused for the next text.
#[derive(Default)]
pub struct GramBuffer {
    lower: String,
    found: [Distinct; GramKind::ALL.len()],
    pieces: Pieces,
}

impl GramBuffer {
    /// Finds the distinct n-grams of the given kinds in a text. They replace those of the previous
    /// text.
    pub fn read(&mut self, text: &str, kinds: &[GramKind]) {
        self.lower.clear();
        if text.is_ascii() {
            self.lower.push_str(text);
            self.lower.make_ascii_lowercase();
        } else {
            self.lower.extend(text.chars().flat_map(char::to_lowercase));
        }
        for kind in kinds {
            let (found, pieces) = (&mut self.found[*kind as usize], &mut self.pieces);
            found.seed = kind.seed();
            match kind {
                GramKind::Words => pieces.words(&self.lower, found),
                GramKind::CasedCharacters => pieces.cased_characters(text, found),
                GramKind::Shapes => pieces.shapes(text, found),
            }
        }
    }

    /// The text in lower case.
    pub(super) fn lower(&self) -> &str {
        &self.lower
    }

    /// Hashes of the distinct n-grams of the text, in the order of their first occurrence. They
    /// belong to the current text only if [`read`](Self::read) was called with this kind.
    #[must_use]
    pub fn grams(&self, kind: GramKind) -> &[u64] {
        &self.found[kind as usize].found
    }
}

/// The words of a text: runs of letters, digits and underscores.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_word(c))
        .filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Calls `visit` with every token of a text, except for the tokens of the start and the end.
fn for_each_token<'t>(text: &'t str, mut visit: impl FnMut(&'t str)) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(end);
        if !first.is_whitespace() {
            visit(token);
        }
        rest = after;
    }
}

/// A copy of the text in which every n-gram is a contiguous range of bytes, which can be hashed in
/// place.
#[derive(Default)]
struct Pieces {
    bytes: Vec<u8>,
    /// Start and end of tokens, or of characters.
    spans: Vec<(usize, usize)>,
}

impl Pieces {
    fn start(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    fn token(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.spans.push((start, self.bytes.len()));
        self.bytes.push(b' ');
    }

    /// Inserts all sequences of `n` spans.
    fn sequences(&self, spans: &[(usize, usize)], n: usize, found: &mut Distinct) {
        for window in spans.windows(n) {
            found.insert(&self.bytes[window[0].0..window[n - 1].1]);
        }
    }

    fn words(&mut self, lower: &str, found: &mut Distinct) {
        self.start();
        self.token(&[START]);
        for_each_token(lower, |token| self.token(token.as_bytes()));
        self.token(&[END]);
        found.start(2 * self.spans.len());
        (1..=2).for_each(|n| self.sequences(&self.spans, n, found));
    }

    fn shapes(&mut self, text: &str, found: &mut Distinct) {
        self.start();
        self.token(&[START]);
        for_each_token(text, |token| match shape(token) {
            Some(shape) => self.token(&[shape]),
            None => self.token(token.as_bytes()),
        });
        self.token(&[END]);
        found.start(5 * self.spans.len());
        (1..=5).for_each(|n| self.sequences(&self.spans, n, found));
    }

    fn cased_characters(&mut self, text: &str, found: &mut Distinct) {
        self.start();
        self.bytes.push(b' ');
        self.spans.push((0, 1));
        for piece in text.split_whitespace() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(piece.as_bytes());
            self.spans.extend(
                piece
                    .char_indices()
                    .map(|(at, c)| (start + at, start + at + c.len_utf8())),
            );
            self.bytes.push(b' ');
            self.spans.push((self.bytes.len() - 1, self.bytes.len()));
        }
        found.start(3 * self.spans.len());
        (3..=5).for_each(|n| self.sequences(&self.spans, n, found));
    }
}

/// A set of hashes that can be emptied in constant time: a slot counts as used only if it has the
/// current generation.
#[derive(Default)]
struct Distinct {
    seed: u64,
    slots: Vec<(u64, u32)>,
    generation: u32,
    found: Vec<u64>,
}

impl Distinct {
    /// Empties the set and makes room for `at_most` hashes.
    fn start(&mut self, at_most: usize) {
        self.found.clear();
        let size = (2 * at_most).next_power_of_two().max(64);
        // The slots are cleared before the generation would overflow: a slot of an old generation
        // would otherwise count as used again.
        if self.slots.len() < size || self.generation == u32::MAX {
            self.slots = vec![(0, 0); size.max(self.slots.len())];
            self.generation = 0;
        }
        self.generation += 1;
    }

    /// Adds the hash of an n-gram unless the set contains it.
    #[inline]
    fn insert(&mut self, gram: &[u8]) {
        let hash = hash(gram) ^ self.seed;
        let mask = self.slots.len() - 1;
        let mut index = hash as usize & mask;
        // At most half of the slots are used, so the search reaches a free one.
        loop {
            let slot = &mut self.slots[index];
            if slot.1 != self.generation {
                *slot = (hash, self.generation);
                self.found.push(hash);
                return;
            }
            if slot.0 == hash {
                return;
            }
            index = (index + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(kind: GramKind, grams: &[&[u8]]) -> Vec<u64> {
        grams.iter().map(|gram| hash(gram) ^ kind.seed()).collect()
    }

    fn grams(kind: GramKind, text: &str) -> Vec<u64> {
        let mut buffer = GramBuffer::default();
        buffer.read(text, &[kind]);
        buffer.grams(kind).to_vec()
    }

    #[test]
    fn words_are_tokens_and_pairs_with_marks_at_the_ends() {
        let kind = GramKind::Words;
        let expected: [&[u8]; 9] = [
            b"\xfe", b"i", b"won_7", b"!", b"\xff", b"\xfe i", b"i won_7", b"won_7 !", b"! \xff",
        ];
        assert_eq!(grams(kind, " I  WON_7!"), hashes(kind, &expected));
        assert_eq!(
            grams(kind, "a a"),
            hashes(
                kind,
                &[b"\xfe", b"a", b"\xff", b"\xfe a", b"a a", b"a \xff"]
            )
        );
        assert_eq!(
            grams(kind, " "),
            hashes(kind, &[b"\xfe", b"\xff", b"\xfe \xff"])
        );
    }

    #[test]
    fn cased_characters_cross_words_and_keep_their_case() {
        let kind = GramKind::CasedCharacters;
        let expected = [" É ", "É b", " b ", " É b", "É b ", " É b "];
        assert_eq!(
            grams(kind, "\tÉ \n b"),
            hashes(kind, &expected.map(str::as_bytes))
        );
    }

    #[test]
    fn shapes_come_in_sequences_up_to_five() {
        let kind = GramKind::Shapes;
        let (upper, lower) = (shape("TEN").unwrap(), shape("ways").unwrap());
        let found = grams(kind, "TEN ways?");
        assert_eq!(found.len(), 5 + 4 + 3 + 2 + 1);
        assert_eq!(
            found[..4],
            hashes(kind, &[&[START], &[upper], &[lower], b"?"])
        );
        assert_eq!(
            found[14],
            hashes(
                kind,
                &[&[START, b' ', upper, b' ', lower, b' ', b'?', b' ', END]]
            )[0]
        );
    }

    #[test]
    fn a_buffer_forgets_the_previous_text() {
        let (mut buffer, kinds) = (GramBuffer::default(), GramKind::ALL);
        let long = "a long text with many words ".repeat(200);
        buffer.read(&long, &kinds);
        let many = buffer.grams(GramKind::CasedCharacters).to_vec();
        buffer.read("word", &kinds);
        assert_eq!(
            buffer.grams(GramKind::Words),
            grams(GramKind::Words, "word")
        );
        buffer.read(&long, &kinds);
        assert_eq!(buffer.grams(GramKind::CasedCharacters), many);
    }
}
