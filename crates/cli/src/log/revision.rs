//! Who set the weights of a ranking, and what the profile's own weights were: from a running
//! combiner, or from the file of its weights log.

use std::path::Path;

use counterweight_combiner::read_entry;
use counterweight_proto::counterweight::v1::{
    GetRevisionRequest, GetWeightsRequest, ProfileWeights,
    weights_service_client::WeightsServiceClient,
};
use prost_types::Timestamp;

use crate::client::{Combiner, explain_status};

/// A revision of a profile.
#[derive(Default)]
pub(super) struct Revision {
    /// None for revision 0, the configuration.
    pub(super) set_by: Option<SetBy>,
    /// The profile's own weights by objective, where they are known.
    pub(super) own: Option<Vec<(String, f64)>>,
}

/// Who set a revision.
pub(super) struct SetBy {
    pub(super) author: String,
    pub(super) reason: String,
    pub(super) time: Option<Timestamp>,
}

/// Asks a combiner for the revision of a profile.
pub(super) async fn ask(
    combiner: &Combiner,
    profile: &str,
    revision: u64,
) -> anyhow::Result<Revision> {
    let mut client = WeightsServiceClient::new(combiner.connect().await?);
    if revision > 0 {
        let request = GetRevisionRequest {
            revision,
            ..GetRevisionRequest::default()
        };
        let answer = client.get_revision(request).await;
        let entry = answer
            .map_err(|status| explain_status(&status))?
            .into_inner()
            .entry
            .unwrap_or_default();
        let own = entry.profiles.iter().find(|own| own.profile == profile);
        return Ok(Revision {
            own: own.map(weights),
            set_by: Some(SetBy {
                author: entry.author,
                reason: entry.reason,
                time: entry.time,
            }),
        });
    }
    let request = GetWeightsRequest {
        profile: profile.to_owned(),
    };
    let answer = client.get_weights(request).await;
    let now = answer
        .map_err(|status| explain_status(&status))?
        .into_inner();
    // No log has the configured weights. They are known only while nothing has replaced them.
    let configured = |own: &&ProfileWeights| own.revision == 0 && !own.local_kill;
    Ok(Revision {
        set_by: None,
        own: now.profiles.iter().find(configured).map(weights),
    })
}

/// Reads the revision of a profile from the file of an embedded weights log.
pub(super) fn read(log: &Path, profile: &str, revision: u64) -> anyhow::Result<Revision> {
    if revision == 0 {
        return Ok(Revision::default());
    }
    let Some(entry) = read_entry(log, revision)? else {
        anyhow::bail!(
            "{} ends before revision {revision}; give the weights log of the combiner that answered",
            log.display()
        );
    };
    let set = entry.change.profiles.iter();
    let set = set.map(|set| (&set.profile, &set.weights));
    let moved = entry.change.moved.iter();
    let moved = moved.map(|moved| (&moved.profile, &moved.weights));
    let own = set.chain(moved).find(|(name, _)| *name == profile);
    let own = own.map(|(_, weights)| {
        let weights = weights.iter();
        weights
            .map(|own| (own.objective.clone(), own.weight))
            .collect()
    });
    Ok(Revision {
        own,
        set_by: Some(SetBy {
            author: entry.cause.author,
            reason: entry.cause.reason,
            time: Some(entry.time),
        }),
    })
}

fn weights(profile: &ProfileWeights) -> Vec<(String, f64)> {
    let weights = profile.weights.iter();
    weights
        .map(|own| (own.objective.clone(), own.weight))
        .collect()
}
