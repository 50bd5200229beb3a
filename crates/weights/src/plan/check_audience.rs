//! Checks what segments, experiments and exploration say, apart from the weights that result.

use std::collections::HashSet;

use counterweight_config::did_you_mean;

use super::{audience::ExperimentChange, planner::KnownAttributes};
use crate::{
    audience::{BUCKETS, Condition, Segment, Test, Value},
    config::Profile,
    error::PlanError,
    profile::ProfileState,
    weight::ObjectiveWeight,
};

/// The most segments, and conditions of one segment. These limits bound the cost of a request and
/// of a check.
const SEGMENTS: usize = 100;
const EXPERIMENTS: usize = 20;
const ARMS: usize = 20;
/// The most values to compare with.
const VALUES: usize = 1000;
/// The longest name, in letters.
const NAME: usize = 64;
/// The longest salt, in bytes.
const SALT: usize = 256;

/// Checks the segments, experiments and exploration of one profile.
pub(super) struct AudienceValidator<'a> {
    pub(super) profile: &'a Profile,
    pub(super) attributes: &'a KnownAttributes,
}

impl AudienceValidator<'_> {
    fn refused<T>(
        &self,
        rule: impl Into<String>,
        problem: impl Into<String>,
    ) -> Result<T, PlanError> {
        Err(PlanError::Rule {
            profile: self.profile.name.clone(),
            rule: rule.into(),
            problem: problem.into(),
        })
    }

    pub(super) fn check_segments(&self, segments: &[Segment]) -> Result<(), PlanError> {
        self.check_names(
            "segments",
            "segment",
            SEGMENTS,
            segments.iter().map(|segment| segment.name.as_str()),
        )?;
        for segment in segments {
            let rule = format!("segment {:?}", segment.name);
            match segment.conditions.len() {
                0 => return self.refused(rule, "has no condition; name at least one"),
                1..=SEGMENTS => {}
                many => {
                    return self.refused(
                        rule,
                        format!("has {many} conditions; send at most {SEGMENTS}"),
                    );
                }
            }
            for condition in &segment.conditions {
                self.check_condition(&rule, condition)?;
            }
            self.check_weights(&rule, &segment.weights)?;
        }
        Ok(())
    }

    fn check_condition(&self, rule: &str, condition: &Condition) -> Result<(), PlanError> {
        let name = &condition.attribute;
        let known = self.attributes;
        let rule = format!("{rule}, attribute {name:?}");
        if name.is_empty() {
            return self.refused(
                rule,
                "is empty; name a context feature or a configured attribute",
            );
        }
        if known.candidate.contains(name) {
            return self.refused(rule, "is a feature of the candidates; use one of the request, which all its candidates share");
        }
        if known.complete && !known.context.contains(name) {
            let suggestion = did_you_mean(name, known.context.iter().map(String::as_str));
            return self.refused(rule, format!("no model accepts it{suggestion}; correct its name, or add it to `attributes` in the configuration"));
        }
        match &condition.test {
            Test::AnyOf(values) if values.is_empty() => self.refused(rule, "has no value to compare with; send at least one"),
            Test::AnyOf(values) if values.len() > VALUES => {
                self.refused(rule, format!("has {} values to compare with; send at most {VALUES}", values.len()))
            }
            Test::AnyOf(values) => values.iter().try_for_each(|value| match value {
                Value::Number(number) if !number.is_finite() => self.refused(&*rule, format!("is compared with {number}; send a finite number")),
                Value::Text(text) if text.is_empty() => {
                    self.refused(&*rule, "is compared with an empty text, which counts as missing and never holds; leave it out")
                }
                _ => Ok(()),
            }),
            Test::Range { at_least, below } => match (at_least, below) {
                (None, None) => self.refused(rule, "has a range without ends; send at_least, below or both"),
                (low, high) if [low, high].into_iter().flatten().any(|end| !end.is_finite()) => {
                    self.refused(rule, "has a range whose end is not finite; send a finite number, or leave that end out")
                }
                (Some(low), Some(high)) if low >= high => self.refused(rule, format!("has an empty range, at least {low} and below {high}; send a lower end below the upper one")),
                _ => Ok(()),
            },
        }
    }

    pub(super) fn check_experiments(
        &self,
        experiments: &[ExperimentChange],
    ) -> Result<(), PlanError> {
        self.check_names(
            "experiments",
            "experiment",
            EXPERIMENTS,
            experiments.iter().map(|one| one.name.as_str()),
        )?;
        for experiment in experiments {
            let rule = format!("experiment {:?}", experiment.name);
            if experiment.arms.is_empty() {
                return self.refused(rule, "has no arm; send at least one");
            }
            self.check_names(
                &format!("{rule}, arms"),
                &format!("{rule}, arm"),
                ARMS,
                experiment.arms.iter().map(|(arm, _)| arm.name.as_str()),
            )?;
            let buckets: u64 = experiment
                .arms
                .iter()
                .map(|&(_, share)| u64::from(share))
                .sum();
            if buckets > u64::from(BUCKETS) {
                return self.refused(rule, format!("its arms have {buckets} buckets; give all arms together at most {BUCKETS}"));
            }
            if let Some(salt) = experiment.salt.as_ref().filter(|salt| salt.len() > SALT) {
                return self.refused(
                    rule,
                    format!(
                        "its salt has {} bytes; send at most {SALT}, or none to have one made",
                        salt.len()
                    ),
                );
            }
            for (arm, _) in &experiment.arms {
                self.check_weights(&format!("{rule}, arm {:?}", arm.name), &arm.weights)?;
            }
        }
        Ok(())
    }

    fn check_names<'n>(
        &self,
        all: &str,
        one: &str,
        most: usize,
        names: impl ExactSizeIterator<Item = &'n str>,
    ) -> Result<(), PlanError> {
        if names.len() > most {
            return self.refused(
                all,
                format!("has {} entries; send at most {most}", names.len()),
            );
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut seen = HashSet::new();
        for name in names {
            let rule = format!("{one} {name:?}");
            if name.is_empty() || name.len() > NAME || !name.chars().all(fits) {
                return self.refused(
                    rule,
                    format!(
                        "is not a valid name: use 1 to {NAME} letters, digits, `_`, `-` or `.`"
                    ),
                );
            }
            if !seen.insert(name) {
                return self.refused(rule, "is sent twice; give each its own name");
            }
        }
        Ok(())
    }

    fn check_weights(&self, rule: &str, weights: &[ObjectiveWeight]) -> Result<(), PlanError> {
        let objectives: Vec<&str> = self.profile.objective_names().collect();
        let mut seen = HashSet::new();
        for set in weights {
            let name = set.objective.as_str();
            if !objectives.contains(&name) {
                let suggestion = did_you_mean(name, objectives.iter().copied());
                return self.refused(
                    rule,
                    format!(
                        "the profile has no objective {name:?}{suggestion}; its objectives are {}",
                        objectives.join(", ")
                    ),
                );
            }
            if !seen.insert(name) {
                return self.refused(
                    rule,
                    format!("objective {name:?} is sent twice; send each objective once"),
                );
            }
            if !set.weight.is_finite() {
                return self.refused(
                    rule,
                    format!(
                        "the weight of objective {name:?} is {}; send a finite number",
                        set.weight
                    ),
                );
            }
        }
        Ok(())
    }

    /// Checks that the segments and arms that experiments and exploration name are there, whichever
    /// part was changed.
    pub(super) fn check_references(&self, state: &ProfileState) -> Result<(), PlanError> {
        let segments = || state.segments.iter().map(|segment| segment.name.as_str());
        for experiment in &state.experiments {
            if let Some(wanted) = experiment.segment.as_deref()
                && !segments().any(|known| known == wanted)
            {
                let suggestion = did_you_mean(wanted, segments());
                return self.refused(
                    format!("experiment {:?}", experiment.name),
                    format!("is for segment {wanted:?}, which does not exist{suggestion}; add the segment, or change the experiment with it"),
                );
            }
        }
        let Some(exploration) = &state.exploration else {
            return Ok(());
        };
        if self.profile.objectives.len() < 2 {
            return self.refused(
                "exploration",
                "needs a second objective, whose weight it draws",
            );
        }
        if let Err(error) = exploration.density().check() {
            return self.refused("exploration", error.to_string());
        }
        let arms: Vec<String> = state
            .experiments
            .iter()
            .flat_map(|experiment| {
                experiment
                    .arms
                    .iter()
                    .map(|arm| format!("{}/{}", experiment.name, arm.name))
            })
            .collect();
        match exploration.arm.as_deref() {
            Some(wanted) if !arms.iter().any(|known| known == wanted) => {
                let suggestion = did_you_mean(wanted, arms.iter().map(String::as_str));
                self.refused("exploration", format!("is for arm {wanted:?}, which does not exist{suggestion}; name it as experiment/arm, or change exploration with it"))
            }
            _ => Ok(()),
        }
    }
}
