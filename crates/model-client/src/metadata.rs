//! Keeps the inputs of a model, by version.
//!
//! During a roll-out the endpoints serve different versions. The version in use that was seen last
//! counts as served, however the answers alternate; an older version counts again when no endpoint
//! answers with the newer one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use counterweight_proto::inference::ModelMetadataRequest;
use tokio::{sync::Mutex, time::timeout_at};
use tonic::Request;

use crate::{
    client::{Client, Deadline},
    endpoints::Endpoint,
    error::{Failure, ModelError},
    inputs::Inputs,
};

/// Metadata is read at most once within this time, however many requests need it.
const REST: Duration = Duration::from_millis(100);
/// How many pinned versions are remembered: a profile pins one, and profiles may pin different
/// ones.
const PINNED: usize = 8;

/// The metadata of one model.
#[derive(Debug)]
pub(crate) struct Metadata {
    client: Arc<Client>,
    /// Configured attributes, which are sent to this model only if it declares them.
    attributes: Vec<String>,
    /// The inputs of the served version; none until the model has described them.
    served: ArcSwapOption<Inputs>,
    /// The versions that endpoints answer with, in the order in which they were first seen.
    seen: std::sync::Mutex<Vec<Arc<Inputs>>>,
    /// Versions that profiles pin although another one is served.
    pinned: ArcSwap<Vec<Arc<Inputs>>>,
    /// The time and the outcome of the last read of metadata. One caller reads at a time.
    asked: Mutex<Option<(Instant, Result<(), Failure>)>>,
    /// Whether a task is about to read.
    learning: AtomicBool,
}

impl Metadata {
    pub(crate) fn new(client: Arc<Client>, attributes: Vec<String>) -> Self {
        let packed = client.config.packed.as_ref();
        let known = packed.map(|packed| Arc::new(Inputs::from_packed(packed, String::new())));
        Self {
            client,
            attributes,
            served: ArcSwapOption::new(known),
            seen: std::sync::Mutex::default(),
            pinned: ArcSwap::default(),
            asked: Mutex::new(None),
            learning: AtomicBool::new(false),
        }
    }

    /// The inputs of the served version; none until the model has described them.
    pub(crate) fn served(&self) -> Option<Arc<Inputs>> {
        self.served.load_full()
    }

    /// The inputs of every version in use, the served one first.
    pub(crate) fn in_use(&self) -> Vec<Arc<Inputs>> {
        let served = self.served();
        let pinned = self.pinned.load();
        let others = self
            .seen()
            .clone()
            .into_iter()
            .chain(pinned.iter().cloned());
        let version = served.as_ref().map(|served| served.version.clone());
        let others = others.filter(|other| Some(&other.version) != version.as_ref());
        served.iter().cloned().chain(others).collect()
    }

    /// The inputs of the version that an endpoint serves, as far as they are known.
    pub(crate) fn inputs_of_endpoint(&self, endpoint: &Endpoint) -> Arc<Inputs> {
        let served = self.served().unwrap_or_default();
        match endpoint.version() {
            Some(version) if *version != served.version => {
                let seen = self.seen();
                let known = seen.iter().find(|inputs| inputs.version == *version);
                known.cloned().unwrap_or(served)
            }
            _ => served,
        }
    }

    /// The inputs of a version, served or not; [`Failure::NotServed`] when no endpoint has it.
    pub(crate) async fn inputs_of_version(
        &self,
        version: &str,
        deadline: Deadline,
    ) -> Result<Arc<Inputs>, Failure> {
        let known = self
            .in_use()
            .into_iter()
            .find(|known| known.version == version);
        if let Some(inputs) = known {
            return Ok(inputs);
        }
        let (mut inputs, _) = self.ask(version, deadline).await?;
        version.clone_into(&mut inputs.version);
        let inputs = Arc::new(inputs);
        let pinned = self.pinned.load_full();
        let surplus = (pinned.len() + 1).saturating_sub(PINNED);
        let mut list: Vec<_> = pinned.iter().skip(surplus).cloned().collect();
        list.push(Arc::clone(&inputs));
        self.pinned.store(Arc::new(list));
        Ok(inputs)
    }

    /// Forgets the pinned versions, because one of them is no longer served.
    pub(crate) fn forget_pinned(&self) {
        self.pinned.store(Arc::default());
    }

    /// Reads the metadata of the model, unless it was read a moment ago: then that answer stands.
    pub(crate) async fn refresh(&self, deadline: Deadline) -> Result<(), Failure> {
        let Ok(mut asked) = timeout_at(deadline.at.into(), self.asked.lock()).await else {
            return Err(Failure::TimedOut(self.client.config.timeout.as_millis()));
        };
        // After a failure another endpoint may know.
        if let Some((when, outcome)) = &*asked
            && when.elapsed() < REST
            && (outcome.is_ok() || self.client.endpoints().all_suspect())
        {
            return outcome.clone();
        }
        let version = self.client.config.version.as_deref().unwrap_or_default();
        let outcome = match self.ask(version, deadline).await {
            Ok((inputs, endpoint)) => {
                self.learn(inputs, &endpoint);
                Ok(())
            }
            Err(failure) => Err(failure),
        };
        *asked = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// Records the version of an endpoint's answer. For a version that was not seen before, one
    /// task reads the inputs, and no request waits for it.
    pub(crate) fn record_version(self: &Arc<Self>, version: &str, endpoint: &Endpoint) {
        if !endpoint.record_version(version) {
            return;
        }
        let known = self.seen().iter().any(|known| known.version == version);
        if known {
            self.settle();
        } else if !self.learning.swap(true, Ordering::Relaxed) {
            let (metadata, version) = (Arc::clone(self), version.to_owned());
            tokio::spawn(async move { metadata.learn_version(&version).await });
        }
    }

    async fn learn_version(&self, version: &str) {
        let deadline = Deadline::from_caller(Instant::now() + self.client.config.timeout);
        let states_version = self.served().is_some_and(|inputs| inputs.states_version);
        let asked = if states_version { version } else { "" };
        match self.ask(asked, deadline).await {
            Ok((mut inputs, endpoint)) => {
                // Some servers state no version in their metadata; then the version of the answer
                // counts.
                if !inputs.states_version {
                    version.clone_into(&mut inputs.version);
                }
                self.learn(inputs, &endpoint);
            }
            Err(failure) => {
                let objective = &self.client.objective;
                tracing::debug!(objective, %failure, "cannot read the metadata of the model");
            }
        }
        self.learning.store(false, Ordering::Relaxed);
    }

    /// Records the inputs of a version, as that endpoint describes them.
    fn learn(&self, mut inputs: Inputs, endpoint: &Endpoint) {
        if let Some(served) = self.served()
            && inputs.version.is_empty()
        {
            inputs.version.clone_from(&served.version);
        }
        if inputs.states_version {
            endpoint.record_version(&inputs.version);
        }
        {
            let mut seen = self.seen();
            let known = seen
                .iter()
                .position(|known| known.version == inputs.version);
            match known {
                Some(at) if *seen[at] == inputs => {}
                Some(at) => seen[at] = Arc::new(inputs),
                None => seen.push(Arc::new(inputs)),
            }
        }
        self.settle();
    }

    /// Forgets versions that no endpoint answers with, and makes the newest of the others the
    /// served one.
    fn settle(&self) {
        let answering = self.client.endpoints().versions();
        let mut seen = self.seen();
        let answered =
            |inputs: &Arc<Inputs>| answering.iter().any(|version| **version == inputs.version);
        if seen.iter().any(answered) {
            seen.retain(answered);
        }
        let Some(newest) = seen.last() else { return };
        if self.served.load().as_deref() != Some(&**newest) {
            tracing::info!(
                objective = self.client.objective,
                model = self.client.config.name,
                version = newest.version,
                inputs = newest.list.len(),
                "the model has described its inputs"
            );
            self.served.store(Some(Arc::clone(newest)));
        }
    }

    async fn ask(
        &self,
        version: &str,
        deadline: Deadline,
    ) -> Result<(Inputs, Arc<Endpoint>), Failure> {
        let config = &self.client.config;
        let deadline = self.client.within(deadline);
        let asking = self.client.call(deadline, |endpoint| {
            let mut request = Request::new(ModelMetadataRequest {
                name: config.name.clone(),
                version: version.to_owned(),
            });
            request.set_timeout(deadline.at.saturating_duration_since(Instant::now()));
            Ok(async move { endpoint.client().model_metadata(request).await })
        });
        let (metadata, endpoint) = asking.await.map_err(|error| match error {
            ModelError::Failed(failure) => failure,
            ModelError::PinnedVersionGone { reason, .. } => Failure::NotServed(reason),
            ModelError::Input(_) | ModelError::Internal { .. } => {
                Failure::Unavailable(error.to_string())
            }
        })?;
        let mut inputs = Inputs::from_metadata(metadata, &self.attributes);
        if let Some(packed) = &config.packed {
            let calibrator = std::mem::take(&mut inputs.calibrator);
            inputs = Inputs::from_packed(packed, inputs.version);
            inputs.calibrator = calibrator;
        }
        Ok((inputs, endpoint))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Inputs>>> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
