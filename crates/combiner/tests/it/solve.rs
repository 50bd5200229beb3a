//! SolveWeights over a real socket: the weight that it gives, applied, does what it promised, and
//! no other does it better.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use common::{
    Combiner,
    audience::{any_of, exploration, segment, segments, text},
    info,
    replay::{THREE_COLUMNS, exposures, rank_all, requests},
    weights::{Weights, bait, change, set},
};
use counterweight_proto::counterweight::v1::{
    Exploration, Preview, PreviewWeightsRequest, ProfileChange, SetWeightsRequest,
    SolveWeightsRequest, SolveWeightsResponse, solve_weights_request::Goal,
};
use tonic::{Code, Status};

const K: u32 = 6;

fn asked(goal: Goal) -> SolveWeightsRequest {
    SolveWeightsRequest {
        goal: Some(goal),
        k: K,
        ..Default::default()
    }
}

async fn solve(client: &mut Weights, goal: Goal) -> Result<SolveWeightsResponse, Status> {
    let response = client.solve_weights(asked(goal)).await?;
    Ok(response.into_inner())
}

/// Engagement and bait on the recent requests under a weight of bait.
async fn at_weight(client: &mut Weights, weight: f64) -> (f64, f64) {
    let request = PreviewWeightsRequest {
        change: Some(change("default", &[("engagement_bait", weight)], None)),
        k: K,
    };
    let response = client.preview_weights(request).await.unwrap();
    after(&response.into_inner().preview.unwrap())
}

fn after(preview: &Preview) -> (f64, f64) {
    let value = |at: usize| preview.exposures[at].after.unwrap().value;
    (value(0), value(1))
}

fn newcomers(sets: &[(&str, f64)]) -> ProfileChange {
    let conditions = vec![any_of("tier", vec![text("new")])];
    segments(vec![segment("newcomers", conditions, sets)])
}

fn forced(changes: Vec<ProfileChange>) -> SetWeightsRequest {
    SetWeightsRequest {
        force: true,
        ..set(changes)
    }
}

/// Checks one answer against its promise, then applies it and ranks the same requests again.
async fn assert_kept(combiner: &Combiner, goal: Goal) -> SolveWeightsResponse {
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    let asked = requests(150, 99);
    let answer = solve(&mut weights, goal).await.unwrap();
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-12;
    let preview = answer.preview.as_ref().unwrap();
    let (engagement, bait) = after(preview);
    assert!(
        near(engagement, answer.engagement) && near(bait, answer.bait),
        "{answer:?}"
    );
    let solved = answer.solved.as_ref().unwrap();
    assert_eq!((&*solved.objective, preview.k), ("engagement_bait", K));
    assert_eq!(preview.after[1].weight, solved.weight);
    let range = answer.range.unwrap();
    assert!(
        range.low < solved.weight && solved.weight < range.high,
        "{range:?} {solved:?}"
    );
    let limit = |found: (f64, f64)| match goal {
        Goal::BaitBudget(budget) => (found.1 <= budget + 1e-12, found.0),
        Goal::MinEngagement(least) => (found.0 >= least - 1e-12, -found.1),
        Goal::ExchangeRate(rate) => (true, found.0 - rate * found.1),
    };
    let (kept, best) = limit((answer.engagement, answer.bait));
    assert!(kept, "{goal:?}: {answer:?}");
    for step in 0..=60 {
        let weight = -f64::from(step * step) / 180.0;
        let found = at_weight(&mut weights, weight).await;
        let (kept, worth) = limit(found);
        assert!(
            !kept || worth <= best + 1e-12,
            "{goal:?}: {weight} is better"
        );
    }
    // Everything promised holds all over the range.
    let low = range.low.max(-20.0);
    for share in [0.01, 0.5, 0.99] {
        let weight = low + share * (range.high - low);
        let found = at_weight(&mut weights, weight).await;
        assert!(
            near(found.0, engagement) && near(found.1, bait),
            "{weight} in {range:?}"
        );
    }
    let change = change("default", &[("engagement_bait", solved.weight)], None);
    weights.set_weights(forced(vec![change])).await.unwrap();
    let shown = exposures(&rank_all(&mut ranking, &asked).await, K as usize);
    assert!(
        near(shown[0], answer.engagement) && near(shown[1], answer.bait),
        "{shown:?}"
    );
    answer
}

#[tokio::test]
async fn a_solved_weight_applied_does_what_it_promised() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    // The same requests are ranked again after each answer, so that means over the recent requests
    // stay what they are.
    rank_all(&mut ranking, &requests(150, 99)).await;
    let (engagement, bait) = at_weight(&mut weights, -0.5).await;
    let budget = assert_kept(&combiner, Goal::BaitBudget(bait * 0.7)).await;
    assert!(budget.bait <= bait * 0.7 + 1e-12 && budget.bait > bait * 0.6);
    let least = assert_kept(&combiner, Goal::MinEngagement(engagement * 0.95)).await;
    assert!(least.engagement >= engagement * 0.95 - 1e-12);
    assert_kept(&combiner, Goal::ExchangeRate(0.8)).await;
    // A promise is exact: the budget that an answer has just reached is kept by it.
    assert_kept(&combiner, Goal::BaitBudget(budget.bait)).await;
}

#[tokio::test]
async fn requests_with_another_weight_in_its_place_count_as_they_are() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    rank_all(&mut ranking, &requests(150, 99)).await;
    let held = newcomers(&[("engagement_bait", -0.2), ("engagement", 1.3)]);
    weights.set_weights(set(vec![held])).await.unwrap();
    let (_, bait) = at_weight(&mut weights, -0.5).await;
    assert_kept(&combiner, Goal::BaitBudget(bait * 0.9)).await;
    let other = newcomers(&[("engagement", 0.6), ("hide", -3.0)]);
    weights.set_weights(set(vec![other])).await.unwrap();
    let (_, bait) = at_weight(&mut weights, -0.5).await;
    assert_kept(&combiner, Goal::BaitBudget(bait * 0.8)).await;

    // Nobody is left to whom the sought weight applies.
    let explores = exploration(Some(Exploration {
        low: 0.1,
        high: 2.0,
        seed: 5,
        ..Default::default()
    }));
    weights.set_weights(set(vec![explores])).await.unwrap();
    let status = solve(&mut weights, Goal::BaitBudget(0.3))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(
        status.message().contains("segments, arms or exploration replace it"),
        "{status}"
    );
    // The third objective's weight is not drawn.
    let third = SolveWeightsRequest {
        objective: "hide".into(),
        ..asked(Goal::BaitBudget(1.0))
    };
    let answer = weights.solve_weights(third).await.unwrap().into_inner();
    assert_eq!(answer.solved.unwrap().objective, "hide");
    let exposure = answer.preview.unwrap().exposures[2].after.unwrap().value;
    assert!((answer.bait - exposure).abs() <= 1e-12);
}

#[tokio::test]
async fn what_no_weight_reaches_is_refused_with_what_can_be_reached() {
    let narrow = THREE_COLUMNS.replace("min = -20.0", "min = -1.0");
    let combiner = Combiner::start(&narrow).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    rank_all(&mut ranking, &requests(80, 5)).await;
    let (_, far) = at_weight(&mut weights, -8.0).await;
    let (_, least) = at_weight(&mut weights, -1.0).await;
    assert!(far < least);
    for budget in [0.0, far] {
        let status = solve(&mut weights, Goal::BaitBudget(budget))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        let (reason, facts) = info(&status);
        assert_eq!(reason, "OUT_OF_REACH");
        let reachable: f64 = facts["reachable"].parse().unwrap();
        let weight: f64 = facts["weight"].parse().unwrap();
        assert!((-1.0..=0.0).contains(&weight));
        let found = at_weight(&mut weights, weight).await.1;
        assert!((found - reachable).abs() <= 1e-12 && reachable > budget);
        assert!(status.message().contains("widen the bounds"), "{status}");
        // Asked for just that, it is found.
        let answer = solve(&mut weights, Goal::BaitBudget(reachable))
            .await
            .unwrap();
        assert!(answer.bait <= reachable + 1e-12);
        assert!((-1.0..=0.0).contains(&answer.solved.unwrap().weight));
    }
    let status = solve(&mut weights, Goal::MinEngagement(1.0))
        .await
        .unwrap_err();
    let highest: f64 = info(&status).1["reachable"].parse().unwrap();
    assert!(highest < 1.0);
    assert!(
        solve(&mut weights, Goal::MinEngagement(highest))
            .await
            .is_ok()
    );

    let without = change("default", &[("engagement", 0.0)], None);
    weights.set_weights(set(vec![without])).await.unwrap();
    let status = solve(&mut weights, Goal::BaitBudget(0.5))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("set it above 0"), "{status}");
}

#[tokio::test]
async fn every_wrong_question_names_its_field() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    let status = solve(&mut weights, Goal::BaitBudget(0.5))
        .await
        .unwrap_err();
    assert_eq!(
        (status.code(), &*info(&status).0),
        (Code::FailedPrecondition, "NO_RECENT_REQUESTS")
    );
    rank_all(&mut ranking, &requests(5, 5)).await;
    let none = SolveWeightsRequest::default();
    let first = SolveWeightsRequest {
        objective: "engagement".into(),
        ..asked(Goal::BaitBudget(0.5))
    };
    let wrong = [
        (none, "goal"),
        (asked(Goal::BaitBudget(-0.1)), "bait_budget"),
        (asked(Goal::BaitBudget(f64::NAN)), "bait_budget"),
        (asked(Goal::MinEngagement(1.1)), "min_engagement"),
        (asked(Goal::ExchangeRate(-1.0)), "exchange_rate"),
        (asked(Goal::ExchangeRate(f64::INFINITY)), "exchange_rate"),
        (first, "objective"),
    ];
    for (request, field) in wrong {
        let status = weights.solve_weights(request).await.unwrap_err();
        assert_eq!(
            (status.code(), &*info(&status).1["field"]),
            (Code::InvalidArgument, field)
        );
    }
    let unknown = SolveWeightsRequest {
        objective: "hid".into(),
        ..asked(Goal::BaitBudget(0.5))
    };
    let status = weights.solve_weights(unknown).await.unwrap_err();
    assert!(
        status.message().contains("did you mean \"hide\"?"),
        "{status}"
    );
    let unknown = SolveWeightsRequest {
        profile: "defalt".into(),
        ..asked(Goal::BaitBudget(0.5))
    };
    let status = weights.solve_weights(unknown).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn a_solution_far_away_says_that_it_takes_smaller_steps() {
    let combiner = Combiner::start(THREE_COLUMNS).await;
    let (mut ranking, mut weights) = (combiner.ranking().await, combiner.weights().await);
    rank_all(&mut ranking, &requests(80, 5)).await;
    let (_, far) = at_weight(&mut weights, -6.0).await;
    let answer = solve(&mut weights, Goal::BaitBudget(far)).await.unwrap();
    let refusal = answer.preview.unwrap().refusal;
    let weight = answer.solved.unwrap().weight;
    assert!(weight < -1.5, "{weight}");
    assert!(refusal.contains("its largest step is 1"), "{refusal}");
    let refused = weights.set_weights(bait(weight, None)).await.unwrap_err();
    assert_eq!(refused.message(), refusal);
}
