//! A small context-free grammar, read from text files, that generates sentences.
//!
//! A file contains rules: `[name]`, then alternatives, one per line or separated by ` | `. In an
//! alternative, `{name}` is replaced by an expansion of that rule, and `{.name}` by one of the rule
//! `TOPIC.name` of the current topic. Lines that begin with `#` are comments.

use std::collections::HashMap;

use crate::stream::Stream;

/// Rules by name.
pub(crate) struct Grammar(HashMap<&'static str, Vec<&'static str>>);

impl Grammar {
    /// Parses rules. Alternatives before the first rule are ignored.
    pub(crate) fn parse(files: &[&'static str]) -> Self {
        let mut rules: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
        for file in files {
            let mut name = None;
            for line in file
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                if let Some(rule) = line
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'))
                {
                    name = Some(rule);
                } else if let Some(name) = name {
                    rules.entry(name).or_default().extend(line.split(" | "));
                }
            }
        }
        Self(rules)
    }

    /// The alternatives of a rule, or an empty slice for an unknown rule.
    pub(crate) fn alternatives(&self, rule: &str) -> &[&'static str] {
        self.0.get(rule).map_or(&[], Vec::as_slice)
    }

    /// Appends a random expansion of `rule`. An unknown rule appends nothing; a test checks that
    /// the grammar names none.
    pub(crate) fn expand(&self, rule: &str, topic: &str, stream: &mut Stream, out: &mut String) {
        let alternatives = self.alternatives(rule);
        if !alternatives.is_empty() {
            self.fill(stream.pick(alternatives), topic, stream, out);
        }
    }

    fn fill(&self, mut alternative: &str, topic: &str, stream: &mut Stream, out: &mut String) {
        while let Some((before, rest)) = alternative.split_once('{') {
            out.push_str(before);
            let (slot, after) = rest.split_once('}').unwrap_or((rest, ""));
            match slot.strip_prefix('.') {
                Some(of_topic) => self.expand(&format!("{topic}.{of_topic}"), topic, stream, out),
                None => self.expand(slot, topic, stream, out),
            }
            alternative = after;
        }
        out.push_str(alternative);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Purpose;
    use crate::text::{GRAMMAR, topics};

    #[test]
    fn every_slot_of_every_rule_has_a_rule_for_every_topic() {
        let grammar = &*GRAMMAR;
        for (rule, alternatives) in &grammar.0 {
            for alternative in alternatives {
                for slot in alternative.split('{').skip(1) {
                    let (slot, _) = slot.split_once('}').expect("slots are closed");
                    let names = match slot.strip_prefix('.') {
                        Some(of_topic) => topics()
                            .iter()
                            .map(|topic| format!("{topic}.{of_topic}"))
                            .collect(),
                        None => vec![slot.to_owned()],
                    };
                    for name in names {
                        assert!(
                            !grammar.alternatives(&name).is_empty(),
                            "[{rule}] uses {name}, which is not a rule"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_expansion_fills_slots_by_topic() {
        let grammar = Grammar::parse(&["# note\n[a]\nx {.b} {c}\n[t.b]\none\n[c]\ntwo | two"]);
        let mut out = String::new();
        grammar.expand("a", "t", &mut Stream::new(1, Purpose::Post, 0), &mut out);
        assert_eq!(out, "x one two");
    }
}
