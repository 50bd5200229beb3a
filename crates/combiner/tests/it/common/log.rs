//! Reading the log of recent requests, and recomputing from it what Rank answered.

use counterweight_proto::counterweight::v1::{
    LoggedRequest, RankResponse, ReadLogRequest, ranking_service_client::RankingServiceClient,
};
use tonic::{Status, transport::Channel};

/// The recent requests that a combiner keeps.
pub async fn read_log(
    client: &mut RankingServiceClient<Channel>,
    profile: &str,
) -> Result<Vec<LoggedRequest>, Status> {
    let request = ReadLogRequest {
        profile: profile.into(),
    };
    let mut stream = client.read_log(request).await?.into_inner();
    let mut requests = Vec::new();
    while let Some(message) = stream.message().await? {
        requests.push(message.request.unwrap());
    }
    Ok(requests)
}

/// Every score, contribution and place of an answer from the log alone.
pub fn assert_same(logged: &LoggedRequest, answer: &RankResponse) {
    assert_eq!(logged.request_id, answer.request_id);
    assert_eq!(
        (
            &logged.profile,
            logged.revision,
            &logged.segment,
            &logged.arm
        ),
        (
            &answer.profile,
            answer.revision,
            &answer.segment,
            &answer.arm
        )
    );
    assert_eq!(logged.draw, answer.draw);
    assert!(logged.candidate_ids.is_sorted());
    for (logged, answer) in logged.objectives.iter().zip(&answer.objectives) {
        assert_eq!(
            (&logged.name, logged.weight.to_bits()),
            (&answer.name, answer.weight.to_bits())
        );
        assert_eq!(
            (&logged.model_version, &logged.calibrator),
            (&answer.model_version, &answer.calibrator)
        );
    }
    let page: Vec<&str> = logged
        .page
        .iter()
        .map(|&at| &*logged.candidate_ids[at as usize])
        .collect();
    let answered: Vec<&str> = answer.candidates.iter().map(|one| &*one.id).collect();
    assert_eq!(page, answered);
    let score = |at: usize| {
        logged.objectives.iter().fold(0.0, |score, objective| {
            score + (objective.weight * objective.probabilities[at] + 0.0)
        })
    };
    for (&at, candidate) in logged.page.iter().zip(&answer.candidates) {
        let at = at as usize;
        assert_eq!(score(at).to_bits(), candidate.score.to_bits());
        let p: Vec<f64> = logged
            .objectives
            .iter()
            .map(|o| o.probabilities[at])
            .collect();
        assert_eq!(p, candidate.probabilities);
    }
    // Nothing that was not shown would have come before what was.
    let mut order: Vec<usize> = (0..logged.candidate_ids.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    let shown: Vec<usize> = logged.page.iter().map(|&at| at as usize).collect();
    assert_eq!(order[..shown.len()], shown);
    assert_eq!(shown.len(), (logged.k as usize).min(order.len()));
}
