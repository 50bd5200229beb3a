//! What each attack does to an ordinary caller: latency and success beside the attack, against the
//! same caller while the same bytes go to a sink, so that only the server differs.
//!
//! Every attack meets servers of its own. The attacker and the sink run on threads of their own.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use counterweight_benches::{
    p50_and_p99,
    program::{note, print, run},
};
use counterweight_test_support::{
    Ordinary, Served, Target, TargetLimits, TargetOptions,
    attacks::{Aim, Attack, Control, Seen, Sink, Stop},
};

/// What must hold for each attack.
const LEAST_SHARE: f64 = 0.99;
const MOST_RATIO: f64 = 3.0;
const MOST_BUDGETS: f64 = 1.25;

/// Measures attacks beside an ordinary caller.
#[derive(Parser)]
struct Options {
    /// The program whose servers are attacked.
    #[arg(long, default_value = "target/release/counterweight")]
    program: PathBuf,
    /// How long each attack goes on.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Connections of each attack.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// The memory budget of each server, in MiB.
    #[arg(long, default_value_t = 256)]
    memory_budget_mib: usize,
    /// The attacks by name; all when left out.
    #[arg(long)]
    attack: Vec<String>,
}

/// An attack on a thread of its own.
struct Attacking {
    stop: Stop,
    control: Control,
    thread: JoinHandle<Seen>,
}

impl Attacking {
    fn start(attack: Attack, address: String, connections: usize, rate: Option<f64>) -> Self {
        let (stop, control) = Control::new(rate);
        let own = control.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let attacked = runtime.map(|it| it.block_on(attack.run(address, connections, own)));
            attacked.unwrap_or_default()
        });
        Self {
            stop,
            control,
            thread,
        }
    }

    /// Ends it: the bytes that it sent, and what it saw.
    fn end(self) -> anyhow::Result<(u64, Seen)> {
        let sent = self.control.sent();
        drop(self.stop);
        let Ok(seen) = self.thread.join() else {
            bail!("the attacker's thread ended; its panic is above");
        };
        Ok((sent, seen))
    }
}

/// One run of the ordinary caller.
struct Run {
    served: Served,
    sent: u64,
    seen: Seen,
    /// Growth of the server that was attacked, in MiB.
    grown_mib: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    run(async move { measure(&options).await })
}

async fn measure(options: &Options) -> anyhow::Result<bool> {
    let known = Attack::ALL.iter().copied();
    let wanted = |attack: &Attack| {
        options.attack.is_empty() || options.attack.iter().any(|name| name == attack.name())
    };
    let attacks: Vec<Attack> = known.filter(wanted).collect();
    ensure!(!attacks.is_empty(), "no attack has one of these names");
    print(
        "| attack | success % | p50 ms | p99 ms | p50 to sink | p99 to sink | p99 ratio | memory MiB | budget MiB | MB sent | MB to sink | holds |",
    );
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    let mut all = true;
    for attack in attacks {
        match beside(options, attack).await {
            Ok(holds) => all &= holds,
            Err(error) => {
                all = false;
                print(&format!("| {} | {error:#} |", attack.name()));
            }
        }
    }
    Ok(all)
}

/// Measures one attack and prints its row.
async fn beside(options: &Options, attack: Attack) -> anyhow::Result<bool> {
    let attacked = one_run(options, attack, None).await?;
    let rate = attacked.sent as f64 / options.seconds as f64;
    let (sender, address) = channel();
    let (ended, sink) = sink_thread(sender);
    let address = address.recv().context("the sink has no port")?;
    let calm = one_run(options, attack, Some((address, rate))).await;
    drop(ended);
    let _ = sink.join();
    let calm = calm?;
    let [p50, p99] = p50_and_p99(attacked.served.times.clone());
    let [calm_p50, calm_p99] = p50_and_p99(calm.served.times.clone());
    let (ratio, share) = (p99 / calm_p99, attacked.served.share());
    let budget = options.memory_budget_mib as f64;
    let holds = share >= LEAST_SHARE
        && ratio <= MOST_RATIO
        && attacked.grown_mib <= budget * MOST_BUDGETS
        && attacked.served.wrong.is_empty();
    print(&format!(
        "| {} | {:.2} | {p50:.1} | {p99:.1} | {calm_p50:.1} | {calm_p99:.1} | {ratio:.1} | {:.0} | {budget:.0} | {:.1} | {:.1} | {} |",
        attack.name(),
        100.0 * share,
        attacked.grown_mib,
        attacked.sent as f64 / 1e6,
        calm.sent as f64 / 1e6,
        if holds { "yes" } else { "no" },
    ));
    note(&format!("{}: {}", attack.name(), attacked.seen));
    for (failure, count) in &attacked.served.failed {
        note(&format!("  the ordinary caller: {count} × {failure}"));
    }
    Ok(holds)
}

/// The ordinary caller beside the attack on the server, or on a sink at a rate in bytes a second.
async fn one_run(
    options: &Options,
    attack: Attack,
    sink: Option<(String, f64)>,
) -> anyhow::Result<Run> {
    let target = Target::start(&TargetOptions {
        program: options.program.clone(),
        limits: Some(TargetLimits {
            memory_budget_mib: options.memory_budget_mib,
            ..TargetLimits::default()
        }),
    })?;
    let ordinary = Ordinary::connect(target.combiner.address()).await;
    let mut ordinary = ordinary.map_err(anyhow::Error::from_boxed)?;
    let server = match attack.aim() {
        Aim::Combiner => &target.combiner,
        Aim::Model => &target.model,
    };
    let ended = "the server has ended under the attack";
    let before = server.memory().context(ended)?;
    let (address, rate) = match sink {
        Some((address, rate)) => (address, Some(rate)),
        None => (server.address().to_owned(), None),
    };
    let attacking = Attacking::start(attack, address, options.connections, rate);
    let served = ordinary
        .call_for(Duration::from_secs(options.seconds))
        .await;
    let after = server.memory();
    let (sent, seen) = attacking.end()?;
    let grown = after.context(ended)?.peak.saturating_sub(before.now);
    Ok(Run {
        served,
        sent,
        seen,
        grown_mib: grown as f64 / f64::from(1 << 20),
    })
}

/// A sink on a thread of its own. It sends its address, and ends when the sender is dropped.
fn sink_thread(address: Sender<String>) -> (tokio::sync::oneshot::Sender<()>, JoinHandle<()>) {
    let (ended, ending) = tokio::sync::oneshot::channel();
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if let Ok(sink) = Sink::start().await {
                // Nobody waits for the address of a run that has failed.
                let _ = address.send(sink.address());
                let _ = ending.await;
            }
        });
    });
    (ended, thread)
}
