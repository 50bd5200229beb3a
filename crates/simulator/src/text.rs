//! The text of a post: honest, or bait of one of five kinds and three degrees, with the noise of
//! human writing.

use std::sync::LazyLock;

use crate::grammar::Grammar;
use crate::stream::Stream;

/// The kind of bait of a post. Its name is in the truth file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    None,
    Vote,
    React,
    Share,
    Tag,
    Comment,
}

impl Category {
    pub(crate) const BAITS: [Self; 5] = [
        Self::Vote,
        Self::React,
        Self::Share,
        Self::Tag,
        Self::Comment,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Vote => "vote",
            Self::React => "react",
            Self::Share => "share",
            Self::Tag => "tag",
            Self::Comment => "comment",
        }
    }
}

/// The text of a post and the strength of its bait.
#[derive(Clone, Debug)]
pub(crate) struct Wording {
    pub(crate) text: String,
    pub(crate) category: Category,
    /// Strength of the bait in the wording, in [0, 1].
    pub(crate) strength: f64,
}

/// (rule, share of honest posts, strength). Readers sometimes mistake a question or a look-alike
/// for bait, so these have a small strength.
const HONEST: [(&str, f64, f64); 5] = [
    ("honest.plain", 0.34, 0.0),
    ("honest.story", 0.25, 0.0),
    ("honest.notice", 0.13, 0.0),
    ("honest.question", 0.14, 0.1),
    ("honest.lookalike", 0.14, 0.05),
];
/// (name, share of baiting posts, strength).
const DEGREES: [(&str, f64, f64); 3] = [
    ("blatant", 0.45, 1.0),
    ("plain", 0.38, 0.8),
    ("subtle", 0.17, 0.5),
];

/// The grammar of all posts.
pub(crate) static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    Grammar::parse(&[
        include_str!("../grammar/topics.txt"),
        include_str!("../grammar/honest.txt"),
        include_str!("../grammar/bait.txt"),
    ])
});

/// The names of the topics.
pub(crate) fn topics() -> &'static [&'static str] {
    GRAMMAR.alternatives("topics")
}

/// Writes an honest post.
pub(crate) fn honest(topic: &str, stream: &mut Stream) -> Wording {
    let (rule, _, strength) = HONEST[stream.weighted(HONEST.iter().map(|h| h.1))];
    let mut text = String::new();
    GRAMMAR.expand(rule, topic, stream, &mut text);
    Wording {
        text: noisy(&text, 0.05, 0.12, stream),
        category: Category::None,
        strength,
    }
}

/// Writes a baiting post: only the bait, or the bait before or after a sentence about the topic.
pub(crate) fn bait(topic: &str, stream: &mut Stream) -> Wording {
    let category = stream.pick(&Category::BAITS);
    let (degree, _, strength) = DEGREES[stream.weighted(DEGREES.iter().map(|d| d.1))];
    let call = format!("{}.{degree}", category.name());
    let mut text = String::new();
    let shape = stream.unit();
    if shape < 0.35 {
        GRAMMAR.expand("honest.plain", topic, stream, &mut text);
        text.push(' ');
        GRAMMAR.expand(&call, topic, stream, &mut text);
    } else {
        GRAMMAR.expand(&call, topic, stream, &mut text);
        if shape < 0.55 {
            text.push(' ');
            GRAMMAR.expand("honest.plain", topic, stream, &mut text);
        }
    }
    Wording {
        text: noisy(&text, 0.25, 0.4, stream),
        category,
        strength,
    }
}

/// Applies sentence case and then human noise: words in capitals, emoji and exclamation marks, all
/// lower case, typing errors.
fn noisy(text: &str, shouting: f64, excited: f64, stream: &mut Stream) -> String {
    let mut text = sentence_case(text);
    if stream.chance(shouting) {
        text = shout_a_word(&text, stream);
    }
    if stream.chance(excited) {
        let ending = stream.pick(&["!!", " 😊", " 🙏", " ✨", "!", " 😅", " 🎉", " 👇"]);
        if ending.starts_with('!') && text.ends_with('.') {
            text.pop();
        }
        text.push_str(ending);
    }
    if stream.chance(0.08) {
        text = text.to_lowercase();
    }
    if stream.chance(0.08) {
        text = add_typo(&text, stream);
    }
    text
}

fn sentence_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start && c.is_alphabetic() {
            out.extend(c.to_uppercase());
            start = false;
        } else {
            start = (start && !c.is_numeric()) || matches!(c, '.' | '!' | '?');
            out.push(c);
        }
    }
    out
}

fn shout_a_word(text: &str, stream: &mut Stream) -> String {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let index = stream.below(words.len() as u64) as usize;
    words[index] = words[index].to_uppercase();
    words.join(" ")
}

/// Swaps two neighbouring letters, unless the drawn position has other characters.
fn add_typo(text: &str, stream: &mut Stream) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let first = stream.below(letters.len().max(2) as u64 - 1) as usize;
    let second = first + 1;
    if second < letters.len() && letters[first].is_alphabetic() && letters[second].is_alphabetic() {
        letters.swap(first, second);
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::stream::Purpose;

    #[test]
    fn texts_vary_and_leave_no_slot_open() {
        let mut stream = Stream::new(7, Purpose::Post, 0);
        let mut seen = HashSet::new();
        for i in 0..4_000 {
            let topic = stream.pick(topics());
            let wording = if i % 2 == 0 {
                honest(topic, &mut stream)
            } else {
                bait(topic, &mut stream)
            };
            assert!(
                !wording.text.contains(['{', '}', '[', ']']),
                "{}",
                wording.text
            );
            assert!(
                !wording.text.contains("  ") && wording.text.len() > 5,
                "{}",
                wording.text
            );
            seen.insert(wording.text);
        }
        assert!(
            seen.len() > 3_700,
            "only {} different texts of 4000",
            seen.len()
        );
    }

    #[test]
    fn every_kind_and_degree_of_bait_has_at_least_five_wordings() {
        for category in Category::BAITS {
            for (degree, ..) in DEGREES {
                let rule = format!("{}.{degree}", category.name());
                assert!(GRAMMAR.alternatives(&rule).len() >= 5, "{rule}");
            }
        }
    }

    #[test]
    fn sentences_start_with_a_capital() {
        assert_eq!(
            sentence_case("one two. three? 4 go"),
            "One two. Three? 4 go"
        );
    }
}
