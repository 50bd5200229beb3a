//! The features that the combiner's models accept, as tensors of a Rank request.

use std::collections::BTreeSet;

use counterweight_model::Column;
use counterweight_proto::counterweight::v1::{
    DescribeRankingRequest, RankRequest, ranking_service_client::RankingServiceClient,
};
use counterweight_simulator::{Feature, Visit};
use counterweight_tensor::{Datatype, encode_f32, encode_f64, encode_strings, tensor};
use serde_json::Value;
use tonic::transport::Channel;

use crate::error::UsersError;

/// The names of the features that some objective accepts; the combiner refuses others.
pub(crate) struct Accepted(BTreeSet<String>);

impl Accepted {
    /// Asks the combiner, and checks that the visits have all that its models need.
    pub(crate) async fn ask(
        client: &mut RankingServiceClient<Channel>,
        visit: &Visit,
    ) -> Result<Self, UsersError> {
        let described = client.describe_ranking(DescribeRankingRequest {}).await;
        let described = described.map_err(|status| UsersError::Describe(Box::new(status)))?;
        let described = described.into_inner();
        if let Some(objective) = described.objectives.into_iter().find(|one| !one.ready) {
            return Err(UsersError::NotReady {
                objective: objective.name,
                reason: objective.reason,
            });
        }
        let features = visit.features()?;
        let known: BTreeSet<&str> = features.iter().map(|one| &*one.name).collect();
        let mut accepted = BTreeSet::new();
        for feature in described.features {
            if !feature.optional && !known.contains(&*feature.name) {
                return Err(UsersError::UnknownFeature {
                    feature: feature.name,
                    objectives: feature.objectives.join(", "),
                });
            }
            accepted.insert(feature.name);
        }
        Ok(Self(accepted))
    }

    /// Adds the features of a visit to its request.
    pub(crate) fn add(&self, request: &mut RankRequest, visit: &Visit) -> Result<(), UsersError> {
        for feature in visit.features()? {
            if self.0.contains(&feature.name) {
                add(request, &feature);
            }
        }
        Ok(())
    }
}

fn add(request: &mut RankRequest, Feature { name, column, .. }: &Feature) {
    let rows = column.rows();
    let (datatype, shape, raw) = match column {
        Column::Numeric(values) => (Datatype::Fp64, vec![rows], encode_f64(values)),
        Column::Text(values) => {
            let texts = values.iter().map(|value| value.as_bytes());
            (Datatype::Bytes, vec![rows], encode_strings(texts))
        }
        Column::List(values) => {
            let lists = values.iter();
            let texts = lists.map(|list| Value::from(list.clone()).to_string());
            (Datatype::Bytes, vec![rows], encode_strings(texts))
        }
        Column::Vector { dim, values } => (Datatype::Fp32, vec![rows, *dim], encode_f32(values)),
    };
    request.inputs.push(tensor(name, datatype, &shape));
    request.raw_input_contents.push(raw);
}
