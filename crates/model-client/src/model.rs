//! One model as a source: builds its requests, decides when it is asked again, and classifies its
//! failures.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use counterweight_proto::inference::ModelInferResponse;
use counterweight_serving::{Call, OutgoingCall};
use tonic::Request;

use crate::{
    answer::{Prediction, probabilities},
    batch::Batch,
    client::{Client, Deadline},
    endpoints::Endpoint,
    error::{Failure, ModelError, NotAnAddress},
    infer,
    inputs::{Inputs, calibrator},
    metadata::Metadata,
    source::ModelSource,
};

/// The method that is called, for spans.
const MODEL_INFER: &str = "inference.GRPCInferenceService/ModelInfer";

/// One model behind one or more servers.
#[derive(Debug)]
pub struct Model {
    client: Arc<Client>,
    metadata: Arc<Metadata>,
}

impl Model {
    /// Prepares the calls to the model of an objective; connects to nothing yet.
    ///
    /// A message to or from the model has at most `max_message_bytes`. The `attributes` are tensors
    /// that are sent to the model only if it declares them.
    ///
    /// # Errors
    /// An endpoint is not an address.
    pub fn new(
        objective: &str,
        source: &ModelSource,
        max_message_bytes: usize,
        attributes: &[String],
    ) -> Result<Self, NotAnAddress> {
        let client = Arc::new(Client::new(objective, source, max_message_bytes)?);
        let metadata = Metadata::new(Arc::clone(&client), attributes.to_vec());
        Ok(Self {
            client,
            metadata: Arc::new(metadata),
        })
    }

    /// The model's name on its server.
    pub fn name(&self) -> &str {
        &self.client.config.name
    }

    /// The longest that a call may take.
    pub fn timeout(&self) -> Duration {
        self.client.config.timeout
    }

    /// The inputs of the served version; none until the model has described them.
    pub fn inputs(&self) -> Option<Arc<Inputs>> {
        self.metadata.served()
    }

    /// Whether the model has described its inputs.
    pub fn has_metadata(&self) -> bool {
        self.inputs().is_some()
    }

    /// The inputs of every version in use.
    pub fn all_inputs(&self) -> Vec<Arc<Inputs>> {
        self.metadata.in_use()
    }

    /// Whether the description of its inputs is complete.
    pub fn metadata_complete(&self) -> bool {
        self.inputs().is_some_and(|inputs| inputs.complete())
    }

    /// Whether the model declares an input of that name.
    pub fn declares(&self, name: &str) -> bool {
        let versions = self.all_inputs();
        versions.iter().any(|inputs| inputs.get(name).is_some())
    }

    /// Whether the model accepts a tensor of that name; none when that is unknown.
    pub fn accepts(&self, name: &str) -> Option<bool> {
        if self.inputs()?.accepts(name) {
            return Some(true);
        }
        Some(self.all_inputs().iter().any(|inputs| inputs.accepts(name)))
    }

    /// True when the model has said what it accepts, and some server of it answers at present.
    pub fn is_live(&self) -> bool {
        self.has_metadata() && self.client.endpoints().any_live()
    }

    /// True when no server of the model answers at present.
    pub fn is_down(&self) -> bool {
        self.client.endpoints().all_suspect()
    }

    /// Reads the metadata of the model, unless it was read a moment ago.
    ///
    /// # Errors
    /// Why no server gave it.
    pub async fn refresh(&self, deadline: Instant) -> Result<(), Failure> {
        self.metadata.refresh(Deadline::from_caller(deadline)).await
    }

    /// Finds a server that has that version.
    ///
    /// # Errors
    /// [`Failure::NotServed`] when none has it, or why they did not say.
    pub async fn find_version(&self, version: &str, deadline: Instant) -> Result<(), Failure> {
        let deadline = Deadline::from_caller(deadline);
        self.metadata
            .inputs_of_version(version, deadline)
            .await
            .map(drop)
    }

    /// The model's probabilities; `pinned` asks for one version instead of the served one.
    ///
    /// # Errors
    /// [`ModelError::Input`] when the model does not accept the batch, else why it gave no answer.
    pub async fn infer(
        &self,
        batch: &Batch<'_>,
        call: &Call,
        pinned: Option<&str>,
    ) -> Result<Prediction, ModelError> {
        let deadline = self.client.deadline(call);
        if let Some(version) = pinned {
            return self.infer_pinned(version, batch, call, deadline).await;
        }
        if !self.has_metadata() {
            let refreshed = self.metadata.refresh(deadline).await;
            refreshed.map_err(ModelError::Failed)?;
        }
        let before = self.inputs();
        let first = self.infer_served(batch, call, deadline).await;
        let Err(ModelError::Input(_)) = &first else {
            return first;
        };
        // The model may have been replaced by one that accepts other features.
        let refreshed = self.metadata.refresh(deadline).await;
        let inputs = refreshed.ok().and_then(|()| self.inputs());
        let same = inputs
            .zip(before)
            .is_none_or(|(now, before)| now.same_inputs(&before));
        match same {
            true => first,
            false => self.infer_served(batch, call, deadline).await,
        }
    }

    /// The probabilities of the version that the endpoint serves, or of the configured one.
    async fn infer_served(
        &self,
        batch: &Batch<'_>,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Prediction, ModelError> {
        let version = self.client.config.version.as_deref();
        let inputs = |endpoint: &Endpoint| self.metadata.inputs_of_endpoint(endpoint);
        let asked = version.unwrap_or_default();
        let (response, endpoint) = self.call(asked, inputs, batch, call, deadline).await?;
        let mut answer = self.read(response, version, batch)?;
        if answer.model_version.is_empty() {
            let inputs = self.metadata.inputs_of_endpoint(&endpoint);
            answer.model_version.clone_from(&inputs.version);
        } else if version.is_none() {
            self.metadata
                .record_version(&answer.model_version, &endpoint);
        }
        Ok(answer)
    }

    /// The probabilities of a version that the weights were tuned for.
    async fn infer_pinned(
        &self,
        version: &str,
        batch: &Batch<'_>,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Prediction, ModelError> {
        let infer = async {
            let inputs = self.metadata.inputs_of_version(version, deadline).await;
            let inputs = inputs.map_err(ModelError::Failed)?;
            let inputs = |_: &Endpoint| Arc::clone(&inputs);
            let (response, _) = self.call(version, inputs, batch, call, deadline).await?;
            self.read(response, Some(version), batch)
        };
        match infer.await {
            Err(ModelError::Failed(Failure::NotServed(reason))) => {
                self.metadata.forget_pinned();
                Err(ModelError::PinnedVersionGone {
                    model: self.client.config.name.clone(),
                    version: version.to_owned(),
                    reason,
                })
            }
            other => other,
        }
    }

    async fn call(
        &self,
        version: &str,
        inputs: impl Fn(&Endpoint) -> Arc<Inputs>,
        batch: &Batch<'_>,
        call: &Call,
        deadline: Deadline,
    ) -> Result<(ModelInferResponse, Arc<Endpoint>), ModelError> {
        let target = infer::Target {
            objective: &self.client.objective,
            config: &self.client.config,
            version,
            max_message_bytes: self.client.max_message_bytes,
        };
        let attempt = |endpoint: Arc<Endpoint>| {
            let message = infer::request(&target, &inputs(&endpoint), batch)?;
            // It counts as work of this call for as long as the model works on it.
            let call = call.clone();
            Ok(async move {
                let began = Instant::now();
                let mut request = Request::new(message);
                request.set_timeout(deadline.at.saturating_duration_since(began));
                let outgoing = OutgoingCall::begin(MODEL_INFER, &call.trace);
                outgoing.inject(request.metadata_mut());
                let mut client = endpoint.client();
                let response = outgoing.run(client.model_infer(request)).await;
                if response.is_ok() {
                    endpoint.record_time(began.elapsed());
                }
                response
            })
        };
        self.client.call(deadline, attempt).await
    }

    /// Reads an answer. The version is empty when the server reports none and none was requested.
    fn read(
        &self,
        response: ModelInferResponse,
        asked: Option<&str>,
        batch: &Batch<'_>,
    ) -> Result<Prediction, ModelError> {
        let config = &self.client.config;
        let wrong = |reason| ModelError::Failed(Failure::WrongAnswer(reason));
        let (probabilities, clamped) =
            probabilities(&response, &config.output, config.column, batch.candidates)
                .map_err(wrong)?;
        let calibrator = calibrator(&response.parameters);
        let mut version = response.model_version;
        if let Some(asked) = asked {
            if !version.is_empty() && version != asked {
                return Err(wrong(format!(
                    "version {asked} was requested, but version {version} answered"
                )));
            }
            asked.clone_into(&mut version);
        }
        Ok(Prediction {
            probabilities,
            clamped,
            model_version: version,
            calibrator,
        })
    }
}
