//! What the `weights` commands share: the client, the weights in force, author and reason of a
//! change, and the objectives that names and symbols stand for.

use clap::Args;
use counterweight_config::did_you_mean;
use counterweight_proto::{
    counterweight::v1::{
        Cause, GetWeightsRequest, GetWeightsResponse, ObjectiveWeight, ProfileWeights,
        weights_service_client::WeightsServiceClient,
    },
    to_json,
};
use counterweight_ranking::symbol;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::{
    client::{Combiner, explain_status},
    usage::WrongUse,
};

pub(super) type Client = WeightsServiceClient<Channel>;

pub(super) async fn connect(combiner: &Combiner) -> anyhow::Result<Client> {
    Ok(WeightsServiceClient::new(combiner.connect().await?))
}

/// Author, reason and idempotency key of a change.
#[derive(Args)]
pub(super) struct Writer {
    /// The reason for the change, which the log records.
    #[arg(long, short = 'm', default_value = "on the command line")]
    reason: String,
    /// The author of the change, which the log records [default: the user's login name].
    #[arg(long, env = "COUNTERWEIGHT_AUTHOR")]
    author: Option<String>,
    /// The idempotency key of the change: the same command with the same key is executed once, and
    /// every repeat gets the answer of the first [default: a new key for each call].
    #[arg(long, value_name = "KEY", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) idempotency_key: Option<String>,
}

impl Writer {
    /// The cause of a change. `command` is the command line, by which a repeat is recognised: the
    /// message of a repeat can differ, because it also contains values that were read meanwhile,
    /// such as the profile's revision.
    pub(super) fn cause(self, command: &Value) -> Cause {
        Cause {
            intent: self.intent(command),
            author: self.author.unwrap_or_else(login_name),
            reason: self.reason,
            idempotency_key: self
                .idempotency_key
                .unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        }
    }

    /// The command in a form that does not depend on the order of its flags.
    pub(super) fn intent(&self, command: &Value) -> String {
        Value::from(vec![command.clone(), self.reason.clone().into()]).to_string()
    }
}

/// The login name, from the system's user database and not from the environment.
fn login_name() -> String {
    whoami::fallible::username().unwrap_or_else(|_| "unknown".to_owned())
}

/// Which profiles to show.
#[derive(Args)]
pub(super) struct ProfileFilter {
    /// Show only this profile.
    #[arg(long)]
    profile: Option<String>,
    #[command(flatten)]
    combiner: Combiner,
}

impl ProfileFilter {
    /// Reads the weights that are in force.
    pub(super) async fn read(self) -> anyhow::Result<GetWeightsResponse> {
        let mut client = connect(&self.combiner).await?;
        read_weights(&mut client, self.profile.unwrap_or_default()).await
    }
}

/// The profiles as JSON, each with its name, its revision and one list.
pub(super) fn lists_json(
    profiles: &[ProfileWeights],
    list: &str,
) -> Result<Value, serde_json::Error> {
    let profile_json = |profile| {
        let all = to_json(profile)?;
        Ok(json!({
            "profile": all["profile"],
            "revision": all["revision"],
            (list): all[list],
        }))
    };
    profiles.iter().map(profile_json).collect()
}

/// Reads the weights of a profile, or of all profiles if the name is empty.
pub(super) async fn read_weights(
    client: &mut Client,
    profile: String,
) -> anyhow::Result<GetWeightsResponse> {
    let answer = client.get_weights(GetWeightsRequest { profile }).await;
    Ok(answer
        .map_err(|status| explain_status(&status))?
        .into_inner())
}

/// Reads one profile, as it is in force.
pub(super) async fn read_profile(
    client: &mut Client,
    profile: &str,
) -> anyhow::Result<ProfileWeights> {
    let answer = read_weights(client, profile.to_owned()).await?;
    answer
        .profiles
        .into_iter()
        .next()
        .ok_or_else(|| anyhow::anyhow!("the combiner has no profile {profile:?}"))
}

/// Replaces names and symbols of objectives by the names that the combiner uses.
pub(super) fn resolve_weights(
    assignments: &[(String, f64)],
    profile: &ProfileWeights,
) -> anyhow::Result<Vec<ObjectiveWeight>> {
    assignments
        .iter()
        .map(|(name, weight)| {
            Ok(ObjectiveWeight {
                objective: resolve_objective(name, profile)?,
                weight: *weight,
            })
        })
        .collect()
}

/// The objective that a name or a symbol stands for.
pub(super) fn resolve_objective(name: &str, profile: &ProfileWeights) -> anyhow::Result<String> {
    let position = match name {
        "alpha" => Some(0),
        "beta" => Some(1),
        "gamma" => Some(2),
        "delta" => Some(3),
        _ => (0..profile.weights.len()).find(|&position| symbol(position) == name),
    };
    let known = || {
        let weights = profile.weights.iter();
        weights.map(|weight| weight.objective.as_str())
    };
    if known().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    match position.and_then(|position| profile.weights.get(position)) {
        Some(weight) => Ok(weight.objective.clone()),
        None => Err(WrongUse(format!(
            "objective {name:?} does not exist{}; profile {:?} has {}",
            did_you_mean(name, known()),
            profile.profile,
            known().collect::<Vec<_>>().join(", ")
        ))
        .into()),
    }
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
    fn a_symbol_or_a_name_stands_for_an_objective() {
        for (name, expected) in [
            ("alpha", "engagement"),
            ("β", "engagement_bait"),
            ("engagement", "engagement"),
        ] {
            assert_eq!(resolve_objective(name, &profile()).unwrap(), expected);
        }
        let error = resolve_objective("engagment", &profile()).unwrap_err();
        assert!(
            error.is::<WrongUse>() && error.to_string().contains("did you mean \"engagement\""),
            "{error}"
        );
        assert!(resolve_objective("gamma", &profile()).is_err());
    }
}
