//! `weights segment`: requests that get weights of their own.

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Condition, ProfileChange, Segment as Rule, SegmentList,
};
use serde_json::{Value, json};

use super::{
    Shown, assignment,
    audience::{conditions_text, differing, segment_json},
    change::{Change, Changed},
    condition::{condition, merged},
    named, position,
};
use crate::{
    WrongUse,
    output::{Output, table},
};

/// Give requests weights of their own, by what is known of them.
#[derive(Subcommand)]
pub(crate) enum Segment {
    /// Make a segment, or replace the one of this name.
    Set(Set),
    /// Remove a segment.
    Remove(Remove),
    /// List the segments in the order in which they are tried.
    List(List),
}

/// Make a segment, or replace the one of this name.
#[derive(Args)]
pub(crate) struct Set {
    /// Its name.
    name: String,
    /// What must hold: user_country=DE,AT (any of these), user_sessions_7d>=5, user_sessions_7d<20; given several times, all must hold. A value that reads as a number is one, true and false are 1 and 0, and "1" in double quotes is text.
    #[arg(long, required = true, value_name = "CONDITION", value_parser = condition)]
    when: Vec<Condition>,
    /// Weights in the place of the profile's, as OBJECTIVE=WEIGHT; a segment without any is there for experiments to name.
    #[arg(value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    weights: Vec<(String, f64)>,
    /// Try it before this one [default: where it is; a new one last].
    #[arg(long, value_name = "OTHER", conflicts_with = "first")]
    before: Option<String>,
    /// Try it before all others.
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    change: Change,
}

/// Remove a segment.
#[derive(Args)]
pub(crate) struct Remove {
    /// Its name.
    name: String,
    #[command(flatten)]
    change: Change,
}

/// List the segments in the order in which they are tried.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: Shown,
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
        let conditions = merged(&self.when)?;
        let begun = self.change.begin().await?;
        let rule = Rule {
            weights: named(&self.weights, &begun.before)?,
            name: self.name.clone(),
            conditions,
        };
        let mut segments = begun.before.segments.clone();
        place(&mut segments, rule, self.before.as_deref(), self.first)?;
        let say = |changed: &Changed| {
            let segments = &changed.after.segments;
            let at = find(segments, &self.name)?;
            let words = format!(
                "segment {}, tried as number {} of {}: {} → {}",
                self.name,
                at + 1,
                segments.len(),
                conditions_text(&segments[at].conditions),
                differing(&segments[at].weights, &changed.after)
            );
            Ok((words, json!({})))
        };
        begun.apply(replaced(segments), output, say).await
    }
}

impl Remove {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let begun = self.change.begin().await?;
        let mut segments = begun.before.segments.clone();
        segments.remove(find(&segments, &self.name)?);
        let words = format!("segment {} is removed", self.name);
        let say = |_: &Changed| Ok((words, json!({})));
        begun.apply(replaced(segments), output, say).await
    }
}

impl List {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let profiles = self.shown.read().await?.profiles;
        let value: Vec<Value> = profiles
            .iter()
            .map(|profile| {
                json!({
                    "profile": profile.profile,
                    "revision": profile.revision,
                    "segments": profile.segments.iter().map(segment_json).collect::<Vec<_>>(),
                })
            })
            .collect();
        output.print(&value, |_| {
            let rows = profiles.iter().flat_map(|profile| {
                profile.segments.iter().enumerate().map(|(at, rule)| {
                    [
                        profile.profile.clone(),
                        (at + 1).to_string(),
                        rule.name.clone(),
                        conditions_text(&rule.conditions),
                        differing(&rule.weights, profile),
                    ]
                })
            });
            let rows: Vec<[String; 5]> = rows.collect();
            if rows.is_empty() {
                return "there is no segment; `weights segment set` makes one".to_owned();
            }
            table(&["profile", "", "segment", "when", "weights"], 5, rows)
        })
    }
}

fn replaced(segments: Vec<Rule>) -> ProfileChange {
    ProfileChange {
        segments: Some(SegmentList { segments }),
        ..ProfileChange::default()
    }
}

fn find(segments: &[Rule], name: &str) -> Result<usize, WrongUse> {
    let names = segments.iter().map(|rule| rule.name.as_str());
    position("segment", name, names)
}

/// Puts a rule in the place of the one of its name, or where it is wanted.
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
    fn a_segment_stands_where_it_is_wanted() {
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
