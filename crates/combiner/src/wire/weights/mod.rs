//! WeightsService: authorises, decodes, calls, encodes.

mod audience;
mod decode;
mod encode;
mod preview;
mod watch;

use std::{pin::Pin, sync::Arc};

use counterweight_proto::counterweight::v1 as pb;
use counterweight_proto::counterweight::v1::weights_service_server::WeightsService;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub(super) use self::encode::unconfirmed;
use super::authorise::{Permission, authorise};
use crate::{
    error::CombinerError,
    rank::Engine,
    weights::{
        Cause, Change, Entry, KnownAttributes, LogState, Planner, ProfileAt, Restored, Who, now_ms,
    },
};

/// The live weights over gRPC.
#[derive(Debug, Clone)]
pub(crate) struct WeightsApi {
    pub(crate) engine: Arc<Engine>,
    /// Ends the watches when the server drains.
    pub(crate) draining: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl WeightsService for WeightsApi {
    async fn get_weights(
        &self,
        request: Request<pb::GetWeightsRequest>,
    ) -> Answer<pb::GetWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let profile = request.into_inner().profile;
        Ok(Response::new(
            encode::weights(&self.engine, &profile).await?,
        ))
    }

    async fn set_weights(
        &self,
        request: Request<pb::SetWeightsRequest>,
    ) -> Answer<pb::SetWeightsResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let request = request.into_inner();
        let planner = self.planner(request.force).await;
        let (cause, changes) = decode::set(request)?;
        let entry = self
            .commit(cause, move |log| planner.set(log, &changes))
            .await?;
        Ok(Response::new(encode::set(&entry)))
    }

    async fn rollback_weights(
        &self,
        request: Request<pb::RollbackWeightsRequest>,
    ) -> Answer<pb::RollbackWeightsResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let request = request.into_inner();
        let (revision, forced) = (request.revision, request.force);
        let (cause, profiles) = decode::rollback(request)?;
        let restored = self.restored(revision, profiles, forced).await?;
        let planner = self.planner(forced).await;
        let entry = self
            .commit(cause, move |log| planner.rollback(log, revision, &restored))
            .await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::RollbackWeightsResponse { entry }))
    }

    async fn start_ramp(
        &self,
        request: Request<pb::StartRampRequest>,
    ) -> Answer<pb::StartRampResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let request = request.into_inner();
        let planner = self.planner(request.force).await;
        let (cause, plan) = decode::start_ramp(request, now_ms())?;
        let entry = self
            .commit(cause, move |log| planner.start_ramp(log, &plan))
            .await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::StartRampResponse { entry }))
    }

    async fn stop_ramp(
        &self,
        request: Request<pb::StopRampRequest>,
    ) -> Answer<pb::StopRampResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let (cause, at) = decode::stop_ramp(request.into_inner())?;
        let planner = self.unbinding_planner();
        let entry = self
            .commit(cause, move |log| planner.stop_ramp(log, &at))
            .await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::StopRampResponse { entry }))
    }

    async fn kill_weights(
        &self,
        request: Request<pb::KillWeightsRequest>,
    ) -> Answer<pb::KillWeightsResponse> {
        authorise(Permission::KillWeights, request.metadata())?;
        let (cause, profile) = decode::kill(request.into_inner())?;
        let without_safe_set = match profile.as_str() {
            "" => encode::without_safe_set(&self.engine.config),
            _ => Vec::new(),
        };
        let planner = self.unbinding_planner();
        let entry = self.commit(cause, move |_| planner.kill(&profile)).await?;
        Ok(Response::new(pb::KillWeightsResponse {
            entry: Some(encode::entry(&entry)),
            without_safe_set,
        }))
    }

    async fn list_revisions(
        &self,
        request: Request<pb::ListRevisionsRequest>,
    ) -> Answer<pb::ListRevisionsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let asked = decode::page(&request.into_inner(), &self.engine.config)?;
        let profile = asked.profile.as_deref();
        let weights = &self.engine.weights;
        let page = weights.page(profile, asked.before, asked.count).await?;
        Ok(Response::new(encode::page(&page)))
    }

    async fn get_revision(
        &self,
        request: Request<pb::GetRevisionRequest>,
    ) -> Answer<pb::GetRevisionResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let revision = request.into_inner().revision;
        let entry = self.engine.weights.revision(revision).await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::GetRevisionResponse { entry }))
    }

    async fn verify_weights(
        &self,
        request: Request<pb::VerifyWeightsRequest>,
    ) -> Answer<pb::VerifyWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let head = decode::head(&request.into_inner())?;
        let verified = self.engine.weights.verify(&head).await?;
        Ok(Response::new(encode::verified(verified, &head)))
    }

    type WatchWeightsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWeightsResponse, Status>> + Send>>;

    async fn watch_weights(
        &self,
        request: Request<pb::WatchWeightsRequest>,
    ) -> Answer<Self::WatchWeightsStream> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let from = request.into_inner().from_revision;
        let stream = watch::watch(&self.engine, &self.draining, from)?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn preview_weights(
        &self,
        request: Request<pb::PreviewWeightsRequest>,
    ) -> Answer<pb::PreviewWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let (change, k) = preview::asked(request.into_inner())?;
        let planner = self.planner(false).await;
        let previewed = crate::preview::preview(&self.engine, planner, change, k).await?;
        let preview = Some(preview::told(&self.engine.config, previewed));
        Ok(Response::new(pb::PreviewWeightsResponse { preview }))
    }

    async fn solve_weights(
        &self,
        request: Request<pb::SolveWeightsRequest>,
    ) -> Answer<pb::SolveWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let asked = preview::goal(&self.engine.config, request.into_inner())?;
        let planner = self.planner(false).await;
        let answered = crate::preview::solve(&self.engine, planner, asked).await?;
        Ok(Response::new(preview::solved(
            &self.engine.config,
            answered,
        )))
    }

    async fn explain_weights(
        &self,
        request: Request<pb::ExplainWeightsRequest>,
    ) -> Answer<pb::ExplainWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let request = request.into_inner();
        let config = &self.engine.config;
        let profile = config.profile(&request.profile)?;
        let in_force = self.engine.weights.in_force(profile);
        let explained = in_force.explain(Who {
            attributes: &audience::attributes(request.attributes)?,
            unit_id: &request.unit_id,
            request_id: &request.request_id,
        });
        Ok(Response::new(audience::explained(
            config, profile, &in_force, explained,
        )))
    }
}

impl WeightsApi {
    /// Writes in a task of its own, so that a caller who goes away leaves nothing half done.
    async fn commit(
        &self,
        cause: Cause,
        plan: impl Fn(&LogState) -> Result<Change, CombinerError> + Send + Sync + 'static,
    ) -> Result<Arc<Entry>, CombinerError> {
        let weights = Arc::clone(&self.engine.weights);
        let write = async move { weights.commit(cause, |log| plan(log).map(Some)).await };
        let outcome = tokio::spawn(write).await;
        let entry = outcome.map_err(|error| CombinerError::Internal {
            what: error.to_string(),
        })??;
        entry.ok_or_else(|| CombinerError::Internal {
            what: "a request changed nothing".to_owned(),
        })
    }

    /// Plans changes that are bound to what is served now.
    async fn planner(&self, forced: bool) -> Planner {
        Planner {
            config: Arc::clone(&self.engine.config),
            served: self.engine.served().await,
            attributes: self.engine.known_attributes(),
            forced,
        }
    }

    /// Plans changes that bind nothing, and so wait for no model.
    fn unbinding_planner(&self) -> Planner {
        Planner {
            config: Arc::clone(&self.engine.config),
            served: Vec::new(),
            attributes: KnownAttributes::default(),
            forced: false,
        }
    }

    /// What the profiles were at a revision.
    async fn restored(
        &self,
        revision: u64,
        profiles: Vec<ProfileAt>,
        forced: bool,
    ) -> Result<Vec<Restored>, CombinerError> {
        let mut positions = Vec::with_capacity(profiles.len());
        for at in &profiles {
            positions.push(self.engine.config.profile(&at.profile)?);
        }
        let name = |position: usize| self.engine.config.profiles[position].name.as_str();
        let names: Vec<&str> = positions.iter().map(|&position| name(position)).collect();
        let found = self.engine.weights.at(revision, &names).await?;
        let mut restored = Vec::with_capacity(profiles.len());
        for (at, position) in profiles.into_iter().zip(positions) {
            let then = found.get(name(position)).cloned();
            if let Some((_, state)) = &then
                && !forced
            {
                self.engine.check_holdable(position, state).await?;
            }
            restored.push(Restored { at, then });
        }
        Ok(restored)
    }
}
