//! What a change makes of a profile's segments, experiments and exploration, and every check of them that is no matter of weights.

use std::collections::HashSet;

use counterweight_config::did_you_mean;

use super::Planner;
use crate::{
    error::CombinerError,
    weights::{
        audience::{
            Arm, BUCKETS, Condition, Experiment, Exploration, Segment, Test, Value, rearrange,
        },
        in_force::InForce,
        profile::{ObjectiveWeight, ProfileState},
    },
};

/// The most segments, conditions of one, experiments, and arms of one. They bound what a request and a check cost.
const SEGMENTS: usize = 100;
const EXPERIMENTS: usize = 20;
const ARMS: usize = 20;
/// The most values to compare with.
const VALUES: usize = 1000;
/// The longest name, in letters.
const NAME: usize = 64;
/// The longest salt, in bytes.
const SALT: usize = 256;

/// What is to become of the audience of a profile; none leaves what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct AudienceChange {
    pub(crate) segments: Option<Vec<Segment>>,
    pub(crate) experiments: Option<Vec<ExperimentChange>>,
    /// None within ends it.
    pub(crate) exploration: Option<Option<Exploration>>,
}

/// An experiment as a writer wants it.
#[derive(Debug, Clone)]
pub(crate) struct ExperimentChange {
    pub(crate) name: String,
    /// None keeps the salt of an experiment that is there.
    pub(crate) salt: Option<String>,
    /// The salt of an experiment that is new.
    pub(crate) new_salt: String,
    pub(crate) segment: Option<String>,
    /// Each with how many buckets it has.
    pub(crate) arms: Vec<(Arm, u32)>,
}

/// What a segment may ask for, as far as the models have said.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownAttributes {
    /// Features of the context, those whose side is not said, and what the configuration adds.
    pub(crate) context: Vec<String>,
    pub(crate) candidate: Vec<String>,
    /// Whether every model has said what it takes.
    pub(crate) complete: bool,
}

impl AudienceChange {
    /// Whether nothing is changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_none() && self.experiments.is_none() && self.exploration.is_none()
    }
}

impl Planner {
    /// Puts what is wanted in the place of what is there.
    pub(super) fn change_audience(
        &self,
        position: usize,
        current: &InForce,
        wanted: &AudienceChange,
        state: &mut ProfileState,
    ) -> Result<(), CombinerError> {
        let of = Of {
            planner: self,
            position,
        };
        if let Some(segments) = &wanted.segments {
            of.check_segments(segments)?;
            state.segments.clone_from(segments);
        }
        if let Some(experiments) = &wanted.experiments {
            of.check_experiments(experiments)?;
            let arranged = experiments.iter();
            state.experiments = arranged
                .map(|wanted| arranged_over(&current.experiments, wanted))
                .collect();
        }
        if let Some(exploration) = &wanted.exploration {
            state.exploration.clone_from(exploration);
        }
        of.check_references(state)
    }
}

/// The experiment with its table, as near as possible to the one that it has.
fn arranged_over(current: &[Experiment], wanted: &ExperimentChange) -> Experiment {
    let arms: Vec<Arm> = wanted.arms.iter().map(|(arm, _)| arm.clone()).collect();
    let shares: Vec<u32> = wanted.arms.iter().map(|&(_, share)| share).collect();
    let before = current.iter().find(|before| before.name == wanted.name);
    let place = |arm: &Arm| {
        arms.iter()
            .position(|now| now.name == arm.name)
            .unwrap_or(usize::MAX)
    };
    let table: Vec<(Option<usize>, u32)> = before.map_or_else(Vec::new, |before| {
        let runs = before.buckets.iter();
        runs.map(|&(arm, count)| {
            (
                arm.map(|arm| before.arms.get(arm).map_or(usize::MAX, place)),
                count,
            )
        })
        .collect()
    });
    let kept = before.map(|before| &before.salt);
    Experiment {
        name: wanted.name.clone(),
        salt: wanted
            .salt
            .as_ref()
            .or(kept)
            .unwrap_or(&wanted.new_salt)
            .clone(),
        segment: wanted.segment.clone(),
        arms,
        buckets: rearrange(&table, &shares),
    }
}

/// Checks of one profile.
struct Of<'a> {
    planner: &'a Planner,
    position: usize,
}

impl Of<'_> {
    fn refused<T>(
        &self,
        rule: impl Into<String>,
        problem: impl Into<String>,
    ) -> Result<T, CombinerError> {
        Err(CombinerError::Rule {
            profile: self.planner.config.profiles[self.position].name.clone(),
            rule: rule.into(),
            problem: problem.into(),
        })
    }

    fn check_segments(&self, segments: &[Segment]) -> Result<(), CombinerError> {
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

    fn check_condition(&self, rule: &str, condition: &Condition) -> Result<(), CombinerError> {
        let name = &condition.attribute;
        let known = &self.planner.attributes;
        let rule = format!("{rule}, attribute {name:?}");
        if name.is_empty() {
            return self.refused(
                rule,
                "is empty; name a context feature or a configured attribute",
            );
        }
        if known.candidate.contains(name) {
            return self.refused(rule, "is a feature of the candidates; ask for one of the context, which all candidates of a request share");
        }
        if known.complete && !known.context.contains(name) {
            let suggestion = did_you_mean(name, known.context.iter().map(String::as_str));
            return self.refused(rule, format!("no model takes it{suggestion}; correct its name, or write it into `attributes` of the configuration"));
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

    fn check_experiments(&self, experiments: &[ExperimentChange]) -> Result<(), CombinerError> {
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
                return self.refused(rule, format!("its arms have {buckets} buckets; there are {BUCKETS}, so give them at most that many in all"));
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
    ) -> Result<(), CombinerError> {
        if names.len() > most {
            return self.refused(
                all,
                format!("there are {}; send at most {most}", names.len()),
            );
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let mut seen = HashSet::new();
        for name in names {
            let rule = format!("{one} {name:?}");
            if name.is_empty() || name.len() > NAME || !name.chars().all(fits) {
                return self.refused(
                    rule,
                    format!("is no name; send 1 to {NAME} letters, digits, _, - and ."),
                );
            }
            if !seen.insert(name) {
                return self.refused(rule, "is sent twice; give each a name of its own");
            }
        }
        Ok(())
    }

    fn check_weights(&self, rule: &str, weights: &[ObjectiveWeight]) -> Result<(), CombinerError> {
        let objectives: Vec<&str> = self.planner.config.objective_names(self.position).collect();
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

    /// Checks what experiments and exploration say of segments and arms, whichever of them were changed.
    fn check_references(&self, state: &ProfileState) -> Result<(), CombinerError> {
        let segments = || state.segments.iter().map(|segment| segment.name.as_str());
        for experiment in &state.experiments {
            if let Some(wanted) = experiment.segment.as_deref()
                && !segments().any(|known| known == wanted)
            {
                let suggestion = did_you_mean(wanted, segments());
                return self.refused(
                    format!("experiment {:?}", experiment.name),
                    format!("takes only segment {wanted:?}, which is not there{suggestion}; add the segment, or change the experiment with it"),
                );
            }
        }
        let Some(exploration) = &state.exploration else {
            return Ok(());
        };
        if self.planner.config.profiles[self.position].objectives.len() < 2 {
            return self.refused(
                "exploration",
                "needs a second objective, whose weight it draws",
            );
        }
        if let Some(problem) = wrong_range(exploration) {
            return self.refused("exploration", problem);
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
                self.refused("exploration", format!("takes only arm {wanted:?}, which is not there{suggestion}; name it as experiment/arm, or change exploration with it"))
            }
            _ => Ok(()),
        }
    }
}

fn wrong_range(exploration: &Exploration) -> Option<&'static str> {
    let &Exploration {
        low,
        high,
        log_uniform,
        ..
    } = exploration;
    if !(low.is_finite() && low >= 0.0) || log_uniform && low == 0.0 {
        return Some("the lower end");
    }
    (!high.is_finite() || high <= low).then_some("the upper end")
}
