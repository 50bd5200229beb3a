//! The decisions one by one, and the tasks that wait for them.

use std::time::{Duration, Instant};

use prometheus::{IntGauge, Registry};

use super::{
    Limiter, Outcome, Place,
    decisions::{Core, Decision},
};
use crate::Refusal;

const SECOND: Duration = Duration::from_secs(1);

/// Where only one request may be in progress, and it takes a second.
fn busy_core(most: usize) -> (Core<u32>, Instant) {
    let now = Instant::now();
    let mut core = Core::new(1, most, now);
    let Decision::Admitted(start) = core.arrive(now, None, 0, 0) else {
        panic!("the first request has a place");
    };
    let now = now + SECOND;
    core.ended(now, start, Outcome::Answered);
    core.free(now, start, true);
    assert!(matches!(
        core.arrive(now, None, 0, 0),
        Decision::Admitted(_)
    ));
    (core, now)
}

fn free(core: &mut Core<u32>, now: Instant) -> Option<u32> {
    // What the work took does not matter here.
    let start = core.start(now);
    core.free(now, start, false);
    core.grant(now).map(|(value, _)| value)
}

#[test]
fn a_request_waits_only_if_its_answer_is_expected_in_time() {
    let (mut core, now) = busy_core(100);
    let mut arrive = |seconds: u32| {
        let deadline = Some(now + seconds * SECOND);
        core.arrive(now, deadline, 1, seconds)
    };
    // One second until the place is free and one for the work; then two and one.
    assert!(matches!(arrive(3), Decision::Refused(wait) if wait == SECOND));
    assert!(matches!(arrive(4), Decision::Waiting { give_up, .. } if give_up == now + 3 * SECOND));
    assert!(matches!(arrive(4), Decision::Refused(wait) if wait == 2 * SECOND));
    assert!(matches!(arrive(5), Decision::Waiting { .. }));
    assert_eq!(core.waiting(), 2);
}

#[test]
fn the_oldest_goes_first_until_it_has_waited_too_long() {
    let (mut core, now) = busy_core(100);
    for value in 1..=4 {
        let deadline = Some(now + 20 * SECOND);
        assert!(matches!(
            core.arrive(now, deadline, 1, value),
            Decision::Waiting { .. }
        ));
    }
    assert_eq!(free(&mut core, now + 15 * SECOND), Some(1));
    assert_eq!(free(&mut core, now + 16 * SECOND), Some(4));
    // Both that are left would be answered too late.
    assert_eq!(free(&mut core, now + 20 * SECOND), None);
    assert_eq!((core.in_progress(), core.waiting()), (0, 0));
}

#[test]
fn in_a_full_room_the_busiest_connection_makes_way_for_a_quiet_one() {
    let (mut core, now) = busy_core(4);
    let mut arrive = |connection, value| core.arrive(now, None, connection, value);
    for value in 1..=3 {
        assert!(matches!(arrive(1, value), Decision::Waiting { .. }));
    }
    assert!(matches!(arrive(1, 4), Decision::Refused(_)));
    assert!(matches!(
        arrive(2, 5),
        Decision::Waiting {
            displaced: Some(3),
            ..
        }
    ));
    // Connection 1 would not have more than connection 2 any more.
    assert!(matches!(arrive(2, 6), Decision::Refused(_)));
    let order: Vec<_> = (0..3).map(|_| free(&mut core, now)).collect();
    assert_eq!(order, [Some(1), Some(5), Some(2)]);
}

#[test]
fn requests_whose_messages_are_still_to_come_count_for_those_behind_them() {
    let (mut core, now) = busy_core(100);
    let deadline = Some(now + 4 * SECOND);
    // One second until the place is free and one for the work; then two and one.
    assert_eq!(core.announce(now, deadline, 1), Ok(()));
    assert_eq!(core.announce(now, deadline, 1), Err(2 * SECOND));
    core.withdraw(1);
    assert_eq!(core.announce(now, deadline, 1), Ok(()));
    // Connections take turns, so that many announcements of one count as one for another.
    let later = Some(now + 100 * SECOND);
    for _ in 0..10 {
        assert_eq!(core.announce(now, later, 2), Ok(()));
    }
    let wait = core.announce(now, deadline, 3).unwrap_err();
    assert_eq!(wait, 3 * SECOND);
    // An announcement takes no place.
    assert!(matches!(
        core.arrive(now, deadline, 3, 1),
        Decision::Waiting { .. }
    ));
}

fn limiter(most: usize) -> (Limiter, IntGauge) {
    let in_progress = IntGauge::new("in_progress", "Requests.").unwrap();
    let limiter = Limiter::new(1, most, in_progress.clone(), &Registry::new()).unwrap();
    (limiter, in_progress)
}

async fn acquire(limiter: &Limiter, deadline: Option<Instant>) -> Result<Place, Refusal> {
    limiter.announce(deadline, 1)?.acquire().await
}

#[tokio::test]
async fn a_place_goes_to_the_next_that_still_waits() {
    let (limiter, in_progress) = limiter(4);
    let first = acquire(&limiter, None).await.unwrap();
    let mut gone = Box::pin(acquire(&limiter, None));
    let mut second = Box::pin(acquire(&limiter, None));
    assert!(futures::poll!(&mut gone).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(limiter.0.waiting.get(), 2);
    drop(gone);
    assert_eq!((in_progress.get(), limiter.0.waiting.get()), (1, 1));
    first.end(Outcome::Answered);
    drop(first);
    let second = second.await.unwrap();
    assert_eq!((in_progress.get(), limiter.0.waiting.get()), (1, 0));
    // A place that was granted and never taken is free again.
    let mut third = Box::pin(acquire(&limiter, None));
    assert!(futures::poll!(&mut third).is_pending());
    drop(second);
    assert_eq!(in_progress.get(), 1);
    drop(third);
    assert_eq!(in_progress.get(), 0);
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let (limiter, _) = limiter(2);
    let past = Some(Instant::now());
    let refused = |refusal: Refusal| matches!(refusal, Refusal::Overloaded { .. });
    assert_eq!(
        acquire(&limiter, past).await.unwrap_err(),
        Refusal::DeadlineExceeded
    );
    let _first = acquire(&limiter, None).await.unwrap();
    let soon = Some(Instant::now() + Duration::from_millis(100));
    // No time of work is known yet, so it waits, and gives up when its deadline has come.
    assert!(refused(acquire(&limiter, soon).await.unwrap_err()));
    let mut second = Box::pin(acquire(&limiter, None));
    assert!(futures::poll!(&mut second).is_pending());
    assert!(refused(limiter.announce(None, 1).unwrap_err()));
    assert!(refused(acquire(&limiter, None).await.unwrap_err()));
}
