//! Asks a combiner who set the weights of a ranking, and what the profile's own weights were.

use counterweight_proto::counterweight::v1::{
    GetRevisionRequest, GetWeightsRequest, ProfileWeights, WeightsEntry,
    weights_service_client::WeightsServiceClient,
};

use crate::client::{Combiner, explain_status};

/// A revision of a profile.
pub(super) struct Revision {
    /// The entry that set it; none for revision 0, the configuration.
    pub(super) entry: Option<WeightsEntry>,
    /// The profile's own weights by objective; none where they cannot be known any more.
    pub(super) own: Option<Vec<(String, f64)>>,
}

/// Asks for the revision of a profile.
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
            .entry;
        let profiles = entry.iter().flat_map(|entry| &entry.profiles);
        let own = profiles.into_iter().find(|own| own.profile == profile);
        return Ok(Revision {
            own: own.map(weights),
            entry,
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
        entry: None,
        own: now.profiles.iter().find(configured).map(weights),
    })
}

fn weights(profile: &ProfileWeights) -> Vec<(String, f64)> {
    let weights = profile.weights.iter();
    weights
        .map(|own| (own.objective.clone(), own.weight))
        .collect()
}
