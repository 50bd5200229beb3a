//! WeightsService: decodes, calls, encodes.

use std::{pin::Pin, sync::Arc};

use counterweight_proto::counterweight::v1 as pb;
use counterweight_proto::counterweight::v1::weights_service_server::WeightsService;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    error::CombinerError,
    rank::Engine,
    weights::{
        Cause, Change, Entry, LogState, ObjectiveWeight, ProfileChange, ProfileState, Replica,
        digest, set,
    },
};

/// The longest reason, author or idempotency key, in bytes.
const TEXT_MAX_BYTES: usize = 4096;
/// Entries that a watcher who is behind reads at once.
const READ_AHEAD: usize = 256;

/// The live weights over gRPC.
#[derive(Debug, Clone)]
pub(crate) struct WeightsApi {
    pub(crate) engine: Arc<Engine>,
    /// Ends the watches when the server drains.
    pub(crate) draining: CancellationToken,
}

#[tonic::async_trait]
impl WeightsService for WeightsApi {
    async fn get_weights(
        &self,
        request: Request<pb::GetWeightsRequest>,
    ) -> Result<Response<pb::GetWeightsResponse>, Status> {
        let profile = request.into_inner().profile;
        Ok(Response::new(get(&self.engine, &profile).await?))
    }

    async fn set_weights(
        &self,
        request: Request<pb::SetWeightsRequest>,
    ) -> Result<Response<pb::SetWeightsResponse>, Status> {
        let (cause, changes) = decode(request.into_inner())?;
        let config = Arc::clone(&self.engine.config);
        let entry = self
            .commit(cause, move |log| set(&config, log, &changes).map(Some))
            .await?;
        Ok(Response::new(pb::SetWeightsResponse {
            revision: entry.revision,
            hash: entry.hash.clone(),
            profiles: entry
                .change
                .profiles
                .iter()
                .map(|set| profile(set, entry.revision))
                .collect(),
        }))
    }

    type WatchWeightsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWeightsResponse, Status>> + Send>>;

    async fn watch_weights(
        &self,
        request: Request<pb::WatchWeightsRequest>,
    ) -> Result<Response<Self::WatchWeightsStream>, Status> {
        let last = self.engine.weights.applied();
        let next = match request.into_inner().from_revision {
            0 => last + 1,
            revision if revision > last + 1 => {
                return Err(CombinerError::FutureRevision {
                    field: "from_revision",
                    revision,
                    last,
                }
                .into());
            }
            revision => revision,
        };
        // One entry in flight: a slow watcher waits in its own task and nowhere else.
        let (sender, receiver) = mpsc::channel(1);
        let watch = Watch {
            engine: Arc::clone(&self.engine),
            draining: self.draining.clone(),
            sender,
            next,
        };
        tokio::spawn(watch.run());
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

impl WeightsApi {
    /// Writes in a task of its own, so that a caller who goes away leaves nothing half done.
    async fn commit(
        &self,
        cause: Cause,
        plan: impl Fn(&LogState) -> Result<Option<Change>, CombinerError> + Send + Sync + 'static,
    ) -> Result<Arc<Entry>, CombinerError> {
        let weights = Arc::clone(&self.engine.weights);
        let outcome = tokio::spawn(async move { weights.commit(cause, plan).await }).await;
        let entry = outcome.map_err(|error| CombinerError::Internal {
            what: error.to_string(),
        })??;
        entry.ok_or_else(|| CombinerError::Internal {
            what: "a request changed nothing".to_owned(),
        })
    }
}

/// One watcher: reads the log from a revision on, and waits at its end.
struct Watch {
    engine: Arc<Engine>,
    draining: CancellationToken,
    sender: mpsc::Sender<Result<pb::WatchWeightsResponse, Status>>,
    next: u64,
}

impl Watch {
    async fn run(mut self) {
        self.engine.metrics.watchers.inc();
        let draining = self.draining.clone();
        let end = tokio::select! {
            end = self.follow() => end,
            () = draining.cancelled() => Err(CombinerError::Draining),
        };
        self.engine.metrics.watchers.dec();
        if let Err(error) = end {
            // A watcher that has not read the last entry yet is not waited for: its stream just ends.
            let _ = self.sender.try_send(Err(error.into()));
        }
    }

    /// Ends when the watcher has gone.
    async fn follow(&mut self) -> Result<(), CombinerError> {
        let mut newest = self.engine.weights.subscribe();
        loop {
            let signalled = newest.borrow_and_update().clone();
            match signalled {
                Some(entry) if entry.revision == self.next => {
                    if !self.send(&entry).await {
                        return Ok(());
                    }
                }
                _ => {
                    for entry in self.read().await? {
                        if !self.send(&entry).await {
                            return Ok(());
                        }
                    }
                }
            }
            if self.next <= self.engine.weights.applied() {
                continue;
            }
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return Ok(()) },
                () = self.sender.closed() => return Ok(()),
            }
        }
    }

    async fn read(&self) -> Result<Vec<Entry>, CombinerError> {
        let applied = self.engine.weights.applied();
        if self.next > applied {
            return Ok(Vec::new());
        }
        let applied = usize::try_from(applied + 1 - self.next).unwrap_or(usize::MAX);
        let count = READ_AHEAD.min(applied);
        self.engine.weights.read(self.next, count).await
    }

    async fn send(&mut self, entry: &Entry) -> bool {
        self.next = entry.revision + 1;
        let message = pb::WatchWeightsResponse {
            entry: Some(encode(entry)),
        };
        self.sender.send(Ok(message)).await.is_ok()
    }
}

async fn get(engine: &Engine, name: &str) -> Result<pb::GetWeightsResponse, CombinerError> {
    let only = if name.is_empty() {
        None
    } else {
        Some(engine.config.profile(name)?)
    };
    let (applied_revision, in_force) = engine.weights.all();
    let profiles = in_force
        .iter()
        .enumerate()
        .filter(|(at, _)| only.is_none_or(|only| only == *at))
        .map(|(at, in_force)| profile(&in_force.state(&engine.config, at), in_force.revision))
        .collect();
    Ok(pb::GetWeightsResponse {
        profiles,
        applied_revision,
        replica: engine.config.replica.clone(),
        stale: engine.weights.lost_since().is_some(),
        replicas: engine
            .weights
            .replicas()
            .await?
            .into_iter()
            .map(replica)
            .collect(),
    })
}

fn replica(replica: Replica) -> pb::Replica {
    pb::Replica {
        name: replica.name,
        applied_revision: replica.applied,
        applied_hash: replica.hash,
        heard_ago: replica.heard.try_into().ok(),
        behind: replica.behind,
        problem: replica.problem,
    }
}

fn decode(request: pb::SetWeightsRequest) -> Result<(Cause, Vec<ProfileChange>), CombinerError> {
    let request_digest = digest(&request.encode_to_vec());
    let empty = |field, what: &str| CombinerError::Field {
        field,
        problem: format!("is empty; say {what}"),
    };
    if request.changes.is_empty() {
        return Err(empty("changes", "which profile to change"));
    }
    for (field, text, what) in [
        ("author", &request.author, Some("who asks")),
        ("reason", &request.reason, Some("why")),
        ("idempotency_key", &request.idempotency_key, None),
    ] {
        if let Some(what) = what
            && text.trim().is_empty()
        {
            return Err(empty(field, what));
        }
        if text.len() > TEXT_MAX_BYTES {
            let problem = format!("has {} bytes; send at most {TEXT_MAX_BYTES}", text.len());
            return Err(CombinerError::Field { field, problem });
        }
    }
    let cause = Cause {
        author: request.author,
        reason: request.reason,
        idempotency_key: if request.idempotency_key.is_empty() {
            Uuid::now_v7().to_string()
        } else {
            request.idempotency_key
        },
        request_digest,
    };
    let changes = request
        .changes
        .into_iter()
        .map(|change| ProfileChange {
            profile: change.profile,
            weights: change
                .weights
                .into_iter()
                .map(|wanted| ObjectiveWeight {
                    objective: wanted.objective,
                    weight: wanted.weight,
                })
                .collect(),
            expected_revision: change.expected_revision,
        })
        .collect();
    Ok((cause, changes))
}

fn encode(entry: &Entry) -> pb::WeightsEntry {
    pb::WeightsEntry {
        revision: entry.revision,
        profiles: entry
            .change
            .profiles
            .iter()
            .map(|set| profile(set, entry.revision))
            .collect(),
        author: entry.cause.author.clone(),
        reason: entry.cause.reason.clone(),
        time: Some(entry.time),
        hash: entry.hash.clone(),
        previous_hash: entry.previous.clone(),
        idempotency_key: entry.cause.idempotency_key.clone(),
    }
}

fn profile(set: &ProfileState, revision: u64) -> pb::ProfileWeights {
    pb::ProfileWeights {
        profile: set.profile.clone(),
        weights: set
            .weights
            .iter()
            .map(|set| pb::ObjectiveWeight {
                objective: set.objective.clone(),
                weight: set.weight,
            })
            .collect(),
        revision,
    }
}
