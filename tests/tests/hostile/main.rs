//! Each kind of attack against both servers as processes, beside an ordinary caller: the caller is
//! served, memory stays within the budget, and the servers stop on SIGTERM.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use counterweight_proto::code_name;
use counterweight_test_support::{
    Memory, Ordinary, Process, Served, Target, TargetLimits, TargetOptions,
    attacks::{Aim, Answer, Attack, Control, Seen},
};
use tokio::{runtime::Runtime, time::timeout};

/// Attacks share two cores with the servers, so that only one runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
const CONNECTIONS: usize = 8;
/// How long an attack goes on before the servers get SIGTERM.
const ATTACK: Duration = Duration::from_secs(3);
/// Longer than a stop takes on a busy machine; only a failure waits for it.
const LONG: Duration = Duration::from_secs(10);

/// What an attack left behind.
struct Outcome {
    served: Served,
    seen: Seen,
    problems: Vec<String>,
    /// Too many calls of the ordinary caller were not answered.
    unserved: Option<String>,
}

impl Outcome {
    fn check(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }
}

/// Runs one attack and checks everything that must hold.
///
/// The attack shares its cores with the servers and with the ordinary caller, so that now and then a
/// call starves although the server does nothing wrong. A server that lets its callers be hurt does
/// so every time: the attack is run again for this alone.
fn withstand(attack: Attack) {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for last in [false, false, true] {
        let outcome = attempt(attack);
        let problems = outcome.problems.join("\n");
        assert!(problems.is_empty(), "{}:\n{problems}", attack.name());
        let Some(unserved) = outcome.unserved else {
            return;
        };
        assert!(!last, "{}: {unserved}", attack.name());
        eprintln!("{}: once more, since {unserved}", attack.name());
    }
}

/// Runs one attack against servers of its own.
fn attempt(attack: Attack) -> Outcome {
    let limits = TargetLimits::default();
    let options = TargetOptions {
        program: env!("CARGO_BIN_EXE_counterweight-under-test").into(),
        limits: Some(limits),
    };
    let mut target = Target::start(&options).unwrap();
    let runtime = Runtime::new().unwrap();
    let mut outcome = runtime.block_on(async {
        let mut ordinary = Ordinary::connect(target.combiner.address()).await.unwrap();
        let before = memories(&target);
        let address = match attack.aim() {
            Aim::Combiner => target.combiner.address(),
            Aim::Model => target.model.address(),
        };
        let (stop, control) = Control::new(None);
        let attacking = tokio::spawn(attack.run(address.to_owned(), CONNECTIONS, control.clone()));
        let mut outcome = Outcome {
            served: ordinary.call_for(ATTACK).await,
            seen: Seen::default(),
            problems: Vec::new(),
            unserved: None,
        };
        check_memory(&mut outcome, &target, before, limits.memory_budget_mib);
        check_connections(&mut outcome, attack, control.opened());
        check_stop(&mut outcome, &mut target, limits.drain);
        drop(stop);
        outcome.seen = timeout(LONG, attacking).await.unwrap().unwrap();
        outcome
    });
    runtime.shutdown_background();
    eprintln!("{}: {}", attack.name(), outcome.seen);
    check_served(&mut outcome);
    check_answers(&mut outcome, attack);
    outcome
}

fn memories(target: &Target) -> [Option<Memory>; 2] {
    [target.combiner.memory(), target.model.memory()]
}

/// A server may take its budget and a quarter more beside what it took before the attack.
fn check_memory(
    outcome: &mut Outcome,
    target: &Target,
    before: [Option<Memory>; 2],
    budget_mib: usize,
) {
    let limit = (budget_mib as u64) << 20;
    for ((name, before), after) in ["combiner", "model server"]
        .iter()
        .zip(before)
        .zip(memories(target))
    {
        let (Some(before), Some(after)) = (before, after) else {
            outcome.check(false, || format!("the {name} has ended under the attack"));
            continue;
        };
        let grown = after.peak.saturating_sub(before.now);
        outcome.check(grown <= limit + limit / 4, || {
            format!(
                "the {name} took {} MiB; its budget is {budget_mib} MiB",
                grown >> 20
            )
        });
    }
}

/// A proxy's connection carries the cancels of many callers, so that cancels may not close it.
fn check_connections(outcome: &mut Outcome, attack: Attack, opened: u64) {
    let expected = match attack {
        Attack::CancelsOnOne => 1,
        Attack::Cancels | Attack::CancelledTensors => CONNECTIONS as u64,
        _ => return,
    };
    outcome.check(opened == expected, || {
        format!("{opened} connections were opened for {expected}: cancels closed the others")
    });
}

/// Both servers end without an error although the attack goes on.
fn check_stop(outcome: &mut Outcome, target: &mut Target, drain: Duration) {
    let mut stop = |name: &str, process: &mut Process| {
        if !process.is_running() {
            return; // Its memory has shown that already.
        }
        process.terminate();
        let ended = process.ended(drain + LONG);
        outcome.check(ended.is_some_and(|status| status.success()), || {
            format!("the {name} got SIGTERM: {ended:?}")
        });
    };
    stop("combiner", &mut target.combiner);
    stop("model server", &mut target.model);
}

fn check_served(outcome: &mut Outcome) {
    let served = std::mem::take(&mut outcome.served);
    let wrong = served.wrong.first().cloned();
    outcome.check(wrong.is_none(), || {
        format!("a wrong answer: {}", wrong.unwrap_or_default())
    });
    outcome.unserved = (served.share() < 0.99).then(|| {
        format!(
            "{} calls of the ordinary caller succeeded; the others: {:?}",
            served.succeeded, served.failed
        )
    });
}

/// Every call of the attacker ends with a code that tells it what is wrong, and with a reason.
fn check_answers(outcome: &mut Outcome, attack: Attack) {
    let answers = std::mem::take(&mut outcome.seen.answers);
    for (answer, count) in answers {
        // The stop ends calls in ways of its own.
        let stopping = [Answer::RESET, "UNAVAILABLE"].contains(&answer.code);
        let mut codes = attack.codes().iter().map(|code| code_name(*code));
        let right = stopping || codes.any(|code| code == answer.code);
        let reason = right && (stopping || answer.code == "OK" || !answer.reason.is_empty());
        outcome.check(right && reason, || {
            format!(
                "{count} calls were answered {answer}; right are {:?}",
                attack.codes()
            )
        });
    }
}

macro_rules! attacks {
    ($($test:ident $attack:ident)*) => {
        $(#[test]
        fn $test() {
            withstand(Attack::$attack);
        })*

        #[test]
        fn every_attack_has_a_test() {
            let tested = [$(Attack::$attack),*];
            for attack in Attack::ALL {
                assert!(tested.contains(attack), "{attack:?} is not tested");
            }
        }
    };
}

attacks! {
    empty_messages EmptyMessages
    empty_tensors EmptyTensors
    packed Packed
    expanded Expanded
    cancels_on_one_connection CancelsOnOne
    cancels Cancels
    cancelled_tensors CancelledTensors
    headers Headers
    tensor_headers TensorHeaders
    slow_bodies SlowBodies
    promises Promises
    allowed_promises AllowedPromises
    mute_connections MuteConnections
    mute_prefaces MutePrefaces
    unread_answers UnreadAnswers
    watchers Watchers
    unread_logs UnreadLogs
    solve Solve
    long_lists LongLists
    long_names LongNames
    long_ids LongIds
    segment_values SegmentValues
    history_pages HistoryPages
    ramps Ramps
    undecodable Undecodable
    undecodable_tensors UndecodableTensors
    gzip_bombs GzipBombs
    overload Overload
    tensor_overload TensorOverload
    many_connections ManyConnections
}
