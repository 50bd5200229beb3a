//! The labels of one candidate, from its events. The order in which events arrived has no influence.

use crate::rules::{Combine, LabelRule, SEEN};

/// Clocks may differ: an event up to so many milliseconds before its request counts as at it.
pub(crate) const EARLY_MS: i64 = 5 * 60 * 1000;

/// What the rules know of one event of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Happened {
    pub(crate) id: String,
    pub(crate) event_type: String,
    pub(crate) value: Option<f64>,
    pub(crate) time_ms: i64,
    pub(crate) received_ms: i64,
    pub(crate) position: Option<i32>,
}

/// A candidate of a ranking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// When the request was ranked.
    pub(crate) time_ms: i64,
    /// Its events, by time and then by id.
    pub(crate) events: &'a [Happened],
}

/// A label that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    pub(crate) positive: bool,
    /// When it became known.
    pub(crate) time_ms: i64,
    /// For a label that an event decided: milliseconds from the start of the window until that event
    /// arrived.
    pub(crate) delay_ms: Option<i64>,
    /// The probability with which a post was chosen to be labelled; 1 for labels of events.
    pub(crate) sampling_probability: f64,
}

impl Row<'_> {
    /// When the candidate was first seen.
    fn seen_ms(&self) -> Option<i64> {
        let mut seen = self.events.iter().filter(|event| event.event_type == SEEN);
        seen.next().map(|event| event.time_ms.max(self.time_ms))
    }

    /// Where the window of a rule begins; `None` while a row that must be seen is not.
    pub(crate) fn start_ms(&self, rule: &LabelRule) -> Option<i64> {
        match rule.seen {
            true => self
                .seen_ms()
                .filter(|&seen| seen <= self.time_ms + rule.window_ms),
            false => Some(self.time_ms),
        }
    }

    /// The label by a rule at the time `known_until_ms`, up to which all events have arrived. `None`
    /// where it is not known, and where the row does not count.
    pub(crate) fn label(&self, rule: &LabelRule, known_until_ms: i64) -> Option<Label> {
        let start = self.start_ms(rule)?;
        let end = start + rule.window_ms;
        let counts = |event: &&Happened| {
            (start - EARLY_MS..=end).contains(&event.time_ms)
                && rule.events.contains(&event.event_type)
        };
        let counted = self.events.iter().filter(counts);
        let decided = |event: &Happened| Label {
            positive: true,
            time_ms: event.time_ms.max(start),
            delay_ms: Some((event.received_ms - start).max(0)),
            sampling_probability: 1.0,
        };
        let at_end = |positive: bool| {
            (end <= known_until_ms).then_some(Label {
                positive,
                time_ms: end,
                delay_ms: None,
                sampling_probability: 1.0,
            })
        };
        let least = rule.at_least.unwrap_or(f64::NEG_INFINITY);
        let mut counted = counted.map(|event| (event, event.value.unwrap_or(1.0)));
        match rule.rule {
            // No later event can take these back.
            Combine::Any | Combine::Max => match counted.find(|(_, value)| *value >= least) {
                Some((event, _)) => Some(decided(event)),
                None => at_end(false),
            },
            Combine::Sum => {
                let (mut sum, mut reached, mut falls) = (0.0, None, false);
                for (event, value) in counted {
                    sum += value;
                    falls |= value < 0.0;
                    if sum >= least && reached.is_none() {
                        reached = Some(event);
                    }
                }
                match reached {
                    Some(event) if !falls => Some(decided(event)),
                    _ => at_end(sum >= least),
                }
            }
            Combine::Last => at_end(counted.last().is_some_and(|(_, value)| value >= least)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;

    fn rule(rule: Combine, at_least: Option<f64>, seen: bool) -> LabelRule {
        LabelRule {
            events: vec!["click".to_owned()],
            rule,
            at_least,
            window_ms: DAY,
            seen,
            period_ms: None,
        }
    }

    fn event(event_type: &str, time_ms: i64, value: Option<f64>) -> Happened {
        Happened {
            id: format!("{event_type}{time_ms}"),
            event_type: event_type.to_owned(),
            value,
            time_ms,
            received_ms: time_ms + 10,
            position: None,
        }
    }

    fn label(rule: &LabelRule, events: &[Happened], known: i64) -> Option<(bool, i64)> {
        let row = Row { time_ms: 0, events };
        row.label(rule, known)
            .map(|label| (label.positive, label.time_ms))
    }

    #[test]
    fn one_event_is_known_at_once_and_none_only_at_the_end() {
        let any = rule(Combine::Any, None, false);
        let click = [event("click", 5_000, None)];
        assert_eq!(label(&any, &click, 6_000), Some((true, 5_000)));
        assert_eq!(label(&any, &[], DAY - 1), None);
        assert_eq!(label(&any, &[], DAY), Some((false, DAY)));
        let late = [event("click", DAY + 1, None)];
        assert_eq!(label(&any, &late, DAY), Some((false, DAY)));
        let other = [event("share", 5_000, None)];
        assert_eq!(label(&any, &other, DAY), Some((false, DAY)));
        let early = [event("click", -1_000, None)];
        assert_eq!(label(&any, &early, 0), Some((true, 0)), "clocks differ");
        let before = [event("click", -EARLY_MS - 1, None)];
        assert_eq!(label(&any, &before, DAY), Some((false, DAY)));
    }

    #[test]
    fn sums_of_what_cannot_fall_are_known_when_they_are_reached() {
        let sum = rule(Combine::Sum, Some(30.0), false);
        let watch = |parts: &[(i64, f64)]| -> Vec<Happened> {
            let parts = parts.iter();
            parts
                .map(|&(time, value)| event("click", time, Some(value)))
                .collect()
        };
        let reached = watch(&[(1, 20.0), (2, 15.0), (3, 1.0)]);
        assert_eq!(label(&sum, &reached, 10), Some((true, 2)));
        let falls = watch(&[(1, 40.0), (2, -15.0)]);
        assert_eq!(label(&sum, &falls, 10), None);
        assert_eq!(label(&sum, &falls, DAY), Some((false, DAY)));
        let max = rule(Combine::Max, Some(30.0), false);
        assert_eq!(label(&max, &falls, 10), Some((true, 1)));
        let last = rule(Combine::Last, Some(0.0), false);
        assert_eq!(label(&last, &falls, DAY), Some((false, DAY)));
        assert_eq!(label(&last, &reached, DAY), Some((true, DAY)));
        assert_eq!(label(&last, &reached, 10), None);
        let count = rule(Combine::Sum, Some(2.0), false);
        let twice = [event("click", 1, None), event("click", 2, None)];
        assert_eq!(label(&count, &twice, 10), Some((true, 2)), "no value is 1");
    }

    #[test]
    fn a_row_that_must_be_seen_counts_from_then_on() {
        let seen = rule(Combine::Any, None, true);
        let click = event("click", DAY + 5_000, None);
        assert_eq!(label(&seen, std::slice::from_ref(&click), 3 * DAY), None);
        let events = [event("seen", 10_000, None), click];
        assert_eq!(label(&seen, &events, 0), Some((true, DAY + 5_000)));
        let unseen = [event("seen", DAY + 1, None)];
        assert_eq!(label(&seen, &unseen, 3 * DAY), None);
    }

    proptest! {
        // What is known stays as it is when more time passes.
        #[test]
        fn a_known_label_does_not_change(
            times in prop::collection::vec((0..2 * DAY, -5.0..5.0_f64), 0..8),
            combine in prop::sample::select(vec![Combine::Any, Combine::Sum, Combine::Max, Combine::Last]),
            earlier in 0..2 * DAY,
        ) {
            let rule = rule(combine, Some(3.0), false);
            let mut events: Vec<_> = times.iter().map(|&(t, v)| event("click", t, Some(v.abs()))).collect();
            events.sort_by_key(|event| event.time_ms);
            let known: Vec<_> = events.iter().filter(|event| event.time_ms <= earlier).cloned().collect();
            if let Some(then) = label(&rule, &known, earlier) {
                prop_assert_eq!(label(&rule, &events, 2 * DAY), Some(then));
            }
        }
    }
}
