//! `weights segment`: sets, removes and lists segments, whose requests get their own weights.

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Condition, ProfileChange, ProfileWeights, Segment as Rule, SegmentList,
};
use serde_json::json;

use super::{
    audience_text::{conditions_text, replaced_weights},
    change::{ChangeFlags, Changed},
    session::{ProfileFilter, lists_json, resolve_weights},
};
use crate::{
    condition::{merge_ranges, parse_condition},
    number::parse_weight,
    output::{Output, table},
    usage::{WrongUse, position},
};

/// Give some requests their own weights.
#[derive(Subcommand)]
pub(crate) enum Segment {
    /// Add a segment, or replace the segment of this name.
    Set(Set),
    /// Remove a segment.
    Remove(Remove),
    /// List the segments in their order; the first that matches applies.
    List(List),
}

/// Add a segment, or replace the segment of this name.
#[derive(Args)]
pub(crate) struct Set {
    /// The name of the segment: at most 64 letters, digits, `_`, `-` and `.`.
    name: String,
    /// A condition on the request: user_country=DE,AT (any of these), user_sessions_7d>=5,
    /// user_sessions_7d<20. If it is given several times, all conditions must be true. A value in
    /// digits is a number, true and false are 1 and 0, and "1" in double quotes is text.
    #[arg(long, required = true, value_name = "CONDITION", value_parser = parse_condition)]
    when: Vec<Condition>,
    /// Weights that replace those of the profile, as OBJECTIVE=WEIGHT. A segment without weights
    /// can limit an experiment.
    #[arg(value_name = "OBJECTIVE=WEIGHT", value_parser = parse_weight)]
    weights: Vec<(String, f64)>,
    /// Place it before this segment; the first that matches applies [default: a new segment is
    /// last].
    #[arg(long, value_name = "OTHER", conflicts_with = "first")]
    before: Option<String>,
    /// Place it before all other segments.
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Remove a segment.
#[derive(Args)]
pub(crate) struct Remove {
    /// The name of the segment.
    name: String,
    #[command(flatten)]
    change: ChangeFlags,
}

/// List the segments in their order; the first that matches applies.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: ProfileFilter,
}

impl Segment {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Set(set) => set.run(output).await,
            Self::Remove(remove) => remove.run(output).await,
            Self::List(list) => list.run(output).await,
        }
    }
}

impl Set {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let conditions = merge_ranges(&self.when)?;
        let command = json!([
            "segment set",
            self.name,
            conditions_text(&conditions),
            self.weights,
            self.before,
            self.first
        ]);
        let build = |before: &ProfileWeights| {
            let rule = Rule {
                weights: resolve_weights(&self.weights, before)?,
                name: self.name.clone(),
                conditions,
            };
            let mut segments = before.segments.clone();
            place(&mut segments, rule, self.before.as_deref(), self.first)?;
            Ok(replace_segments(segments))
        };
        let describe = |changed: &Changed| {
            let segments = &changed.after.segments;
            let position = find(segments, &self.name)?;
            let words = format!(
                "segment {}, number {} of {}: {} → {}",
                self.name,
                position + 1,
                segments.len(),
                conditions_text(&segments[position].conditions),
                replaced_weights(&segments[position].weights, &changed.after)
            );
            Ok((words, json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }
}

impl Remove {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["segment remove", self.name]);
        let build = |before: &ProfileWeights| {
            let mut segments = before.segments.clone();
            segments.remove(find(&segments, &self.name)?);
            Ok(replace_segments(segments))
        };
        let describe = |_: &Changed| {
            let words = format!("segment {} is removed", self.name);
            Ok((words, json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }
}

impl List {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let profiles = self.filter.read().await?.profiles;
        output.print(&lists_json(&profiles, "segments")?, |_| {
            let rows = profiles.iter().flat_map(|profile| {
                profile.segments.iter().enumerate().map(|(position, rule)| {
                    [
                        profile.profile.clone(),
                        (position + 1).to_string(),
                        rule.name.clone(),
                        conditions_text(&rule.conditions),
                        replaced_weights(&rule.weights, profile),
                    ]
                })
            });
            let rows: Vec<[String; 5]> = rows.collect();
            if rows.is_empty() {
                return "no segment is defined; `weights segment set` adds one".to_owned();
            }
            table(&["profile", "", "segment", "when", "weights"], 5, rows)
        })
    }
}

/// A change that replaces the list of segments.
fn replace_segments(segments: Vec<Rule>) -> ProfileChange {
    ProfileChange {
        segments: Some(SegmentList { segments }),
        ..ProfileChange::default()
    }
}

fn find(segments: &[Rule], name: &str) -> Result<usize, WrongUse> {
    let names = segments.iter().map(|rule| rule.name.as_str());
    position("segment", name, names)
}

/// Replaces the rule of the same name in place, or inserts the rule at the given place.
fn place(
    segments: &mut Vec<Rule>,
    rule: Rule,
    before: Option<&str>,
    first: bool,
) -> Result<(), WrongUse> {
    let own = segments.iter().position(|other| other.name == rule.name);
    if let (Some(at), None, false) = (own, before, first) {
        segments[at] = rule;
        return Ok(());
    }
    if let Some(at) = own {
        segments.remove(at);
    }
    let at = match before {
        Some(other) => find(segments, other)?,
        None if first => 0,
        None => segments.len(),
    };
    segments.insert(at, rule);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(segments: &[Rule]) -> Vec<&str> {
        segments.iter().map(|rule| rule.name.as_str()).collect()
    }

    fn rule(name: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            ..Rule::default()
        }
    }

    #[test]
    fn a_segment_is_inserted_at_the_given_place() {
        let mut segments = Vec::new();
        place(&mut segments, rule("a"), None, false).unwrap();
        place(&mut segments, rule("b"), None, false).unwrap();
        place(&mut segments, rule("c"), Some("b"), false).unwrap();
        assert_eq!(names(&segments), ["a", "c", "b"]);
        place(&mut segments, rule("b"), None, true).unwrap();
        assert_eq!(names(&segments), ["b", "a", "c"], "moved, not doubled");
        place(&mut segments, rule("a"), None, false).unwrap();
        assert_eq!(names(&segments), ["b", "a", "c"], "replaced where it is");
        for other in ["nobody", "d"] {
            let error = place(&mut segments.clone(), rule("d"), Some(other), false).unwrap_err();
            assert!(error.to_string().contains(other), "{error}");
        }
    }
}
