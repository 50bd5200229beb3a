//! What a request may bring beside its candidates: features that some objective takes, and configured attributes.

use counterweight_config::did_you_mean;
use futures::future::join_all;

use crate::{batch::Batch, call::Call, error::RequestError, rank::Engine, source::Source};

impl Engine {
    /// Refuses a feature that no objective takes, as far as the objectives have said what they take.
    ///
    /// A model may have been replaced by one that takes more, so each is asked again before a refusal.
    pub(crate) async fn check_features(
        &self,
        batch: &Batch<'_>,
        call: &Call,
    ) -> Result<(), RequestError> {
        if self.unknown_feature(batch).is_none() {
            return Ok(());
        }
        join_all(
            self.models()
                .map(|model| model.refresh(call.until(model.timeout()))),
        )
        .await;
        match self.unknown_feature(batch) {
            Some(feature) => Err(RequestError::UnknownFeature {
                suggestion: did_you_mean(
                    &feature,
                    self.known_features().iter().map(String::as_str),
                ),
                feature,
            }),
            None => Ok(()),
        }
    }

    /// The first feature that surely no objective takes.
    fn unknown_feature(&self, batch: &Batch<'_>) -> Option<String> {
        let surely_unknown = |name: &str| {
            !self.config.attributes.iter().any(|known| known == name)
                && self
                    .objectives
                    .iter()
                    .all(|objective| match &objective.source {
                        Source::Model(model) => model.takes(name) == Some(false),
                        Source::Column(column) => column != name,
                    })
        };
        batch
            .tensors
            .iter()
            .find(|(view, _)| surely_unknown(view.name))
            .map(|(view, _)| view.name.to_owned())
    }

    /// Refuses a configured attribute that is no single value, unless some model takes it.
    pub(crate) fn check_attributes(&self, batch: &Batch<'_>) -> Result<(), RequestError> {
        for name in &self.config.attributes {
            if let Some(view) = batch.get(name)
                && (view.rows != 1 || view.width != 1)
                && !self.models().any(|model| model.lists(name))
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

    fn known_features(&self) -> Vec<String> {
        let features = self
            .objectives
            .iter()
            .flat_map(|objective| match &objective.source {
                Source::Model(model) => model
                    .inputs()
                    .map(|inputs| inputs.list.iter().map(|input| input.name.clone()).collect())
                    .unwrap_or_default(),
                Source::Column(column) => vec![column.clone()],
            });
        features
            .chain(self.config.attributes.iter().cloned())
            .collect()
    }
}
