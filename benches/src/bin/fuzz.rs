//! Fuzzing without a nightly compiler: messages that are almost right, through the decoders in this
//! process or through both servers over sockets.
//!
//! It fails at a panic, at an answer that is a fault of the server or gives no reason, at a server
//! that has ended, and at memory that was not bounded.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use counterweight_benches::program::{note, print};
use counterweight_proto::inference::RepositoryModelLoadRequest;
use counterweight_test_support::{
    Ordinary, Target, TargetOptions,
    attacks::{Aim, Answer, Call, Connection, Control},
    fuzz::{Corpus, Fuzzer, decode, read_corpus},
    requests::MODEL,
};
use prost::Message as _;

const LOAD: &str = "/inference.GRPCInferenceService/RepositoryModelLoad";
/// How long a server may take to answer one message.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fuzzes the decoders or the servers.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    path: Through,
}

#[derive(Subcommand)]
enum Through {
    /// Through the decoders in this process.
    Decode {
        #[command(flatten)]
        amount: Amount,
        /// Threads, each with messages of its own.
        #[arg(long, default_value_t = 2)]
        threads: u64,
    },
    /// Through both servers over sockets.
    Handle {
        #[command(flatten)]
        amount: Amount,
        /// The program whose servers are fuzzed.
        #[arg(long, default_value = "target/release/counterweight")]
        program: PathBuf,
        /// Connections to each server, each with messages of its own.
        #[arg(long, default_value_t = 8)]
        connections: u64,
        /// The most memory that each server may take, in MiB.
        #[arg(long, default_value_t = 1024)]
        max_memory_mib: u64,
        /// Writes the shortest message of each method for each answer into this folder.
        #[arg(long)]
        keep: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Amount {
    /// Messages over all threads or connections.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Stops after so many seconds, even with fewer messages.
    #[arg(long)]
    seconds: Option<u64>,
    /// The same seed draws the same messages.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A folder of kept messages that are damaged too.
    #[arg(long, default_value = "tests/corpus")]
    corpus: PathBuf,
}

/// What is left to do. Clones share it.
#[derive(Clone)]
struct Left {
    messages: Arc<AtomicU64>,
    end: Option<Instant>,
}

impl Amount {
    fn left(&self) -> Left {
        let time = self.seconds.map(Duration::from_secs);
        Left {
            messages: Arc::new(AtomicU64::new(self.messages)),
            end: time.map(|time| Instant::now() + time),
        }
    }

    fn corpus(&self) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let folder = self.corpus.display();
        read_corpus(&self.corpus).with_context(|| format!("cannot read the corpus {folder}"))
    }
}

impl Left {
    /// Takes one message; false when none is left.
    fn take(&self) -> bool {
        let in_time = self.end.is_none_or(|end| Instant::now() < end);
        let order = Ordering::Relaxed;
        in_time
            && self
                .messages
                .try_update(order, order, |left| left.checked_sub(1))
                .is_ok()
    }
}

fn main() -> anyhow::Result<()> {
    match Options::parse().path {
        Through::Decode { amount, threads } => through_decoders(&amount, threads),
        Through::Handle {
            amount,
            program,
            connections,
            max_memory_mib,
            keep,
        } => {
            let runtime = tokio::runtime::Runtime::new()?;
            let corpus = runtime.block_on(through_servers(
                &amount,
                program,
                connections,
                max_memory_mib,
            ))?;
            for (path, answer, count, _) in corpus.entries() {
                print(&format!("{count:9}  {path}  {answer}"));
            }
            if let Some(folder) = keep {
                corpus.write(&folder)?;
            }
            let faults = corpus.entries().filter(|(_, answer, ..)| answer.is_fault());
            let faults: Vec<_> = faults.collect();
            for (path, answer, _, message) in &faults {
                note(&format!("fault: {path}: {answer} for {message:02x?}"));
            }
            match faults.len() {
                0 => Ok(()),
                count => bail!("{count} kinds of answers are faults; they are listed above"),
            }
        }
    }
}

fn through_decoders(amount: &Amount, threads: u64) -> anyhow::Result<()> {
    let (left, corpus, begun) = (amount.left(), amount.corpus()?, Instant::now());
    let (done, decoded) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (left, corpus) = (left.clone(), &corpus);
                scope.spawn(move || decode_all(&left, amount.seed + thread, corpus))
            })
            .collect();
        let mut counts = (0, 0);
        for worker in workers {
            let Ok(own) = worker.join() else {
                bail!("a thread ended; its panic is above");
            };
            let (done, decoded) = own?;
            counts = (counts.0 + done, counts.1 + decoded);
        }
        Ok(counts)
    })?;
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    print(&format!(
        "{done} messages, {rate:.0} a second; {decoded} of them decode; no panic"
    ));
    Ok(())
}

/// How many messages were drawn, and how many of them decode.
fn decode_all(left: &Left, seed: u64, corpus: &[(String, Vec<u8>)]) -> anyhow::Result<(u64, u64)> {
    let mut fuzzer = Fuzzer::new(seed, |_| true, corpus);
    let (mut done, mut decoded) = (0, 0);
    while left.take() {
        let (method, message) = fuzzer.draw();
        let bytes = bytes::Bytes::from(message);
        let outcome = catch_unwind(AssertUnwindSafe(|| decode(method, bytes.clone())));
        let Ok(decodes) = outcome else {
            bail!("{} panics on {:02x?}", method.path, bytes);
        };
        done += 1;
        decoded += u64::from(decodes);
    }
    Ok((done, decoded))
}

async fn through_servers(
    amount: &Amount,
    program: PathBuf,
    connections: u64,
    max_memory_mib: u64,
) -> anyhow::Result<Corpus> {
    let mut target = Target::start(&TargetOptions {
        program,
        limits: None,
    })?;
    let ready = Ordinary::connect(target.combiner.address()).await;
    ready.map_err(anyhow::Error::from_boxed)?;
    let (left, kept, begun) = (amount.left(), Arc::new(amount.corpus()?), Instant::now());
    let mut workers = tokio::task::JoinSet::new();
    for (offset, (aim, server)) in [
        (Aim::Combiner, &target.combiner),
        (Aim::Model, &target.model),
    ]
    .into_iter()
    .enumerate()
    {
        for connection in 0..connections {
            let seed = amount.seed + 2 * connection + offset as u64;
            let fuzzer = Fuzzer::new(seed, |method| method.aim == aim, &kept);
            workers.spawn(call_all(left.clone(), fuzzer, server.address().to_owned()));
        }
    }
    let mut corpus = Corpus::default();
    while let Some(worker) = workers.join_next().await {
        corpus.add(worker??);
    }
    let done: u64 = corpus.entries().map(|(_, _, count, _)| count).sum();
    let rate = done as f64 / begun.elapsed().as_secs_f64();
    print(&format!("{done} messages, {rate:.0} a second"));
    for (name, server) in [
        ("combiner", &mut target.combiner),
        ("model server", &mut target.model),
    ] {
        let memory = server
            .memory()
            .with_context(|| format!("the {name} has ended"))?;
        let peak = memory.peak >> 20;
        print(&format!("the {name} took at most {peak} MiB"));
        if peak > max_memory_mib {
            bail!("the {name} took {peak} MiB, and {max_memory_mib} MiB are allowed");
        }
    }
    Ok(corpus)
}

/// Sends messages over one connection; one that the server closes is replaced.
async fn call_all(left: Left, mut fuzzer: Fuzzer, address: String) -> anyhow::Result<Corpus> {
    let (_stop, control) = Control::new(None);
    let mut connection = Connection::open(&address, &control).await?;
    let mut corpus = Corpus::default();
    while left.take() {
        let (method, message) = fuzzer.draw();
        let call = Call::new(method.path, &message).within(PATIENCE);
        let call = Call {
            streams: method.streams,
            ..call
        };
        let answer = match connection.call(&call).await {
            Ok(answer) => answer,
            Err(error) => {
                let reason = error.to_string();
                connection = Connection::open(&address, &control)
                    .await
                    .with_context(|| format!("{} closed the server: {message:02x?}", call.path))?;
                Answer {
                    code: Answer::RESET,
                    reason,
                }
            }
        };
        let unloaded = call.path.ends_with("ModelUnload") && answer == Answer::ok();
        corpus.take(call.path, answer, message);
        if unloaded {
            // The messages that follow are to find a model.
            let load = RepositoryModelLoadRequest {
                model_name: MODEL.to_owned(),
                ..RepositoryModelLoadRequest::default()
            };
            let load = load.encode_to_vec();
            let load = Call::new(LOAD, &load);
            connection.call(&load).await?;
        }
    }
    Ok(corpus)
}
