//! Requests to the weights service, as tests write them.

use counterweight_proto::counterweight::v1::{
    Cause, GetWeightsRequest, ObjectiveWeight, ProfileChange, ProfileRevision, ProfileWeights,
    SetWeightsRequest, StartRampRequest, weights_service_client::WeightsServiceClient,
};
use tonic::transport::Channel;

pub type Weights = WeightsServiceClient<Channel>;

pub fn weights(weights: &[(&str, f64)]) -> Vec<ObjectiveWeight> {
    weights
        .iter()
        .map(|&(objective, weight)| ObjectiveWeight {
            objective: objective.into(),
            weight,
        })
        .collect()
}

pub fn change(profile: &str, sets: &[(&str, f64)], expected: Option<u64>) -> ProfileChange {
    ProfileChange {
        profile: profile.into(),
        weights: weights(sets),
        expected_revision: expected,
        ..Default::default()
    }
}

pub fn set(changes: Vec<ProfileChange>) -> SetWeightsRequest {
    SetWeightsRequest {
        changes,
        cause: cause("less bait"),
        ..Default::default()
    }
}

pub fn bait(weight: f64, expected: Option<u64>) -> SetWeightsRequest {
    set(vec![change(
        "default",
        &[("engagement_bait", weight)],
        expected,
    )])
}

pub fn cause(reason: &str) -> Option<Cause> {
    Some(Cause {
        author: "ana".into(),
        reason: reason.into(),
        ..Cause::default()
    })
}

pub fn at(profile: &str) -> ProfileRevision {
    ProfileRevision {
        profile: profile.into(),
        expected_revision: None,
    }
}

pub fn ramp(target: &[(&str, f64)], millis: u64, steps: u32) -> StartRampRequest {
    StartRampRequest {
        profile: Some(at("default")),
        target: weights(target),
        duration: Some(std::time::Duration::from_millis(millis).try_into().unwrap()),
        steps,
        cause: cause("slowly"),
        force: false,
    }
}

/// A profile as it is applied now.
pub async fn get(client: &mut Weights, profile: &str) -> ProfileWeights {
    let request = GetWeightsRequest {
        profile: profile.into(),
    };
    let mut reported = client.get_weights(request).await.unwrap().into_inner();
    reported.profiles.remove(0)
}

/// The weights in objective order.
pub fn values(profile: &ProfileWeights) -> Vec<f64> {
    profile.weights.iter().map(|weight| weight.weight).collect()
}
