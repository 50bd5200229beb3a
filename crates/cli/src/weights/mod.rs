//! `counterweight weights`: reads, moves and watches the weights of a running system.

mod audience;
mod change;
mod condition;
mod experiment;
mod explain;
mod explore;
mod get;
mod history;
mod kill;
mod preview;
mod previewed;
mod ramp;
mod rollback;
mod segment;
mod set;
mod share;
mod show;
mod solve;
mod verify;
mod watch;

use std::env;

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    Cause, GetWeightsRequest, GetWeightsResponse, ObjectiveWeight, ProfileWeights,
    weights_service_client::WeightsServiceClient,
};
use counterweight_ranking::symbol;
use tonic::transport::Channel;

use crate::{
    WrongUse,
    client::{Combiner, explain},
    output::Output,
    runtime,
};

#[cfg(feature = "offline")]
pub(crate) use condition::attribute;

type Client = WeightsServiceClient<Channel>;

/// Read, move and watch the weights of a running system.
#[derive(Subcommand)]
pub(crate) enum Weights {
    /// Show the weights as they are applied now.
    Get(get::Get),
    /// Replace weights; durable and applied when the command returns.
    Set(set::Set),
    /// Show what new weights would do to the recent requests; nothing is changed.
    Preview(preview::Preview),
    /// Find the weight that meets a goal on the recent requests with the least loss; nothing is changed.
    Solve(solve::Solve),
    /// Tell which weights a request would get, and why.
    Explain(explain::Explain),
    /// Give requests weights of their own, by what is known of them.
    ///
    /// The first segment whose conditions all hold applies. Its weights stand in the place of the profile's; objectives that it does not name keep theirs.
    #[command(subcommand)]
    Segment(segment::Segment),
    /// Divide units into arms that get weights of their own.
    ///
    /// A unit's arm follows from the hash of its id and the experiment's salt, and stays as long as the shares do. The first experiment that has an
    /// arm for the unit applies, over the segment's weights; `weights explain --unit` tells which arm a unit has, and why.
    #[command(subcommand)]
    Experiment(experiment::Experiment),
    /// Draw the second objective's weight anew for every request, so that a log tells what other weights bring.
    ///
    /// λ is drawn before the candidates are looked at, and the second objective's weight is −λ times the first's. The draw is in the answer and in
    /// the log with its range and density, so that `bench ope` has exact propensities.
    Explore(explore::Explore),
    /// List the revisions, newest first.
    History(history::History),
    /// Show one revision.
    Show(history::One),
    /// Restore the weights of an earlier revision, in a new one.
    Rollback(rollback::Rollback),
    /// Walk to a target in even steps, or stop walking.
    Ramp(ramp::Ramp),
    /// Put the declared safe weights in force at once, whatever ramp runs.
    Kill(kill::Kill),
    /// Print every change as it happens.
    Watch(watch::Watch),
    /// Check every entry of the log; the first broken one is named.
    Verify(verify::Verify),
}

impl Weights {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let runtime = runtime()?;
        match self {
            Self::Get(get) => runtime.block_on(get.run(output)),
            Self::Set(set) => runtime.block_on(set.run(output)),
            Self::Preview(preview) => runtime.block_on(preview.run(output)),
            Self::Solve(solve) => runtime.block_on(solve.run(output)),
            Self::Explain(explain) => runtime.block_on(explain.run(output)),
            Self::Segment(segment) => runtime.block_on(segment.run(output)),
            Self::Experiment(experiment) => runtime.block_on(experiment.run(output)),
            Self::Explore(explore) => runtime.block_on(explore.run(output)),
            Self::History(history) => runtime.block_on(history.run(output)),
            Self::Show(one) => runtime.block_on(one.run(output)),
            Self::Rollback(rollback) => runtime.block_on(rollback.run(output)),
            Self::Ramp(ramp) => runtime.block_on(ramp.run(output)),
            Self::Kill(kill) => runtime.block_on(kill.run(output)),
            Self::Watch(watch) => runtime.block_on(watch.run(output)),
            Self::Verify(verify) => runtime.block_on(verify.run(output)),
        }
    }
}

/// Who writes, and why.
#[derive(Args)]
struct Writer {
    /// Why; kept in the log.
    #[arg(
        long,
        short = 'm',
        env = "COUNTERWEIGHT_REASON",
        default_value = "on the command line"
    )]
    reason: String,
    /// Who; kept in the log [default: the user's login name].
    #[arg(long, env = "COUNTERWEIGHT_AUTHOR")]
    author: Option<String>,
    /// A key under which a repeated call is answered as the first one was [default: a new one for each call].
    #[arg(long, env = "COUNTERWEIGHT_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Writer {
    fn cause(self) -> Cause {
        Cause {
            author: self.author.unwrap_or_else(login_name),
            reason: self.reason,
            idempotency_key: self
                .idempotency_key
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        }
    }
}

async fn connect(combiner: &Combiner) -> anyhow::Result<Client> {
    Ok(WeightsServiceClient::new(combiner.connect().await?))
}

fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, weight) = text
        .rsplit_once('=')
        .ok_or("write OBJECTIVE=WEIGHT, for example engagement_bait=-0.5")?;
    let weight: f64 = weight
        .trim()
        .parse()
        .map_err(|_| format!("{weight:?} is no number"))?;
    if !weight.is_finite() {
        return Err("a weight must be finite".to_owned());
    }
    Ok((name.trim().to_owned(), weight))
}

async fn current(client: &mut Client, profile: &str) -> anyhow::Result<ProfileWeights> {
    let answer = in_force(client, profile.to_owned()).await?;
    answer
        .profiles
        .into_iter()
        .next()
        .ok_or_else(|| anyhow::anyhow!("the combiner knows no profile {profile:?}"))
}

/// The weights of a profile, or of all for an empty name.
async fn in_force(client: &mut Client, profile: String) -> anyhow::Result<GetWeightsResponse> {
    let answer = client.get_weights(GetWeightsRequest { profile }).await;
    Ok(answer.map_err(|status| explain(&status))?.into_inner())
}

/// Which profiles to show.
#[derive(Args)]
struct Shown {
    /// Only this profile.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

impl Shown {
    /// The weights that are in force.
    async fn read(self) -> anyhow::Result<GetWeightsResponse> {
        let mut client = connect(&self.combiner).await?;
        in_force(&mut client, self.profile.unwrap_or_default()).await
    }
}

/// The place of a name among those that there are.
fn position<'a>(
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, WrongUse> {
    names.clone().position(|own| own == name).ok_or_else(|| {
        WrongUse(format!(
            "there is no {what} {name:?}{}",
            counterweight_config::did_you_mean(name, names)
        ))
    })
}

/// Named weights as the combiner wants them.
fn named(
    assignments: &[(String, f64)],
    profile: &ProfileWeights,
) -> anyhow::Result<Vec<ObjectiveWeight>> {
    assignments
        .iter()
        .map(|(name, weight)| {
            Ok(ObjectiveWeight {
                objective: objective(name, profile)?,
                weight: *weight,
            })
        })
        .collect()
}

/// The objective that a name or a symbol means.
fn objective(name: &str, profile: &ProfileWeights) -> anyhow::Result<String> {
    let position = match name {
        "alpha" => Some(0),
        "beta" => Some(1),
        "gamma" => Some(2),
        "delta" => Some(3),
        _ => (0..profile.weights.len()).find(|&position| symbol(position) == name),
    };
    let known = || {
        profile
            .weights
            .iter()
            .map(|weight| weight.objective.as_str())
    };
    if known().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    match position.and_then(|position| profile.weights.get(position)) {
        Some(weight) => Ok(weight.objective.clone()),
        None => Err(WrongUse(format!(
            "no objective is named {name:?}{}; profile {:?} has {}",
            counterweight_config::did_you_mean(name, known()),
            profile.profile,
            known().collect::<Vec<_>>().join(", ")
        ))
        .into()),
    }
}

fn login_name() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|variable| env::var(variable).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> ProfileWeights {
        let weight = |objective: &str, weight| ObjectiveWeight {
            objective: objective.to_owned(),
            weight,
        };
        ProfileWeights {
            profile: "default".to_owned(),
            weights: vec![weight("engagement", 1.0), weight("engagement_bait", -0.5)],
            revision: 3,
            ..Default::default()
        }
    }

    #[test]
    fn an_assignment_takes_a_name_and_a_finite_number() {
        assert_eq!(assignment("β=-0.5"), Ok(("β".to_owned(), -0.5)));
        for wrong in ["β", "β=", "β=x", "β=inf", "β=NaN"] {
            assert!(assignment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_symbol_or_a_name_means_an_objective() {
        for (name, expected) in [
            ("alpha", "engagement"),
            ("β", "engagement_bait"),
            ("engagement", "engagement"),
        ] {
            assert_eq!(objective(name, &profile()).unwrap(), expected);
        }
        let error = objective("engagment", &profile()).unwrap_err();
        assert!(
            error.is::<WrongUse>() && error.to_string().contains("did you mean \"engagement\""),
            "{error}"
        );
        assert!(objective("gamma", &profile()).is_err());
    }
}
