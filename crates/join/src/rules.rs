//! How events become labels: the rules, and the file that states them.

use std::{collections::BTreeMap, path::Path};

use counterweight_config::{parse_duration, read_toml};
use serde::{Deserialize, Serialize};

use crate::error::JoinError;

/// The type of an event that says that a candidate was seen.
pub const SEEN: &str = "seen";

/// The most events of a unit on one day that are joined, unless the rules say otherwise.
const UNIT_EVENTS_PER_DAY: u64 = 10_000;
/// The longest window, period and grace: a year.
const LONGEST_MS: i64 = 366 * 24 * 3_600_000;

/// How events become labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Milliseconds after a request in which its events count, for objectives without a window of
    /// their own.
    pub window_ms: i64,
    /// Milliseconds that events may take to arrive after they happened. An hour is complete when its
    /// end, the longest window and this time have passed.
    pub grace_ms: i64,
    /// Whether events count as arrived when they happened: they were sent in one go, long after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backfill: bool,
    /// The most events of a unit on one UTC day that are joined.
    pub unit_events_per_day: u64,
    /// The rule of each objective. Empty: every objective of the log is labelled by the events whose
    /// type is its name.
    pub labels: BTreeMap<String, LabelRule>,
}

/// How the events of a candidate become the label of one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRule {
    /// The types of the events that count; empty for labels of posts.
    pub events: Vec<String>,
    /// How several events make one label.
    pub rule: Combine,
    /// The least value that makes the label 1. With `any`, events with less do not count.
    pub at_least: Option<f64>,
    /// Milliseconds in which events count.
    pub window_ms: i64,
    /// Whether a row counts only from its `seen` event on.
    pub seen: bool,
    /// For labels of posts: milliseconds before and after a request from which a label is taken.
    pub period_ms: Option<i64>,
}

/// How several events make one label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// One event is enough.
    Any,
    /// The sum of the values, in the order of their times.
    Sum,
    /// The largest value.
    Max,
    /// The latest value.
    Last,
}

/// The file of the rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    window: Option<String>,
    unit_events_per_day: Option<u64>,
    #[serde(default)]
    label: BTreeMap<String, LabelFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelFile {
    #[serde(default)]
    events: Vec<String>,
    rule: Option<Combine>,
    at_least: Option<f64>,
    window: Option<String>,
    #[serde(default)]
    seen: bool,
    #[serde(default)]
    posts: bool,
    period: Option<String>,
}

impl Rules {
    /// Every objective is labelled 1 by any event whose type is its name.
    #[must_use]
    pub fn by_name(window_ms: i64, grace_ms: i64) -> Self {
        Self {
            window_ms,
            grace_ms,
            backfill: false,
            unit_events_per_day: UNIT_EVENTS_PER_DAY,
            labels: BTreeMap::new(),
        }
    }

    /// Reads a file of rules. `window_ms` holds where neither the file nor an objective has a window.
    ///
    /// # Errors
    /// [`JoinError::Config`] and [`JoinError::Rule`].
    pub fn read(path: &Path, window_ms: i64, grace_ms: i64) -> Result<Self, JoinError> {
        let file: RulesFile = read_toml(path)?;
        let origin = path.display().to_string();
        let wrong = |element: &str, problem: String| JoinError::Rule {
            origin: origin.clone(),
            element: element.to_owned(),
            problem,
        };
        let window_ms = match &file.window {
            Some(text) => parse_span(text).map_err(|problem| wrong("window", problem))?,
            None => window_ms,
        };
        let mut rules = Self {
            window_ms,
            unit_events_per_day: file.unit_events_per_day.unwrap_or(UNIT_EVENTS_PER_DAY),
            ..Self::by_name(window_ms, grace_ms)
        };
        if file.label.is_empty() {
            return Err(wrong(
                "label",
                "there is no rule; write [label.OBJECTIVE] with events = [\"TYPE\"]".to_owned(),
            ));
        }
        for (objective, label) in file.label {
            let element = format!("label.{objective}");
            let rule = label.check(window_ms);
            let rule =
                rule.map_err(|(key, problem)| wrong(&format!("{element}.{key}"), problem))?;
            rules.labels.insert(objective, rule);
        }
        Ok(rules)
    }

    /// The rules of the objectives of a log, by name.
    #[must_use]
    pub fn for_objectives(&self, objectives: &[String]) -> BTreeMap<String, LabelRule> {
        if !self.labels.is_empty() {
            return self.labels.clone();
        }
        let rule = |name: &String| LabelRule {
            events: vec![name.clone()],
            rule: Combine::Any,
            at_least: None,
            window_ms: self.window_ms,
            seen: false,
            period_ms: None,
        };
        objectives
            .iter()
            .map(|name| (name.clone(), rule(name)))
            .collect()
    }

    /// Milliseconds after the end of an hour until its last label is known, arrival included.
    #[must_use]
    pub fn open_ms(&self) -> i64 {
        self.longest_ms() + self.grace_ms
    }

    /// The longest time after a request at which an event can count. A row that must be seen first
    /// may be seen at the end of its window, and has the window again from then on.
    pub(crate) fn longest_ms(&self) -> i64 {
        let rules = self.labels.values();
        let each = rules.map(|rule| match (rule.period_ms, rule.seen) {
            (Some(period), _) => period,
            (None, true) => 2 * rule.window_ms,
            (None, false) => rule.window_ms,
        });
        each.fold(self.window_ms, i64::max)
    }

    /// The longest period of labels of posts.
    pub(crate) fn post_period_ms(&self) -> Option<i64> {
        let rules = self.labels.values();
        rules.filter_map(|rule| rule.period_ms).max()
    }
}

impl LabelFile {
    /// The rule, or the wrong key and what is wrong with it.
    fn check(self, window_ms: i64) -> Result<LabelRule, (&'static str, String)> {
        let text = |problem: &str| problem.to_owned();
        let window_ms = match &self.window {
            Some(text) => parse_span(text).map_err(|problem| ("window", problem))?,
            None => window_ms,
        };
        let period = self.period.as_deref();
        let period_ms = match (self.posts, period) {
            (true, period) => Some(parse_span(period.unwrap_or("7d")).map_err(|p| ("period", p))?),
            (false, Some(_)) => {
                return Err(("period", text("is for labels of posts; add posts = true")));
            }
            (false, None) => None,
        };
        let rule = self.rule.unwrap_or(Combine::Any);
        if self.posts && (!self.events.is_empty() || self.seen || self.rule.is_some()) {
            let problem = "labels of posts are not made of events; leave out events, rule and seen";
            return Err(("posts", text(problem)));
        }
        if !self.posts && self.events.is_empty() {
            let problem = "name the types of events that count, or write posts = true";
            return Err(("events", text(problem)));
        }
        match self.at_least {
            Some(least) if !least.is_finite() => {
                return Err(("at_least", text("is not finite; write a finite number")));
            }
            None if rule != Combine::Any => {
                let problem = "is missing; write the least value that makes the label 1";
                return Err(("at_least", text(problem)));
            }
            _ => {}
        }
        Ok(LabelRule {
            events: self.events,
            rule,
            at_least: self.at_least,
            window_ms,
            seen: self.seen,
            period_ms,
        })
    }
}

/// The milliseconds of a window, a period or a grace, such as `24h`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_span(text: &str) -> Result<i64, String> {
    let duration = parse_duration(text)?;
    i64::try_from(duration.as_millis())
        .ok()
        .filter(|millis| (1..=LONGEST_MS).contains(millis))
        .ok_or_else(|| format!("{text:?} is not from 1ms to 366d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.toml");
        std::fs::write(&path, text).unwrap();
        Rules::read(&path, 1_000, 500).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_states_the_rule_of_each_objective() {
        let rules = read(
            "window = \"2h\"\n\
             [label.engagement]\nevents = [\"click\", \"share\"]\n\
             [label.watched]\nevents = [\"watch\"]\nrule = \"sum\"\nat_least = 30\nwindow = \"1d\"\nseen = true\n\
             [label.bait]\nposts = true\n",
        )
        .unwrap();
        let engagement = &rules.labels["engagement"];
        assert_eq!(engagement.rule, Combine::Any);
        assert_eq!(engagement.window_ms, 7_200_000);
        assert_eq!(rules.labels["watched"].at_least, Some(30.0));
        assert_eq!(rules.labels["bait"].period_ms, Some(7 * 86_400_000));
        assert_eq!(rules.open_ms(), 7 * 86_400_000 + 500);
    }

    #[test]
    fn without_a_file_events_are_named_as_objectives() {
        let rules = Rules::by_name(1_000, 0).for_objectives(&["a".to_owned()]);
        assert_eq!(rules["a"].events, ["a"]);
    }

    #[test]
    fn wrong_rules_name_their_key() {
        for (text, key) in [
            ("", "label"),
            ("[label.a]", "label.a.events"),
            (
                "[label.a]\nevents = [\"x\"]\nrule = \"sum\"",
                "label.a.at_least",
            ),
            (
                "[label.a]\nevents = [\"x\"]\nat_least = nan",
                "label.a.at_least",
            ),
            (
                "[label.a]\nevents = [\"x\"]\nwindow = \"0s\"",
                "label.a.window",
            ),
            (
                "[label.a]\nevents = [\"x\"]\nwindow = \"9999d\"",
                "label.a.window",
            ),
            (
                "[label.a]\nevents = [\"x\"]\nperiod = \"1d\"",
                "label.a.period",
            ),
            ("[label.a]\nevents = [\"x\"]\nposts = true", "label.a.posts"),
            ("[label.a]\nevent = [\"x\"]", "events"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
