//! Steering over real sockets: bounds, force, rollback, ramps and the kill switch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking

use crate::common;

use std::{sync::Arc, time::Duration};

use common::{
    Combiner, Model, info, objective, request,
    weights::{Weights, at, bait, cause, change, get, ramp, set, values},
};
use counterweight_proto::counterweight::v1::{
    KillWeightsRequest, ProfileRevision, RollbackWeightsRequest, StartRampRequest, StopRampRequest,
    WatchWeightsRequest, WeightsAction, WeightsEntry,
};
use tonic::Code;

const PROFILES: &str = r#"
[profile.default]
weights = { engagement = 1.0, engagement_bait = -0.5 }
safe = { engagement = 1.0, engagement_bait = -4.0 }
[profile.default.bounds]
engagement = { sign = "non_negative" }
engagement_bait = { sign = "non_positive", min = -4.0, max_step = 1.0 }
[profile.other]
weights = { engagement = 1.0, engagement_bait = -0.5 }
"#;

/// Two models and a combiner whose profile `default` has bounds and a safe set.
async fn bounded() -> (Model, Model, Combiner) {
    let (e, b) = (Model::start("xe"), Model::start("xb"));
    let combiner = Combiner::start(&config(&e, &b)).await;
    (e, b, combiner)
}

fn config(e: &Model, b: &Model) -> String {
    format!(
        "{}{}{PROFILES}",
        objective("engagement", &[e.url()], "")
            .replace("[objective.model]", "base_rate = 0.2\n[objective.model]"),
        objective("engagement_bait", &[b.url()], "")
            .replace("[objective.model]", "base_rate = 0.1\n[objective.model]"),
    )
}

fn rollback(revision: u64, force: bool) -> RollbackWeightsRequest {
    RollbackWeightsRequest {
        revision,
        profiles: vec![at("default")],
        cause: cause("back"),
        force,
    }
}

/// Every entry up to one that ends as `last` says, from the first on.
async fn entries_until(
    client: &mut Weights,
    last: impl Fn(&WeightsEntry) -> bool,
) -> Vec<WeightsEntry> {
    let mut stream = client
        .watch_weights(WatchWeightsRequest { from_revision: 1 })
        .await
        .unwrap()
        .into_inner();
    let mut entries = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), stream.message());
        let entry = next.await.unwrap().unwrap().unwrap().entry.unwrap();
        entries.push(entry);
        if last(&entries[entries.len() - 1]) {
            return entries;
        }
    }
}

#[tokio::test]
async fn bounds_hold_every_change_that_is_not_forced_and_force_stands_in_the_history() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    let cases = [
        (
            "engagement_bait",
            0.1,
            Code::InvalidArgument,
            "above its maximum 0",
        ),
        (
            "engagement_bait",
            -4.5,
            Code::InvalidArgument,
            "below its minimum -4",
        ),
        (
            "engagement_bait",
            -1.6,
            Code::FailedPrecondition,
            "from -0.5 to -1.6 in one step, and its largest step is 1",
        ),
        (
            "engagement",
            -0.1,
            Code::InvalidArgument,
            "below its minimum 0",
        ),
    ];
    for (objective, weight, code, text) in cases {
        let request = set(vec![change("default", &[(objective, weight)], None)]);
        let status = client.set_weights(request).await.unwrap_err();
        let (reason, facts) = info(&status);
        assert_eq!((status.code(), reason.as_str()), (code, "OUT_OF_BOUNDS"));
        assert_eq!(facts["objective"], objective);
        assert!(status.message().contains(text), "{}", status.message());
    }
    let done = client.set_weights(bait(-1.5, Some(0))).await.unwrap();
    assert_eq!(done.into_inner().entry.unwrap().revision, 1);
    // Another profile has no bounds.
    let other = set(vec![change("other", &[("engagement_bait", 9.0)], None)]);
    client.set_weights(other).await.unwrap();

    let mut forced = bait(3.0, None);
    forced.force = true;
    client.set_weights(forced).await.unwrap();
    let entries = entries_until(&mut client, |entry| entry.revision == 3).await;
    let forced: Vec<bool> = entries.iter().map(|entry| entry.forced).collect();
    assert_eq!(forced, [false, false, true]);
}

#[tokio::test]
async fn a_rollback_is_a_new_entry_within_the_bounds() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    for weight in [-1.0, -2.0, -3.0] {
        client.set_weights(bait(weight, None)).await.unwrap();
    }
    let back = client.rollback_weights(rollback(2, false)).await.unwrap();
    let entry = back.into_inner().entry.unwrap();
    assert_eq!((entry.revision, entry.restored_revision), (4, 2));
    assert_eq!(entry.action(), WeightsAction::Rollback);
    assert_eq!(values(&get(&mut client, "default").await), [1.0, -2.0]);

    // Revision 0 is the configuration: too far for one step, but not by force.
    let status = client
        .rollback_weights(rollback(0, false))
        .await
        .unwrap_err();
    assert_eq!(info(&status).0, "OUT_OF_BOUNDS");
    let forced = client.rollback_weights(rollback(0, true)).await.unwrap();
    assert!(forced.into_inner().entry.unwrap().forced);
    assert_eq!(values(&get(&mut client, "default").await), [1.0, -0.5]);

    // The state right after a revision, whichever entry made it.
    let other = set(vec![change("other", &[("engagement", 2.0)], None)]);
    let other = client.set_weights(other).await.unwrap().into_inner();
    let back = client
        .rollback_weights(rollback(other.entry.unwrap().revision, false))
        .await;
    assert_eq!(
        values(&back.unwrap().into_inner().entry.unwrap().profiles[0]),
        [1.0, -0.5]
    );

    let lost = RollbackWeightsRequest {
        profiles: vec![ProfileRevision {
            expected_revision: Some(1),
            ..at("default")
        }],
        ..rollback(2, true)
    };
    let status = client.rollback_weights(lost).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(info(&status).1["current_revision"], "7");
    let status = client
        .rollback_weights(rollback(99, true))
        .await
        .unwrap_err();
    assert_eq!(info(&status).0, "FUTURE_REVISION");
    let twice = RollbackWeightsRequest {
        profiles: vec![at("default"), at("")],
        ..rollback(2, true)
    };
    let status = client.rollback_weights(twice).await.unwrap_err();
    assert_eq!(info(&status).0, "DUPLICATE_PROFILE");
    let none = RollbackWeightsRequest {
        profiles: vec![],
        ..rollback(2, true)
    };
    let status = client.rollback_weights(none).await.unwrap_err();
    assert_eq!(info(&status).1["field"], "profiles");
}

#[tokio::test]
async fn a_ramp_walks_in_even_steps_to_the_target_and_every_step_is_an_entry() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    let target = [("engagement", 0.5), ("engagement_bait", -3.5)];
    let started = client.start_ramp(ramp(&target, 300, 12)).await.unwrap();
    let started = started.into_inner().entry.unwrap();
    assert_eq!(started.action(), WeightsAction::RampStarted);
    let entries = entries_until(&mut client, |entry| {
        entry.ramp_step != 0 && entry.ramp_step == entry.ramp_steps
    })
    .await;
    let end = &entries.last().unwrap().profiles[0];
    assert_eq!(values(end), [0.5, -3.5], "the target, to the bit");
    assert!(end.ramp.is_none(), "it is over");
    let mut last = (0, -0.5);
    for entry in &entries[1..] {
        assert_eq!(entry.action(), WeightsAction::RampStep);
        assert_eq!(
            (entry.author.as_str(), entry.reason.as_str()),
            ("ana", "slowly")
        );
        let now = (entry.ramp_step, values(&entry.profiles[0])[1]);
        assert!(now.0 > last.0 && now.1 < last.1, "{last:?} then {now:?}");
        assert!(last.1 - now.1 <= 1.0 + 1e-9, "within the largest step");
        last = now;
    }
    let answer = combiner.ranking().await.rank(request(&[0.5], &[0.5])).await;
    assert_eq!(answer.unwrap().into_inner().revision, end.revision);
}

#[tokio::test]
async fn a_ramp_is_stopped_by_a_call_and_by_every_other_change() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    let hour = ramp(&[("engagement_bait", -3.5)], 3_600_000, 0);
    let stop = StopRampRequest {
        profile: Some(at("default")),
        cause: cause("enough"),
    };
    let status = client.stop_ramp(stop.clone()).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "NO_RAMP")
    );

    let started = client.start_ramp(hour.clone()).await.unwrap().into_inner();
    assert_eq!(
        started.entry.unwrap().profiles[0]
            .ramp
            .as_ref()
            .unwrap()
            .steps,
        20
    );
    let running = get(&mut client, "default").await.ramp.unwrap();
    assert_eq!((running.step, running.steps), (0, 20));
    let stopped = client.stop_ramp(stop).await.unwrap().into_inner();
    assert_eq!(stopped.entry.unwrap().action(), WeightsAction::RampStopped);
    assert!(get(&mut client, "default").await.ramp.is_none());

    client.start_ramp(hour.clone()).await.unwrap();
    client.set_weights(bait(-1.0, None)).await.unwrap();
    assert!(get(&mut client, "default").await.ramp.is_none());
    client.start_ramp(hour.clone()).await.unwrap();
    client.rollback_weights(rollback(0, false)).await.unwrap();
    assert!(get(&mut client, "default").await.ramp.is_none());
    client.start_ramp(hour).await.unwrap();
    let kill = KillWeightsRequest {
        profile: String::new(),
        cause: cause("stop it"),
        local: false,
    };
    let killed = client.kill_weights(kill).await.unwrap().into_inner();
    assert_eq!(killed.without_safe_set, ["other"]);
    let entry = killed.entry.unwrap();
    assert_eq!(
        (entry.action(), entry.profiles.len()),
        (WeightsAction::Kill, 1)
    );
    let now = get(&mut client, "default").await;
    assert_eq!(values(&now), [1.0, -4.0], "further than a step may be");
    assert!(now.ramp.is_none() && now.bindings.is_empty());
}

#[tokio::test]
async fn a_ramp_goes_on_after_a_restart_and_where_its_clock_has_run_out_it_ends_at_once() {
    let (e, b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    client
        .start_ramp(ramp(&[("engagement_bait", -3.5)], 1_000, 10))
        .await
        .unwrap();
    let folder = combiner.stop().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let combiner = Combiner::start_in(&config(&e, &b), Arc::clone(&folder)).await;
    let mut client = combiner.weights().await;
    let entries = entries_until(&mut client, |entry| entry.ramp_step == 10).await;
    assert_eq!(values(&entries.last().unwrap().profiles[0]), [1.0, -3.5]);
    for pair in entries.windows(2) {
        let moved = values(&pair[0].profiles[0])[1] - values(&pair[1].profiles[0])[1];
        assert!(
            (0.0..=1.0 + 1e-9).contains(&moved),
            "in steps within the bound"
        );
    }
}

#[tokio::test]
async fn ramps_that_can_not_be_walked_are_refused_and_say_what_would_do() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    let target = [("engagement_bait", -3.9)];
    let status = client
        .start_ramp(ramp(&target, 1_000, 2))
        .await
        .unwrap_err();
    let (reason, facts) = info(&status);
    assert_eq!(
        (status.code(), reason.as_str()),
        (Code::InvalidArgument, "WRONG_RAMP")
    );
    let sufficient: u32 = facts["sufficient_steps"].parse().unwrap();
    let one_fewer = ramp(&target, 1_000, sufficient - 1);
    assert_eq!(
        info(&client.start_ramp(one_fewer).await.unwrap_err()).1["sufficient_steps"],
        sufficient.to_string()
    );
    let opposite = set(vec![change(
        "other",
        &[("engagement", -2.0), ("engagement_bait", 1.0)],
        None,
    )]);
    client.set_weights(opposite).await.unwrap();
    let cases: [(StartRampRequest, &str, &str); 9] = [
        (ramp(&target, 0, 5), "FIELD", "duration"),
        (ramp(&target, 400 * 24 * 3_600_000, 5), "FIELD", "duration"),
        (
            ramp(&target, 1_000, 20_000),
            "WRONG_RAMP",
            "between 1 and 10000",
        ),
        (
            ramp(&[("engagement_bait", -4.1)], 1_000, 9),
            "OUT_OF_BOUNDS",
            "below its minimum",
        ),
        (
            ramp(&[("bait", -1.0)], 1_000, 9),
            "UNKNOWN_OBJECTIVE",
            "bait",
        ),
        (
            ramp(&[("engagement_bait", f64::NAN)], 1_000, 9),
            "WRONG_WEIGHT",
            "finite",
        ),
        (ramp(&[], 1_000, 9), "WRONG_WEIGHT", "no weight is sent"),
        (
            StartRampRequest {
                profile: Some(at("other")),
                ..ramp(&[("engagement", 2.0), ("engagement_bait", -1.0)], 1_000, 9)
            },
            "WRONG_RAMP",
            "opposite way",
        ),
        (
            StartRampRequest {
                cause: None,
                ..ramp(&target, 1_000, 9)
            },
            "FIELD",
            "author",
        ),
    ];
    for (request, reason, text) in cases {
        let status = client.start_ramp(request).await.expect_err(text);
        assert_eq!(info(&status).0, reason, "{status:?}");
        assert!(status.message().contains(text), "{}", status.message());
    }
    client
        .start_ramp(ramp(&target, 3_600_000, sufficient))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_kill_switch_needs_a_declared_safe_set_and_repeats_by_key() {
    let (_e, _b, combiner) = bounded().await;
    let mut client = combiner.weights().await;
    let kill = |profile: &str, key: &str| {
        let mut cause = cause("stop it").unwrap();
        cause.idempotency_key = key.into();
        KillWeightsRequest {
            profile: profile.into(),
            cause: Some(cause),
            local: false,
        }
    };
    let status = client.kill_weights(kill("other", "")).await.unwrap_err();
    assert_eq!(
        (status.code(), info(&status).0.as_str()),
        (Code::FailedPrecondition, "NO_SAFE_SET")
    );
    let status = client.kill_weights(kill("home", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let first = client
        .kill_weights(kill("default", "k"))
        .await
        .unwrap()
        .into_inner();
    let again = client
        .kill_weights(kill("default", "k"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let status = client.kill_weights(kill("", "k")).await.unwrap_err();
    assert_eq!(info(&status).0, "IDEMPOTENCY_KEY_REUSED");
    let mut other_call = bait(-4.0, None);
    other_call.cause.as_mut().unwrap().idempotency_key = "k".into();
    let status = client.set_weights(other_call).await.unwrap_err();
    assert_eq!(info(&status).0, "IDEMPOTENCY_KEY_REUSED");
}
