//! One visit: the request, its page, and the events that will follow.

use counterweight_proto::counterweight::v1::{
    RankRequest, RankResponse, ranking_service_client::RankingServiceClient,
};
use counterweight_simulator::{Reaction, Visit};
use tonic::{Status, transport::Channel};

use crate::{
    error::UsersError,
    features::Accepted,
    pace::Running,
    played::{EVENT_TYPES, Played, Sent, Shown},
};

/// Ranks the candidates of a visit, for a page of so many places.
pub(crate) async fn rank(
    client: &mut RankingServiceClient<Channel>,
    accepted: &Accepted,
    visit: &Visit,
    places: usize,
) -> Result<Result<RankResponse, Status>, UsersError> {
    let mut request = RankRequest {
        request_id: visit.request_id().to_owned(),
        unit_id: visit.user_id().to_owned(),
        candidate_ids: visit.candidate_ids().map(str::to_owned).collect(),
        limit: u32::try_from(places).unwrap_or(u32::MAX),
        ..RankRequest::default()
    };
    accepted.add(&mut request, visit)?;
    let answer = client.rank(request).await;
    Ok(answer.map(tonic::Response::into_inner))
}

/// What the user of a visit does with the page that was ranked at a simulated time.
pub(crate) fn react(
    visit: &Visit,
    answer: RankResponse,
    ranked_ms: i64,
    pace: &Running,
) -> Result<Played, UsersError> {
    let page = answer.candidates.iter().map(|one| &*one.id);
    let reactions = visit.reactions(page)?;
    let shown = |reaction: Reaction| {
        let [first, second] = reaction.reacted;
        let mut types = EVENT_TYPES.into_iter();
        let events = [Some(reaction.seen), first, second].map(|happening| {
            let event_type = types.next()?;
            let happening = happening?;
            let candidate = &reaction.candidate_id;
            Some(Sent {
                event_id: format!("{}/{candidate}/{event_type}", answer.ranking_id),
                time_ms: pace.clock_ms(ranked_ms + happening.at_ms),
                after_window: happening.is_after_window(),
                copies: 0,
                first_sent_ms: None,
            })
        });
        Shown { reaction, events }
    };
    Ok(Played {
        shown: reactions.into_iter().map(shown).collect(),
        request_id: visit.request_id().to_owned(),
        user_id: visit.user_id().to_owned(),
        ranked_ms: pace.clock_ms(ranked_ms),
        ranking_id: answer.ranking_id,
    })
}
