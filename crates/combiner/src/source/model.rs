//! One model as a source: who is asked, what is sent, when it is asked again, and what counts as its failure.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use counterweight_proto::{
    Unary,
    inference::{
        ModelInferResponse, ModelMetadataRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
    },
};
use tokio::{sync::Mutex, time::timeout_at};
use tonic::{Code, Request, Response, Status, transport::Channel};

use super::{
    Answer, SourceError, answer,
    endpoints::Endpoints,
    infer,
    inputs::{self, Inputs},
    refusal,
};
use crate::{
    batch::Batch,
    call::Call,
    config::{Config, ModelSource},
    error::{CombinerError, Failure, RequestError},
};

/// Metadata is not asked for again within this time, however many requests would like it.
const METADATA_REST: Duration = Duration::from_millis(100);

/// One model behind one or more servers.
#[derive(Debug)]
pub(crate) struct Model {
    pub(super) objective: String,
    pub(super) config: ModelSource,
    /// Configured attributes, which are for this model only if it lists them.
    attributes: Vec<String>,
    endpoints: Endpoints,
    inputs: ArcSwapOption<Inputs>,
    /// What versions take that are asked for although they are not the default; one or two.
    pub(super) held: ArcSwap<Vec<Arc<Inputs>>>,
    /// When metadata was last asked for, and how that went. One asks at a time.
    asked: Mutex<Option<(Instant, Result<(), Failure>)>>,
}

impl Model {
    /// Prepares the source; connects to nothing yet.
    pub(super) fn new(
        objective: &str,
        source: &ModelSource,
        config: &Config,
    ) -> Result<Self, CombinerError> {
        let known = source
            .packed
            .as_ref()
            .map(|packed| Arc::new(Inputs::of_packed(packed, String::new())));
        Ok(Self {
            objective: objective.to_owned(),
            endpoints: Endpoints::new(
                &source.endpoints,
                source.timeout,
                config.limits.max_message_bytes,
            )?,
            config: source.clone(),
            attributes: config.attributes.clone(),
            inputs: ArcSwapOption::new(known),
            held: ArcSwap::default(),
            asked: Mutex::new(None),
        })
    }

    /// The model's name on its server.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// The longest that a call may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.config.timeout
    }

    /// What the model takes; none until it has said so.
    pub(crate) fn inputs(&self) -> Option<Arc<Inputs>> {
        self.inputs.load_full()
    }

    /// Whether the model has said what it takes.
    pub(crate) fn told(&self) -> bool {
        self.inputs.load().is_some()
    }

    /// What the model takes, by default and in the versions that are held.
    pub(crate) fn each_inputs(&self) -> Vec<Arc<Inputs>> {
        let held = self.held.load();
        self.inputs()
            .into_iter()
            .chain(held.iter().cloned())
            .collect()
    }

    /// Whether the model has said all that it takes.
    pub(crate) fn says_all(&self) -> bool {
        self.inputs
            .load()
            .as_ref()
            .is_some_and(|inputs| inputs.says_all())
    }

    /// Whether the model lists an input of that name.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.each_inputs()
            .iter()
            .any(|inputs| inputs.get(name).is_some())
    }

    /// Whether the model takes a tensor of that name; none when that is not known yet.
    pub(crate) fn takes(&self, name: &str) -> Option<bool> {
        let takes = self.inputs.load().as_ref().map(|inputs| inputs.takes(name));
        if takes == Some(false) && self.held.load().iter().any(|held| held.takes(name)) {
            return Some(true);
        }
        takes
    }

    /// The model's probabilities; `held` asks for a version whatever is served by default.
    pub(super) async fn infer(
        self: &Arc<Self>,
        batch: &Batch<'_>,
        call: &Call,
        held: Option<&str>,
    ) -> Result<Answer, SourceError> {
        let deadline = call.until(self.config.timeout);
        if let Some(version) = held {
            return self.infer_held(version, batch, call, deadline).await;
        }
        let version = self.config.version.as_deref();
        let inputs = match self.inputs() {
            Some(inputs) => inputs,
            None => {
                self.refresh(deadline).await.map_err(SourceError::Failed)?;
                self.inputs().unwrap_or_default()
            }
        };
        match self
            .infer_with(&inputs, version, batch, call, deadline)
            .await
        {
            // Perhaps the model was replaced by one that takes other features.
            Err(SourceError::Request(refusal)) => match self
                .refresh(deadline)
                .await
                .ok()
                .and_then(|()| self.inputs())
            {
                Some(now) if !now.same_inputs(&inputs) => {
                    self.infer_with(&now, version, batch, call, deadline).await
                }
                _ => Err(SourceError::Request(refusal)),
            },
            other => other,
        }
    }

    pub(super) async fn infer_with(
        self: &Arc<Self>,
        inputs: &Inputs,
        version: Option<&str>,
        batch: &Batch<'_>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Answer, SourceError> {
        let response = self
            .ask(deadline, |mut client| {
                let message = infer::request(
                    &self.objective,
                    &self.config,
                    version.unwrap_or_default(),
                    inputs,
                    batch,
                );
                async move {
                    let mut request = Request::new(message?);
                    request.set_timeout(deadline.saturating_duration_since(Instant::now()));
                    call.trace.child().inject(request.metadata_mut());
                    Ok(client.model_infer(request).await.map(Response::into_inner))
                }
            })
            .await?;
        self.read(response, inputs, version, batch.candidates)
            .map_err(SourceError::Failed)
    }

    fn read(
        self: &Arc<Self>,
        response: ModelInferResponse,
        inputs: &Inputs,
        asked: Option<&str>,
        candidates: usize,
    ) -> Result<Answer, Failure> {
        let probabilities = answer::probabilities(
            &response,
            &self.config.output,
            self.config.column,
            candidates,
        )
        .map_err(Failure::WrongAnswer)?;
        let calibrator = inputs::calibrator(&response.parameters);
        let mut version = response.model_version;
        match asked {
            Some(asked) if !version.is_empty() && version != asked => {
                return Err(Failure::WrongAnswer(format!(
                    "version {asked} was asked for and {version} answered"
                )));
            }
            Some(asked) => asked.clone_into(&mut version),
            None if version.is_empty() => version.clone_from(&inputs.version),
            None if version != inputs.version => self.learn(version.clone()),
            None => {}
        }
        Ok(Answer {
            probabilities,
            raw: None,
            model_version: version,
            calibrator,
        })
    }

    /// Asks the model what it takes, unless that was asked a moment ago; then the answer of then holds.
    pub(crate) async fn refresh(&self, deadline: Instant) -> Result<(), Failure> {
        let Ok(mut asked) = timeout_at(deadline.into(), self.asked.lock()).await else {
            return Err(self.timed_out());
        };
        if let Some((when, outcome)) = &*asked
            && when.elapsed() < METADATA_REST
        {
            return outcome.clone();
        }
        let outcome = self.learn_inputs(deadline).await;
        *asked = Some((Instant::now(), outcome.clone()));
        outcome
    }

    pub(super) async fn ask_metadata(
        &self,
        version: &str,
        deadline: Instant,
    ) -> Result<Inputs, Failure> {
        let metadata = self
            .ask(deadline, |mut client| {
                let mut request = Request::new(ModelMetadataRequest {
                    name: self.config.name.clone(),
                    version: version.to_owned(),
                });
                request.set_timeout(deadline.saturating_duration_since(Instant::now()));
                async move {
                    Ok(client
                        .model_metadata(request)
                        .await
                        .map(Response::into_inner))
                }
            })
            .await
            .map_err(|error| match error {
                SourceError::Failed(failure) => failure,
                SourceError::Request(error) => Failure::Unavailable(error.to_string()),
            })?;
        let told = Inputs::of_metadata(metadata, &self.attributes);
        let Some(packed) = &self.config.packed else {
            return Ok(told);
        };
        let mut inputs = Inputs::of_packed(packed, told.version);
        inputs.calibrator = told.calibrator;
        Ok(inputs)
    }

    async fn learn_inputs(&self, deadline: Instant) -> Result<(), Failure> {
        let version = self.config.version.as_deref().unwrap_or_default();
        let mut inputs = self.ask_metadata(version, deadline).await?;
        if let Some(known) = self.inputs()
            && !inputs.states_version
        {
            inputs.version.clone_from(&known.version);
        }
        if self.inputs.load().as_deref() != Some(&inputs) {
            tracing::info!(
                objective = self.objective,
                model = self.config.name,
                version = inputs.version,
                inputs = inputs.list.len(),
                "the model says what it takes"
            );
            self.inputs.store(Some(Arc::new(inputs)));
        }
        Ok(())
    }

    /// Another version answered than the one that is known: reads its metadata without anyone waiting for it.
    fn learn(self: &Arc<Self>, version: String) {
        let model = Arc::clone(self);
        tokio::spawn(async move {
            let deadline = Instant::now() + model.config.timeout;
            if let Err(failure) = model.refresh(deadline).await {
                tracing::debug!(objective = model.objective, %failure, "metadata could not be read");
                return;
            }
            // Some servers state no version in their metadata; then the answer's word is taken.
            if let Some(inputs) = model.inputs()
                && !inputs.states_version
            {
                let mut inputs = Inputs::clone(&inputs);
                inputs.version = version;
                model.inputs.store(Some(Arc::new(inputs)));
            }
        });
    }

    /// Makes one call at the endpoint whose turn it is, and at the others where that one can not be reached.
    async fn ask<T, F, A>(&self, deadline: Instant, attempt: F) -> Result<T, SourceError>
    where
        F: Fn(GrpcInferenceServiceClient<Unary<Channel>>) -> A,
        A: Future<Output = Result<Result<T, Status>, RequestError>>,
    {
        let started = Instant::now();
        let mut last = None;
        let mut not_found = true;
        for endpoint in self.endpoints.in_turn() {
            let Ok(outcome) = timeout_at(deadline.into(), attempt(endpoint.client())).await else {
                self.endpoints.report(endpoint, false);
                return Err(SourceError::Failed(Failure::TimedOut(
                    started.elapsed().as_millis(),
                )));
            };
            match outcome? {
                Ok(answer) => {
                    self.endpoints.report(endpoint, true);
                    return Ok(answer);
                }
                Err(status) if refusal::another_may_answer(&status) => {
                    self.endpoints
                        .report(endpoint, status.code() == Code::NotFound);
                    not_found &= status.code() == Code::NotFound;
                    last = Some(format!("{}: {}", endpoint.address, refusal::told(&status)));
                }
                Err(status) => {
                    self.endpoints.report(endpoint, true);
                    return Err(refusal::read(&self.objective, &status, started));
                }
            }
        }
        let reason = last.unwrap_or_default();
        Err(SourceError::Failed(if not_found {
            Failure::NotServed(reason)
        } else {
            Failure::Unavailable(reason)
        }))
    }

    fn timed_out(&self) -> Failure {
        Failure::TimedOut(self.config.timeout.as_millis())
    }
}
