//! Checks what a request sends beside its candidates: features that some objective accepts, and
//! configured attributes.

use counterweight_config::did_you_mean;
use futures::future::join_all;

use counterweight_serving::Call;

use crate::{
    batch::Batch,
    error::RequestError,
    source::{Objectives, Source},
};

/// Refuses a feature that no objective accepts, as far as the models have described their inputs. A
/// model may have been replaced by one that accepts more, so each is asked again before a refusal.
///
/// A model may have been replaced by one that accepts more, so each is asked again before a
/// refusal.
pub(crate) async fn check_features(
    objectives: &Objectives,
    batch: &Batch<'_>,
    call: &Call,
) -> Result<(), RequestError> {
    if unknown_feature(objectives, batch).is_none() {
        return Ok(());
    }
    let models = objectives.models();
    join_all(models.map(|model| model.refresh(call.until(model.timeout())))).await;
    match unknown_feature(objectives, batch) {
        Some(feature) => Err(RequestError::UnknownFeature {
            suggestion: did_you_mean(
                &feature,
                known_features(objectives).iter().map(String::as_str),
            ),
            feature,
        }),
        None => Ok(()),
    }
}

/// The first feature that is certain to be accepted by no objective.
fn unknown_feature(objectives: &Objectives, batch: &Batch<'_>) -> Option<String> {
    let refused = |objective: &Source, name: &str| match objective {
        Source::Model(model) => model.accepts(name) == Some(false),
        Source::Column(column) => column != name,
    };
    let certainly_unknown = |name: &str| {
        let mut sources = objectives.list.iter().map(|objective| &objective.source);
        !objectives.attributes.iter().any(|known| known == name)
            && sources.all(|source| refused(source, name))
    };
    batch
        .tensors
        .iter()
        .find(|(view, _)| certainly_unknown(view.name))
        .map(|(view, _)| view.name.to_owned())
}

/// Refuses a configured attribute that is not a single value, unless some model declares it.
pub(crate) fn check_attributes(
    objectives: &Objectives,
    batch: &Batch<'_>,
) -> Result<(), RequestError> {
    for name in &objectives.attributes {
        if let Some(view) = batch.get(name)
            && (view.rows != 1 || view.width != 1)
            && !objectives.models().any(|model| model.declares(name))
        {
            return Err(RequestError::WideAttribute {
                attribute: name.clone(),
                rows: view.rows,
                width: view.width,
            });
        }
    }
    Ok(())
}

fn known_features(objectives: &Objectives) -> Vec<String> {
    let features = objectives
        .list
        .iter()
        .flat_map(|objective| match &objective.source {
            Source::Model(model) => model
                .inputs()
                .map(|inputs| inputs.list.iter().map(|input| input.name.clone()).collect())
                .unwrap_or_default(),
            Source::Column(column) => vec![column.clone()],
        });
    features
        .chain(objectives.attributes.iter().cloned())
        .collect()
}
