//! `counterweight weights`: reads, changes and watches the weights of a running system.

use std::env;

use clap::{Args, Subcommand};
use counterweight_proto::counterweight::v1::{
    GetWeightsRequest, ObjectiveWeight, ProfileChange, ProfileWeights, Replica, SetWeightsRequest,
    WatchWeightsRequest, WeightsEntry, weights_service_client::WeightsServiceClient,
};
use counterweight_ranking::symbol;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    WrongUse,
    client::{Combiner, explain},
    output::{Output, table},
    runtime,
};

/// Read, change and watch the weights of a running system.
#[derive(Subcommand)]
pub(crate) enum Weights {
    /// Show the weights as they are applied now.
    Get(Get),
    /// Replace weights; durable and applied when the command returns.
    Set(Set),
    /// Print every change as it happens.
    Watch(Watch),
}

/// Show the weights as they are applied now.
#[derive(Args)]
pub(crate) struct Get {
    /// Only this profile.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

/// Replace weights; durable and applied when the command returns.
#[derive(Args)]
pub(crate) struct Set {
    /// New weights, as OBJECTIVE=WEIGHT; `alpha=` and `beta=` (or `α=`, `β=`) name the first two objectives. Objectives that are not named keep their weight.
    #[arg(required = true, value_name = "OBJECTIVE=WEIGHT", value_parser = assignment)]
    weights: Vec<(String, f64)>,
    /// The profile to change.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    /// Why; kept in the log.
    #[arg(
        long,
        short = 'm',
        env = "COUNTERWEIGHT_REASON",
        default_value = "set on the command line"
    )]
    reason: String,
    /// Who; kept in the log [default: the user's login name].
    #[arg(long, env = "COUNTERWEIGHT_AUTHOR")]
    author: Option<String>,
    /// Change only if the profile is still at this revision; 0 is the configured default [default: the revision seen when the command starts].
    #[arg(long, env = "COUNTERWEIGHT_EXPECT", value_name = "REVISION")]
    expect: Option<u64>,
    /// A key under which a repeated call is answered as the first one was [default: a new one for each call].
    #[arg(long, env = "COUNTERWEIGHT_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

/// Print every change as it happens.
#[derive(Args)]
pub(crate) struct Watch {
    /// The first revision to print, 1 for the whole history; 0 prints only what comes from now on.
    #[arg(
        long,
        env = "COUNTERWEIGHT_FROM",
        default_value_t = 0,
        value_name = "REVISION"
    )]
    from: u64,
    /// Stop after this many changes.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    combiner: Combiner,
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

impl Weights {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let runtime = runtime()?;
        match self {
            Self::Get(get) => runtime.block_on(get.run(output)),
            Self::Set(set) => runtime.block_on(set.run(output)),
            Self::Watch(watch) => runtime.block_on(watch.run(output)),
        }
    }
}

impl Get {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = WeightsServiceClient::new(self.combiner.connect().await?);
        let request = GetWeightsRequest {
            profile: self.profile.unwrap_or_default(),
        };
        let answer = client
            .get_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let value = json!({
            "replica": answer.replica,
            "applied_revision": answer.applied_revision,
            "stale": answer.stale,
            "replicas": answer.replicas.iter().map(replica_json).collect::<Vec<_>>(),
            "profiles": answer.profiles.iter().map(profile_json).collect::<Vec<_>>(),
        });
        output.print(&value, |_| {
            let mut text = profiles_table(&answer.profiles);
            text.push_str(&format!(
                "\n{} has applied revision {}",
                answer.replica, answer.applied_revision
            ));
            if answer.stale {
                text.push_str(
                    "; its store is out of reach and these are the last known good weights",
                );
            }
            if answer.replicas.len() > 1 || answer.replicas.iter().any(|r| !r.problem.is_empty()) {
                text.push_str(&format!("\n\n{}", replicas_table(&answer.replicas)));
            }
            text
        })
    }
}

impl Set {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = WeightsServiceClient::new(self.combiner.connect().await?);
        let before = current(&mut client, &self.profile).await?;
        let weights = self
            .weights
            .iter()
            .map(|(name, weight)| {
                Ok(ObjectiveWeight {
                    objective: objective(name, &before)?,
                    weight: *weight,
                })
            })
            .collect::<anyhow::Result<_>>()?;
        let request = SetWeightsRequest {
            changes: vec![ProfileChange {
                profile: self.profile,
                weights,
                expected_revision: Some(self.expect.unwrap_or(before.revision)),
                ..Default::default()
            }],
            author: self.author.unwrap_or_else(login_name),
            reason: self.reason,
            idempotency_key: self
                .idempotency_key
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            force: false,
        };
        let answer = client
            .set_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let value = json!({
            "revision": answer.revision,
            "hash": answer.hash,
            "before": profile_json(&before),
            "profiles": answer.profiles.iter().map(profile_json).collect::<Vec<_>>(),
        });
        output.print(&value, |_| {
            let change = answer
                .profiles
                .first()
                .map(|after| changes(&before, after))
                .unwrap_or_default();
            format!(
                "revision {} is applied: {change}\nhash {}",
                answer.revision, answer.hash
            )
        })
    }
}

impl Watch {
    async fn run(self, output: Output) -> anyhow::Result<()> {
        let mut client = WeightsServiceClient::new(self.combiner.connect_stream().await?);
        let request = WatchWeightsRequest {
            from_revision: self.from,
        };
        let mut stream = client
            .watch_weights(request)
            .await
            .map_err(|status| explain(&status))?
            .into_inner();
        let mut left = self.count;
        while left != Some(0) {
            let Some(message) = stream.message().await.map_err(|status| explain(&status))? else {
                anyhow::bail!(
                    "the combiner closed the stream; call again with --from the next revision"
                );
            };
            if let Some(entry) = message.entry {
                output.print_element(&entry_json(&entry), |_| entry_line(&entry))?;
                left = left.map(|left| left - 1);
            }
        }
        Ok(())
    }
}

async fn current(
    client: &mut WeightsServiceClient<Channel>,
    profile: &str,
) -> anyhow::Result<ProfileWeights> {
    let request = GetWeightsRequest {
        profile: profile.to_owned(),
    };
    let answer = client
        .get_weights(request)
        .await
        .map_err(|status| explain(&status))?
        .into_inner();
    answer
        .profiles
        .into_iter()
        .next()
        .ok_or_else(|| anyhow::anyhow!("the combiner knows no profile {profile:?}"))
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

fn profiles_table(profiles: &[ProfileWeights]) -> String {
    let rows = profiles.iter().flat_map(|profile| {
        profile
            .weights
            .iter()
            .enumerate()
            .map(|(position, weight)| {
                vec![
                    profile.profile.clone(),
                    symbol(position),
                    weight.objective.clone(),
                    weight.weight.to_string(),
                    profile.revision.to_string(),
                ]
            })
    });
    table(&["profile", "", "objective", "weight", "revision"], 3, rows)
}

fn replicas_table(replicas: &[Replica]) -> String {
    let rows = replicas.iter().map(|replica| {
        vec![
            replica.name.clone(),
            replica.applied_revision.to_string(),
            replica.problem.clone(),
        ]
    });
    table(&["replica", "applied", ""], 3, rows)
}

fn replica_json(replica: &Replica) -> Value {
    let heard = replica.heard_ago.unwrap_or_default();
    json!({
        "name": replica.name,
        "applied_revision": replica.applied_revision,
        "applied_hash": replica.applied_hash,
        "heard_seconds_ago": heard.seconds as f64 + f64::from(heard.nanos) / 1e9,
        "behind": replica.behind,
        "problem": replica.problem,
    })
}

fn changes(before: &ProfileWeights, after: &ProfileWeights) -> String {
    after
        .weights
        .iter()
        .enumerate()
        .map(|(position, new)| {
            let old = before
                .weights
                .iter()
                .find(|old| old.objective == new.objective);
            let label = format!("{} {}", symbol(position), new.objective);
            match old {
                Some(old) if old.weight != new.weight => {
                    format!("{label} {} → {}", old.weight, new.weight)
                }
                _ => format!("{label} {}", new.weight),
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn profile_json(profile: &ProfileWeights) -> Value {
    let weights: serde_json::Map<String, Value> = profile
        .weights
        .iter()
        .map(|weight| (weight.objective.clone(), json!(weight.weight)))
        .collect();
    json!({ "profile": profile.profile, "revision": profile.revision, "weights": weights })
}

fn entry_json(entry: &WeightsEntry) -> Value {
    json!({
        "revision": entry.revision,
        "time": entry.time.as_ref().map(ToString::to_string),
        "author": entry.author,
        "reason": entry.reason,
        "idempotency_key": entry.idempotency_key,
        "hash": entry.hash,
        "previous_hash": entry.previous_hash,
        "profiles": entry.profiles.iter().map(profile_json).collect::<Vec<_>>(),
    })
}

fn entry_line(entry: &WeightsEntry) -> String {
    let profiles: Vec<String> = entry
        .profiles
        .iter()
        .map(|profile| {
            let weights: Vec<String> = profile
                .weights
                .iter()
                .enumerate()
                .map(|(position, weight)| {
                    format!(
                        "{} {} {}",
                        symbol(position),
                        weight.objective,
                        weight.weight
                    )
                })
                .collect();
            format!("{}: {}", profile.profile, weights.join(", "))
        })
        .collect();
    let time = entry
        .time
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "{time}  revision {}  {}  by {}: {}",
        entry.revision,
        profiles.join("; "),
        entry.author,
        entry.reason
    )
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
