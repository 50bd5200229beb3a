//! WeightsService: authorises, decodes, calls, encodes.

mod audience;
mod decode;
mod encode;
mod preview;
mod watch;

pub(crate) use self::watch::NewestMessage;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use counterweight_proto::counterweight::v1 as pb;
use counterweight_proto::counterweight::v1::weights_service_server::WeightsService;
use counterweight_serving::{Call, Lifecycle};
use prost::Message as _;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::authorise::{Permission, authorise};
use crate::{
    engine::Engine,
    error::RequestError,
    served::check_restorable,
    weights::{
        Cause, Command, Context, Entry, ProfileAtRevision, RequestContext, Restored, now_ms,
    },
};

/// The longest that a preview or a solution may take.
const LONGEST_PREVIEW: Duration = Duration::from_secs(60);

/// The live weights over gRPC.
#[derive(Debug, Clone)]
pub(crate) struct WeightsApi {
    pub(crate) engine: Arc<Engine>,
    /// Ends the watches when the server closes.
    pub(crate) lifecycle: Lifecycle,
    /// What watchers share.
    pub(crate) newest: Arc<NewestMessage>,
}

/// The most bytes of entries on a page of the history, unless one alone has more.
const PAGE_MAX_BYTES: usize = 1 << 20;

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
        let context = self.engine.context(request.force).await;
        let (cause, changes) = decode::set(request)?;
        let entry = self.change(cause, context, Command::Set(changes)).await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::SetWeightsResponse { entry }))
    }

    async fn rollback_weights(
        &self,
        request: Request<pb::RollbackWeightsRequest>,
    ) -> Answer<pb::RollbackWeightsResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let request = request.into_inner();
        let (revision, forced) = (request.revision, request.force);
        let (cause, profiles) = decode::rollback(request)?;
        let profiles = self.restored(revision, profiles, forced).await?;
        let context = self.engine.context(forced).await;
        let command = Command::Rollback { revision, profiles };
        let entry = self.change(cause, context, command).await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::RollbackWeightsResponse { entry }))
    }

    async fn start_ramp(
        &self,
        request: Request<pb::StartRampRequest>,
    ) -> Answer<pb::StartRampResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let request = request.into_inner();
        let context = self.engine.context(request.force).await;
        let (cause, plan) = decode::start_ramp(request, now_ms(&*self.engine.config.clock))?;
        let command = Command::StartRamp(plan);
        let entry = self.change(cause, context, command).await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::StartRampResponse { entry }))
    }

    async fn stop_ramp(
        &self,
        request: Request<pb::StopRampRequest>,
    ) -> Answer<pb::StopRampResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let (cause, at) = decode::stop_ramp(request.into_inner())?;
        // It binds no weights, so it waits for no model.
        let context = Context::default();
        let entry = self.change(cause, context, Command::StopRamp(at)).await?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::StopRampResponse { entry }))
    }

    async fn kill_weights(
        &self,
        request: Request<pb::KillWeightsRequest>,
    ) -> Answer<pb::KillWeightsResponse> {
        authorise(Permission::KillWeights, request.metadata())?;
        let request = request.into_inner();
        let local = request.local;
        let (cause, profile) = decode::kill(request)?;
        let without_safe_set = match profile.as_str() {
            "" => encode::without_safe_set(&self.engine.config),
            _ => Vec::new(),
        };
        if local {
            let killed = self.engine.weights.kill_locally(cause, &profile).await;
            let killed = killed.map_err(RequestError::from)?;
            return Ok(Response::new(pb::KillWeightsResponse {
                entry: None,
                without_safe_set,
                local_kill: Some(encode::local_kill(killed)),
            }));
        }
        let context = Context::default();
        let entry = self.change(cause, context, Command::Kill(profile)).await?;
        Ok(Response::new(pb::KillWeightsResponse {
            entry: Some(encode::entry(&entry)),
            without_safe_set,
            local_kill: None,
        }))
    }

    async fn skip_entry(
        &self,
        request: Request<pb::SkipEntryRequest>,
    ) -> Answer<pb::SkipEntryResponse> {
        authorise(Permission::ChangeWeights, request.metadata())?;
        let (cause, revision) = decode::skip(request.into_inner())?;
        let skipping = self.engine.weights.skip(cause, revision).await;
        let entry = skipping.map_err(RequestError::from)?;
        let entry = Some(encode::entry(&entry));
        Ok(Response::new(pb::SkipEntryResponse { entry }))
    }

    async fn list_revisions(
        &self,
        request: Request<pb::ListRevisionsRequest>,
    ) -> Answer<pb::ListRevisionsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let asked = decode::page(&request.into_inner(), &self.engine.config)?;
        let profile = asked.profile.as_deref();
        let weights = &self.engine.weights;
        let size = |entry: &Entry| encode::entry(entry).encoded_len();
        let most = (PAGE_MAX_BYTES, size);
        let page = weights.page(profile, asked.before, asked.count, most).await;
        Ok(Response::new(encode::page(
            &page.map_err(RequestError::from)?,
        )))
    }

    async fn get_revision(
        &self,
        request: Request<pb::GetRevisionRequest>,
    ) -> Answer<pb::GetRevisionResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let request = request.into_inner();
        let weights = &self.engine.weights;
        let entry = match decode::repeat(&request)? {
            Some(cause) => weights.repeated(&cause).await.map_err(RequestError::from)?,
            None => Some(
                weights
                    .revision(request.revision)
                    .await
                    .map_err(RequestError::from)?,
            ),
        };
        let Some(entry) = entry else {
            return Ok(Response::new(pb::GetRevisionResponse::default()));
        };
        let before = weights
            .states_before(&entry)
            .await
            .map_err(RequestError::from)?;
        Ok(Response::new(encode::revision(&entry, &before)))
    }

    async fn verify_weights(
        &self,
        request: Request<pb::VerifyWeightsRequest>,
    ) -> Answer<pb::VerifyWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let expected_hash = decode::expected_hash(&request.into_inner())?;
        let verified = self.engine.weights.verify(&expected_hash).await;
        Ok(Response::new(encode::verified(
            verified.map_err(RequestError::from)?,
            &expected_hash,
        )))
    }

    type WatchWeightsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWeightsResponse, Status>> + Send>>;

    async fn watch_weights(
        &self,
        request: Request<pb::WatchWeightsRequest>,
    ) -> Answer<Self::WatchWeightsStream> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let from = request.into_inner().from_revision;
        let stream = watch::watch(&self.engine, &self.lifecycle, &self.newest, from)?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn preview_weights(
        &self,
        mut request: Request<pb::PreviewWeightsRequest>,
    ) -> Answer<pb::PreviewWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let call = preview_call(&mut request);
        let (change, k) = preview::decode_preview(request.into_inner())?;
        let context = self.engine.context(false).await;
        let previewing = crate::preview::preview(&self.engine, &call, context, change, k);
        let previewed = self.until_closing(previewing).await?;
        let preview = Some(preview::encode_preview(&self.engine.config, previewed));
        Ok(Response::new(pb::PreviewWeightsResponse { preview }))
    }

    async fn solve_weights(
        &self,
        mut request: Request<pb::SolveWeightsRequest>,
    ) -> Answer<pb::SolveWeightsResponse> {
        authorise(Permission::ReadWeights, request.metadata())?;
        let call = preview_call(&mut request);
        let asked = preview::decode_solve(&self.engine.config, request.into_inner())?;
        let context = self.engine.context(false).await;
        let solving = crate::preview::solve(&self.engine, &call, context, asked);
        let answered = self.until_closing(solving).await?;
        Ok(Response::new(preview::encode_solved(
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
        let explained = in_force.explain(RequestContext {
            attributes: &audience::attributes(request.attributes)?,
            unit_id: &request.unit_id,
            request_id: &request.request_id,
        });
        Ok(Response::new(audience::explained(
            config, profile, &in_force, explained,
        )))
    }
}

/// The call of a preview, which has a deadline even when its caller sets none.
fn preview_call<T>(request: &mut Request<T>) -> Call {
    let mut call = Call::take_from(request);
    call.deadline = Some(call.until(LONGEST_PREVIEW));
    call
}

impl WeightsApi {
    /// What the work returns, unless the server closes before. Work that is dropped stops.
    async fn until_closing<T>(
        &self,
        work: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        tokio::select! {
            outcome = work => outcome,
            () = self.lifecycle.closing() => Err(RequestError::Draining),
        }
    }

    async fn change(
        &self,
        cause: Cause,
        context: Context,
        command: Command,
    ) -> Result<Arc<Entry>, RequestError> {
        Ok(self.engine.weights.change(cause, context, command).await?)
    }

    /// The states of the profiles at a revision.
    async fn restored(
        &self,
        revision: u64,
        profiles: Vec<ProfileAtRevision>,
        forced: bool,
    ) -> Result<Vec<Restored>, RequestError> {
        let (config, objectives) = (&self.engine.config, &self.engine.objectives);
        let mut positions = Vec::with_capacity(profiles.len());
        for at in &profiles {
            positions.push(config.profile(&at.profile)?);
        }
        let name = |position: usize| config.profiles[position].name.as_str();
        let names: Vec<&str> = positions.iter().map(|&position| name(position)).collect();
        let found = self.engine.weights.states_at(revision, &names).await?;
        let mut restored = Vec::with_capacity(profiles.len());
        for (at, position) in profiles.into_iter().zip(positions) {
            let then = found.get(name(position)).cloned();
            if let Some((_, state)) = &then
                && !forced
            {
                check_restorable(config, objectives, position, state).await?;
            }
            restored.push(Restored { at, then });
        }
        Ok(restored)
    }
}
