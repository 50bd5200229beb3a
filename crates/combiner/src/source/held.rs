//! A version of a model that is asked for although another is served by default: the weights were tuned for it.

use std::{sync::Arc, time::Instant};

use super::{Answer, Model, SourceError, inputs::Inputs};
use crate::{
    batch::Batch,
    call::Call,
    error::{Failure, RequestError},
};

/// What is kept of the inputs of such versions: a profile holds one, and profiles may hold different ones.
const KEPT: usize = 8;

impl Model {
    /// The probabilities of that version.
    pub(super) async fn infer_held(
        self: &Arc<Self>,
        version: &str,
        batch: &Batch<'_>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Answer, SourceError> {
        let outcome = match self.inputs_of(version, deadline).await {
            Ok(inputs) => {
                self.infer_with(&inputs, Some(version), batch, call, deadline)
                    .await
            }
            Err(failure) => Err(SourceError::Failed(failure)),
        };
        match outcome {
            Err(SourceError::Failed(Failure::NotServed(reason))) => {
                self.held.store(Arc::default());
                Err(SourceError::Request(RequestError::HeldVersionGone {
                    objective: self.objective.clone(),
                    model: self.config.name.clone(),
                    version: version.to_owned(),
                    reason,
                }))
            }
            other => other,
        }
    }

    /// What a version takes, whether or not it is the default; [`Failure::NotServed`] when no server has it.
    pub(crate) async fn inputs_of(
        &self,
        version: &str,
        deadline: Instant,
    ) -> Result<Arc<Inputs>, Failure> {
        if let Some(inputs) = self.inputs()
            && inputs.version == version
        {
            return Ok(inputs);
        }
        let known = self.held.load_full();
        if let Some(inputs) = known.iter().find(|held| held.version == version) {
            return Ok(Arc::clone(inputs));
        }
        let mut inputs = self.ask_metadata(version, deadline).await?;
        version.clone_into(&mut inputs.version);
        let inputs = Arc::new(inputs);
        let surplus = (known.len() + 1).saturating_sub(KEPT);
        let mut list: Vec<_> = known.iter().skip(surplus).cloned().collect();
        list.push(Arc::clone(&inputs));
        self.held.store(Arc::new(list));
        Ok(inputs)
    }
}
