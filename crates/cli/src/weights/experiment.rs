//! `weights experiment`: divides units into arms that get their own weights.

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Arm, Experiment as Running, ExperimentList, ProfileChange, ProfileWeights,
};
use serde_json::json;

use super::{
    arms::{BUCKETS, TypedArm, moved_buckets, parse_arm, parse_share, percent},
    audience_text::replaced_weights,
    change::{ChangeFlags, Changed},
    session::{ProfileFilter, lists_json, resolve_weights},
};
use crate::{
    output::{Output, table},
    usage::{WrongUse, position},
};

/// Divide units (usually users) into arms that get their own weights.
#[derive(Subcommand)]
pub(crate) enum Experiment {
    /// Start an experiment.
    Start(Start),
    /// Change the shares of a running experiment; as few units as possible change arms.
    Shares(Shares),
    /// Stop an experiment; its units get the weights of their segment or profile again.
    Stop(Stop),
    /// List the experiments in their order; the first that has an arm for the unit applies.
    List(List),
}

/// Start an experiment.
#[derive(Args)]
pub(crate) struct Start {
    /// The name of the experiment.
    name: String,
    /// An arm with its share of the units and the weights that it replaces, such as control=5% or
    /// gentle=5%:beta=-0.2,alpha=1. Give at least one. Shares are multiples of 0.01 %.
    #[arg(long = "arm", required = true, value_name = "ARM=SHARE[:OBJECTIVE=WEIGHT,...]", value_parser = parse_arm)]
    arms: Vec<TypedArm>,
    /// Only requests of this segment take part [default: all requests of the profile].
    #[arg(long, default_value = "", hide_default_value = true)]
    segment: String,
    /// The salt of the hash that divides the units; experiments with the same salt divide them in
    /// the same way [default: a new one].
    #[arg(long, default_value = "", hide_default_value = true)]
    salt: String,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Change the shares of a running experiment; as few units as possible change arms.
#[derive(Args)]
pub(crate) struct Shares {
    /// The name of the experiment.
    name: String,
    /// New shares, such as control=10%, in multiples of 0.01 %. Arms that are not named keep their
    /// share.
    #[arg(required = true, value_name = "ARM=SHARE", value_parser = parse_share)]
    shares: Vec<(String, u32)>,
    #[command(flatten)]
    change: ChangeFlags,
}

/// Stop an experiment; its units get the weights of their segment or profile again.
#[derive(Args)]
pub(crate) struct Stop {
    /// The name of the experiment.
    name: String,
    #[command(flatten)]
    change: ChangeFlags,
}

/// List the experiments in their order; the first that has an arm for the unit applies.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    filter: ProfileFilter,
}

impl Experiment {
    pub(super) async fn run(self, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Start(start) => start.run(output).await,
            Self::Shares(shares) => shares.run(output).await,
            Self::Stop(stop) => stop.run(output).await,
            Self::List(list) => list.run(output).await,
        }
    }
}

impl Start {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        check_total(self.arms.iter().map(|arm| arm.buckets))?;
        let name = &self.name;
        let command = json!(["experiment start", name, self.arms, self.segment, self.salt]);
        let build = |before: &ProfileWeights| {
            let mut experiments = running_experiments(before);
            if experiments.iter().any(|own| own.name == *name) {
                return Err(WrongUse(format!(
                    "experiment {name} is already running; `weights experiment shares {name}` changes its shares, `weights experiment stop {name}` stops it"
                ))
                .into());
            }
            let arm = |arm: &TypedArm| -> anyhow::Result<Arm> {
                Ok(Arm {
                    name: arm.name.clone(),
                    buckets: arm.buckets,
                    weights: resolve_weights(&arm.weights, before)?,
                })
            };
            experiments.push(Running {
                name: name.clone(),
                salt: self.salt.clone(),
                segment: self.segment.clone(),
                arms: self.arms.iter().map(arm).collect::<Result<_, _>>()?,
                buckets: Vec::new(),
            });
            Ok(replace_experiments(experiments))
        };
        let describe = |changed: &Changed| {
            let arms = arms_text(&changed.after, name)?;
            Ok((format!("experiment {name} is running: {arms}"), json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }
}

impl Shares {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let name = &self.name;
        let command = json!(["experiment shares", name, self.shares]);
        let build = |before: &ProfileWeights| {
            let mut experiments = running_experiments(before);
            let position = find(&experiments, name)?;
            let arms = &mut experiments[position].arms;
            set_shares(arms, &self.shares)?;
            check_total(arms.iter().map(|arm| arm.buckets))?;
            Ok(replace_experiments(experiments))
        };
        let describe = |changed: &Changed| {
            let (before, after) = (&changed.before.experiments, &changed.after.experiments);
            let moved = moved_buckets(&before[find(before, name)?], &after[find(after, name)?]);
            let words = format!(
                "experiment {name}: {}\n{moved} of {BUCKETS} buckets of units changed their arm, all others kept theirs",
                arms_text(&changed.after, name)?
            );
            Ok((words, json!({ "moved_buckets": moved })))
        };
        self.change.apply(&command, output, build, describe).await
    }
}

/// Sets the shares of the named arms.
fn set_shares(arms: &mut [Arm], shares: &[(String, u32)]) -> Result<(), WrongUse> {
    for (number, (name, buckets)) in shares.iter().enumerate() {
        if shares[..number].iter().any(|(other, _)| other == name) {
            return Err(WrongUse(format!("the share of {name} is given twice")));
        }
        let own = position("arm", name, arms.iter().map(|arm| arm.name.as_str()))?;
        arms[own].buckets = *buckets;
    }
    Ok(())
}

impl Stop {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let command = json!(["experiment stop", self.name]);
        let build = |before: &ProfileWeights| {
            let mut experiments = running_experiments(before);
            experiments.remove(find(&experiments, &self.name)?);
            Ok(replace_experiments(experiments))
        };
        let describe = |_: &Changed| {
            let words = format!("experiment {} is stopped", self.name);
            Ok((words, json!({})))
        };
        self.change.apply(&command, output, build, describe).await
    }
}

impl List {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let profiles = self.filter.read().await?.profiles;
        output.print(&lists_json(&profiles, "experiments")?, |_| {
            let rows = profiles.iter().flat_map(|profile| {
                profile.experiments.iter().flat_map(|experiment| {
                    experiment.arms.iter().map(|arm| {
                        [
                            profile.profile.clone(),
                            experiment.name.clone(),
                            experiment.segment.clone(),
                            arm.name.clone(),
                            replaced_weights(&arm.weights, profile),
                            experiment.salt.clone(),
                            percent(arm.buckets),
                        ]
                    })
                })
            });
            let rows: Vec<[String; 7]> = rows.collect();
            if rows.is_empty() {
                return "no experiment is running; `weights experiment start` starts one"
                    .to_owned();
            }
            let header = [
                "profile",
                "experiment",
                "segment",
                "arm",
                "weights",
                "salt",
                "share",
            ];
            table(&header, 6, rows)
        })
    }
}

/// The experiments of a profile without their bucket tables, which the combiner computes.
fn running_experiments(profile: &ProfileWeights) -> Vec<Running> {
    let mut experiments = profile.experiments.clone();
    experiments.iter_mut().for_each(|own| own.buckets.clear());
    experiments
}

/// A change that replaces the list of experiments.
fn replace_experiments(experiments: Vec<Running>) -> ProfileChange {
    ProfileChange {
        experiments: Some(ExperimentList { experiments }),
        ..ProfileChange::default()
    }
}

fn find(experiments: &[Running], name: &str) -> Result<usize, WrongUse> {
    let names = experiments.iter().map(|own| own.name.as_str());
    position("experiment", name, names)
}

/// Rejects arms whose shares add up to more than all units.
fn check_total(buckets: impl Iterator<Item = u32>) -> Result<(), WrongUse> {
    match buckets.sum::<u32>() {
        all if all > BUCKETS => Err(WrongUse(format!(
            "the shares of the arms add up to {} of the units; give at most 100 %",
            percent(all)
        ))),
        _ => Ok(()),
    }
}

fn arms_text(profile: &ProfileWeights, name: &str) -> anyhow::Result<String> {
    let experiment = &profile.experiments[find(&profile.experiments, name)?];
    let arms = experiment.arms.iter().map(|arm| {
        let weights = replaced_weights(&arm.weights, profile);
        format!("{} {} → {weights}", arm.name, percent(arm.buckets))
    });
    Ok(arms.collect::<Vec<_>>().join("; "))
}
