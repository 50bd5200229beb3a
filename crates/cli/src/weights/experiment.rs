//! `weights experiment`: units divided into arms that get weights of their own.

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Arm, Experiment as Running, ExperimentList, ProfileChange,
};
use serde_json::{Value, json};

use super::{
    Shown,
    audience::{differing, experiment_json},
    change::{Begun, Change, Changed},
    named, position,
    share::{BUCKETS, WrittenArm, arm, moved, percent, share},
};
use crate::{
    WrongUse,
    output::{Output, table},
};

/// Divide units into arms that get weights of their own.
#[derive(Subcommand)]
pub(crate) enum Experiment {
    /// Start an experiment.
    Start(Start),
    /// Change the shares of a running experiment; as few units as can be change their arm.
    Shares(Shares),
    /// Stop an experiment: all units get the profile's weights again.
    Stop(Stop),
    /// List the experiments in the order in which they are tried.
    List(List),
}

/// Start an experiment.
#[derive(Args)]
pub(crate) struct Start {
    /// Its name.
    name: String,
    /// An arm with its share of the units and the weights that differ, as control=5% or gentle=5%:beta=-0.2,alpha=1; at least one. Shares are multiples of 0.01 %.
    #[arg(long = "arm", required = true, value_name = "ARM=SHARE[:OBJECTIVE=WEIGHT,...]", value_parser = arm)]
    arms: Vec<WrittenArm>,
    /// Only requests of this segment take part.
    #[arg(long, default_value = "", hide_default_value = true)]
    segment: String,
    /// What the units are hashed with; experiments of one salt divide them alike [default: a new one].
    #[arg(long, default_value = "", hide_default_value = true)]
    salt: String,
    #[command(flatten)]
    change: Change,
}

/// Change the shares of a running experiment; as few units as can be change their arm.
#[derive(Args)]
pub(crate) struct Shares {
    /// Its name.
    name: String,
    /// New shares, as control=10%; multiples of 0.01 %. Arms that are not named keep theirs.
    #[arg(required = true, value_name = "ARM=SHARE", value_parser = share)]
    shares: Vec<(String, u32)>,
    #[command(flatten)]
    change: Change,
}

/// Stop an experiment: all units get the profile's weights again.
#[derive(Args)]
pub(crate) struct Stop {
    /// Its name.
    name: String,
    #[command(flatten)]
    change: Change,
}

/// List the experiments in the order in which they are tried.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: Shown,
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
        fits(self.arms.iter().map(|arm| arm.buckets))?;
        let begun = self.change.begin().await?;
        let mut experiments = running(&begun);
        if experiments.iter().any(|own| own.name == self.name) {
            return Err(WrongUse(format!(
                "experiment {name} runs already; `weights experiment shares {name}` changes its shares, `weights experiment stop {name}` stops it",
                name = self.name
            ))
            .into());
        }
        let arms: anyhow::Result<Vec<Arm>> = self
            .arms
            .iter()
            .map(|arm| {
                Ok(Arm {
                    name: arm.name.clone(),
                    buckets: arm.buckets,
                    weights: named(&arm.weights, &begun.before)?,
                })
            })
            .collect();
        experiments.push(Running {
            name: self.name.clone(),
            salt: self.salt,
            segment: self.segment,
            arms: arms?,
            buckets: Vec::new(),
        });
        let say = |changed: &Changed| {
            let arms = arms_text(changed, &self.name)?;
            Ok((format!("experiment {} runs: {arms}", self.name), json!({})))
        };
        begun.apply(replaced(experiments), output, say).await
    }
}

impl Shares {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let begun = self.change.begin().await?;
        let mut experiments = running(&begun);
        let at = find(&experiments, &self.name)?;
        let arms = &mut experiments[at].arms;
        for (before, (name, buckets)) in self.shares.iter().enumerate() {
            if self.shares[..before].iter().any(|(other, _)| other == name) {
                return Err(WrongUse(format!("the share of {name} is given twice")).into());
            }
            let own = position("arm", name, arms.iter().map(|arm| arm.name.as_str()))?;
            arms[own].buckets = *buckets;
        }
        fits(arms.iter().map(|arm| arm.buckets))?;
        let say = |changed: &Changed| {
            let of = |experiments: &[Running]| {
                find(experiments, &self.name).map(|at| experiments[at].clone())
            };
            let moved = moved(
                &of(&changed.before.experiments)?,
                &of(&changed.after.experiments)?,
            );
            let words = format!(
                "experiment {}: {}\n{moved} of {BUCKETS} buckets of units have another arm than before, all others the one they had",
                self.name,
                arms_text(changed, &self.name)?
            );
            Ok((words, json!({ "moved_buckets": moved })))
        };
        begun.apply(replaced(experiments), output, say).await
    }
}

impl Stop {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let begun = self.change.begin().await?;
        let mut experiments = running(&begun);
        experiments.remove(find(&experiments, &self.name)?);
        let words = format!("experiment {} is stopped", self.name);
        let say = |_: &Changed| Ok((words, json!({})));
        begun.apply(replaced(experiments), output, say).await
    }
}

impl List {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let profiles = self.shown.read().await?.profiles;
        let value: Vec<Value> = profiles
            .iter()
            .map(|profile| {
                let experiments = profile.experiments.iter().map(experiment_json);
                json!({
                    "profile": profile.profile,
                    "revision": profile.revision,
                    "experiments": experiments.collect::<Vec<_>>(),
                })
            })
            .collect();
        output.print(&value, |_| {
            let rows = profiles.iter().flat_map(|profile| {
                profile.experiments.iter().flat_map(|experiment| {
                    experiment.arms.iter().map(|arm| {
                        [
                            profile.profile.clone(),
                            experiment.name.clone(),
                            experiment.segment.clone(),
                            arm.name.clone(),
                            differing(&arm.weights, profile),
                            experiment.salt.clone(),
                            percent(arm.buckets),
                        ]
                    })
                })
            });
            let rows: Vec<[String; 7]> = rows.collect();
            if rows.is_empty() {
                return "no experiment runs; `weights experiment start` starts one".to_owned();
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

/// The experiments as they run, to be sent again: their tables are the combiner's.
fn running(begun: &Begun) -> Vec<Running> {
    let mut experiments = begun.before.experiments.clone();
    experiments.iter_mut().for_each(|own| own.buckets.clear());
    experiments
}

fn replaced(experiments: Vec<Running>) -> ProfileChange {
    ProfileChange {
        experiments: Some(ExperimentList { experiments }),
        ..ProfileChange::default()
    }
}

fn find(experiments: &[Running], name: &str) -> Result<usize, WrongUse> {
    let names = experiments.iter().map(|own| own.name.as_str());
    position("experiment", name, names)
}

/// All arms together have no more than all units.
fn fits(buckets: impl Iterator<Item = u32>) -> Result<(), WrongUse> {
    match buckets.sum::<u32>() {
        all if all > BUCKETS => Err(WrongUse(format!(
            "the arms take {} of the units, more than all",
            percent(all)
        ))),
        _ => Ok(()),
    }
}

fn arms_text(changed: &Changed, name: &str) -> anyhow::Result<String> {
    let experiment = &changed.after.experiments[find(&changed.after.experiments, name)?];
    let arms = experiment.arms.iter().map(|arm| {
        let weights = differing(&arm.weights, &changed.after);
        format!("{} {} → {weights}", arm.name, percent(arm.buckets))
    });
    Ok(arms.collect::<Vec<_>>().join("; "))
}
