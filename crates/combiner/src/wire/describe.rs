//! DescribeRanking: describes the objectives, the profiles and the features that a client sends.

use std::time::{Duration, Instant};

use counterweight_model_client::Input;
use counterweight_proto::counterweight::v1::{
    DescribeRankingResponse, FeatureDescription, ObjectiveDescription,
};
use counterweight_ranking::symbol;
use futures::future::join_all;

use crate::{
    engine::Engine,
    objective::{Objective, Source},
};

/// The longest that DescribeRanking waits for a model that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Describes the objectives, the profiles and the features that a client sends.
pub(super) async fn describe(engine: &Engine) -> DescribeRankingResponse {
    let objectives = join_all(
        engine
            .objectives
            .list
            .iter()
            .enumerate()
            .map(describe_objective),
    )
    .await;
    let mut features: Vec<FeatureDescription> = Vec::new();
    for objective in &engine.objectives.list {
        for feature in features_of(objective) {
            match features.iter_mut().find(|known| known.name == feature.name) {
                Some(known) => {
                    known.optional &= feature.optional;
                    known.objectives.push(objective.name.clone());
                }
                None => features.push(feature),
            }
        }
    }
    DescribeRankingResponse {
        objectives,
        features,
        profiles: engine
            .config
            .profiles
            .iter()
            .map(|profile| profile.name.clone())
            .collect(),
        attributes: engine.config.attributes.clone(),
    }
}

async fn describe_objective((at, objective): (usize, &Objective)) -> ObjectiveDescription {
    let common = ObjectiveDescription {
        name: objective.name.clone(),
        symbol: symbol(at),
        ..Default::default()
    };
    match &objective.source {
        Source::Column(_) => ObjectiveDescription {
            source: "column".to_owned(),
            ready: true,
            ..common
        },
        Source::Model(model) => {
            let outcome = model.refresh(Instant::now() + PATIENCE).await;
            ObjectiveDescription {
                source: "model".to_owned(),
                model_name: model.name().to_owned(),
                model_version: model
                    .inputs()
                    .map(|inputs| inputs.version.clone())
                    .unwrap_or_default(),
                ready: outcome.is_ok(),
                reason: outcome
                    .err()
                    .map(|failure| failure.to_string())
                    .unwrap_or_default(),
                ..common
            }
        }
    }
}

fn features_of(objective: &Objective) -> Vec<FeatureDescription> {
    match &objective.source {
        Source::Column(column) => vec![FeatureDescription {
            name: column.clone(),
            datatype: "FP64".to_owned(),
            shape: vec![-1],
            kind: "numeric".to_owned(),
            side: "candidate".to_owned(),
            optional: false,
            objectives: vec![objective.name.clone()],
        }],
        Source::Model(model) => model
            .inputs()
            .map(|inputs| {
                inputs
                    .list
                    .iter()
                    .map(|input| describe_input(input, &objective.name))
                    .collect()
            })
            .unwrap_or_default(),
    }
}

fn describe_input(input: &Input, objective: &str) -> FeatureDescription {
    FeatureDescription {
        name: input.name.clone(),
        datatype: input.datatype.clone(),
        shape: input.shape.clone(),
        kind: input.kind.clone(),
        side: input
            .side
            .map(|side| side.as_str().to_owned())
            .unwrap_or_default(),
        optional: input.optional.unwrap_or(false),
        objectives: vec![objective.to_owned()],
    }
}
