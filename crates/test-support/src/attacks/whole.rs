//! Attacks that consist of whole calls: one after another, in an open loop, or cancelled.

use std::{collections::VecDeque, time::Duration};

use h2::Reason;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    connection::{Call, Connection},
    control::Control,
    seen::Seen,
};

/// A call is cancelled at once, or when one or two more have begun: before the server has accepted
/// it, while it waits, and while it is worked on.
const WAITS: [usize; 3] = [0, 1, 2];
/// Calls of an open loop that wait for their answers; more are not begun.
const MAX_WAITING: usize = 1000;

/// Makes one call after another until the connection ends.
pub(super) async fn in_turn(
    mut connection: Connection,
    calls: &[Call],
    control: &Control,
    seen: &mut Seen,
) {
    for call in calls.iter().cycle() {
        control.pace().await;
        let outcome = connection.call(call).await;
        if !seen.record(outcome) {
            return;
        }
    }
}

/// Begins so many calls a second, and does not wait for the ones before.
pub(super) async fn open_loop(
    mut connection: Connection,
    call: &Call,
    per_second: f64,
    control: &Control,
    seen: &mut Seen,
) {
    let mut ticks = ticks(per_second);
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(answer) = answers.join_next() => {
                if !seen.record(answer.unwrap()) {
                    return;
                }
            }
            _ = ticks.tick(), if answers.len() < MAX_WAITING => {
                control.pace().await;
                match connection.send(call).await {
                    Ok(answer) => drop(answers.spawn(answer)),
                    Err(error) => {
                        seen.record(Err(error));
                        return;
                    }
                }
            }
        }
    }
}

/// Begins so many calls a second and cancels each.
pub(super) async fn cancels(
    mut connection: Connection,
    call: &Call,
    per_second: f64,
    control: &Control,
    seen: &mut Seen,
) {
    let mut ticks = ticks(per_second);
    let mut under_way = VecDeque::new();
    for wait in WAITS.into_iter().cycle() {
        ticks.tick().await;
        control.pace().await;
        let begun = connection.begin(call).await;
        let sent = begun.and_then(|(response, mut body)| {
            body.send_data(call.body.clone(), true)?;
            Ok((response, body))
        });
        match sent {
            Ok(stream) => under_way.push_back(stream),
            Err(error) => {
                if !seen.record(Err(error)) {
                    return;
                }
            }
        }
        while under_way.len() > wait {
            if let Some((_, mut body)) = under_way.pop_front() {
                body.send_reset(Reason::CANCEL);
                seen.cancelled += 1;
            }
        }
    }
}

fn ticks(per_second: f64) -> tokio::time::Interval {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}
