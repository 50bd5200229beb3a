//! Labels of posts by raters and integrity systems: given to the rows that showed the post within a
//! stated period.

use std::collections::{HashMap, HashSet};

use crate::{
    error::JoinError,
    label::Label,
    rules::LabelRule,
    spill::{Bucket, Spill},
};

/// The labels of posts, by objective and candidate, ordered by time. All of a run's hours and of
/// their periods are in memory: people and audits make few of them.
#[derive(Default)]
pub(crate) struct Posts {
    labels: HashMap<String, HashMap<String, Vec<PostLabel>>>,
}

struct PostLabel {
    time_ms: i64,
    id: String,
    positive: bool,
    sampling_probability: f64,
}

impl Posts {
    pub(crate) fn read(spill: &mut Spill) -> Result<Self, JoinError> {
        let mut posts = Self::default();
        let mut ids = HashSet::new();
        for spilled in spill.read(Bucket::Posts)? {
            let event = spilled?.event;
            if !ids.insert(event.event_id.clone()) {
                continue;
            }
            let label = PostLabel {
                time_ms: event.time_ms,
                id: event.event_id,
                positive: event.value.is_some_and(|value| value > 0.5),
                sampling_probability: event.sampling_probability.unwrap_or(1.0),
            };
            let of_objective = posts.labels.entry(event.objective).or_default();
            of_objective
                .entry(event.candidate_id)
                .or_default()
                .push(label);
        }
        for labels in posts.labels.values_mut().flat_map(HashMap::values_mut) {
            labels.sort_by(|a, b| (a.time_ms, &a.id).cmp(&(b.time_ms, &b.id)));
        }
        Ok(posts)
    }

    /// The label of a candidate that was shown at `time_ms`: the latest one within the period before
    /// and after.
    pub(crate) fn label(
        &self,
        objective: &str,
        rule: &LabelRule,
        candidate: &str,
        time_ms: i64,
    ) -> Option<Label> {
        let period = rule.period_ms?;
        let labels = self.labels.get(objective)?.get(candidate)?;
        let mut latest_first = labels.iter().rev();
        let label = latest_first
            .find(|label| (time_ms - period..=time_ms + period).contains(&label.time_ms))?;
        Some(Label {
            positive: label.positive,
            time_ms: label.time_ms,
            delay_ms: None,
            sampling_probability: label.sampling_probability,
        })
    }
}
