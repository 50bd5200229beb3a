//! Checks what a request sends beside its candidates: features that some objective accepts, and
//! configured attributes.

use counterweight_config::did_you_mean;
use counterweight_model_client::Batch;
use counterweight_serving::Call;
use counterweight_tensor::{Datatype, TensorView};
use futures::future::join_all;

use crate::{
    error::RequestError,
    objective::Source,
    objectives::Objectives,
    weights::{Attribute, Value},
};

/// Refuses a feature that no objective accepts, as far as the models have described their inputs.
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

/// The attributes of a request: every tensor of one element that is not missing.
pub(crate) fn attributes(batch: &Batch<'_>) -> Vec<Attribute> {
    let views = batch.tensors.iter().map(|(view, _)| view);
    views
        .filter(|view| view.rows == 1 && view.width == 1)
        .filter_map(|view| {
            Some(Attribute {
                name: view.name.to_owned(),
                value: value(view)?,
            })
        })
        .collect()
}

/// The value of a tensor of one element: text for BYTES, else a number; none when it is missing.
fn value(view: &TensorView<'_>) -> Option<Value> {
    let value = match view.datatype {
        Datatype::Bytes => Value::Text(view.to_strings().ok()?.pop()?.into_owned()),
        Datatype::Fp32 => Value::Number(decimal(view.to_f32().ok()?.pop()?)),
        _ => Value::Number(view.to_f64().ok()?.pop()?),
    };
    (!value.is_missing()).then_some(value)
}

/// The double with the shortest decimal form of a 32-bit float: 0.1 and not 0.10000000149011612.
fn decimal(single: f32) -> f64 {
    if single.fract() == 0.0 {
        return single.into();
    }
    single.to_string().parse().unwrap_or(f64::from(single))
}
