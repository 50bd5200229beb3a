//! The command line. It parses arguments, binds sockets and prints results; the libraries do the
//! work.
//!
//! This crate is a library so that tests can build the same program under another name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod client;
mod clock;
mod condition;
#[cfg(feature = "offline")]
mod data;
mod draw_text;
#[cfg(test)]
mod environment;
#[cfg(feature = "offline")]
mod feedback;
#[cfg(feature = "offline")]
mod log;
#[cfg(feature = "offline")]
mod models;
mod number;
mod output;
#[cfg(feature = "offline")]
mod progress;
#[cfg(feature = "offline")]
mod rank;
mod runtime;
mod serve;
mod shell;
#[cfg(feature = "offline")]
mod train;
#[cfg(feature = "offline")]
mod up;
mod usage;
mod weights;

use output::Output;
use usage::WrongUse;

/// Ranks candidates by α·P(engagement) + β·P(engagement bait), with weights that change live.
///
/// Settings of a deployment can also be set by environment variables. The help of --json,
/// --address, --timeout, --author and of the flags of the servers (up, serve-model,
/// serve-combiner, serve-journal) shows the variable as [env: …]. Flags that describe a single action have no
/// variable. A flag on the command line overrides its variable.
#[derive(Parser)]
#[command(name = "counterweight", version, propagate_version = true)]
#[cfg_attr(
    not(feature = "offline"),
    command(
        after_help = "This is the lean binary, which was built without the feature `offline`. It does not have up, data, train, evaluate, predict, rank, log, feedback and the offline benchmarks."
    )
)]
struct Cli {
    /// Print JSON for programs instead of tables for people.
    #[arg(long, global = true, env = "COUNTERWEIGHT_JSON")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole system on this machine; first train the models that are missing.
    #[cfg(feature = "offline")]
    Up(up::Up),
    /// Describe a dataset, generate a simulated one, or play its users.
    #[cfg(feature = "offline")]
    #[command(subcommand)]
    Data(data::Data),
    /// Train the model of one objective.
    #[cfg(feature = "offline")]
    Train(train::Train),
    /// Measure a trained model on every part of a dataset.
    #[cfg(feature = "offline")]
    Evaluate(train::Evaluate),
    /// Write the predicted probability of every row of a dataset.
    #[cfg(feature = "offline")]
    Predict(train::Predict),
    /// Serve trained models over the Open Inference Protocol.
    ServeModel(serve::ServeModel),
    /// Serve ranking with weights that can be changed while it runs.
    ServeCombiner(serve::ServeCombiner),
    /// Take events on a server of its own, apart from ranking.
    ServeJournal(serve::ServeJournal),
    /// Rank the candidates of a file or of standard input.
    #[cfg(feature = "offline")]
    Rank(rank::Rank),
    /// Read, change and watch the weights of a running system.
    #[command(subcommand)]
    Weights(weights::Weights),
    /// Export the recent requests of a running combiner, and look into request logs.
    #[cfg(feature = "offline")]
    #[command(subcommand)]
    Log(log::Log),
    /// Send events from files.
    #[cfg(feature = "offline")]
    #[command(subcommand)]
    Feedback(feedback::Feedback),
    /// Measure servers under load, models by cross-validation, and weights on a log.
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Runs the command line of this process. The exit code is 0 on success, 1 on failure and 2 on
/// wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    match run(cli.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(if error.is::<WrongUse>() { 2 } else { 1 })
        }
    }
}

fn run(command: Command, output: Output) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "offline")]
        Command::Up(up) => up.run(output),
        #[cfg(feature = "offline")]
        Command::Data(data) => data.run(output),
        #[cfg(feature = "offline")]
        Command::Train(train) => train.run(output),
        #[cfg(feature = "offline")]
        Command::Evaluate(evaluate) => evaluate.run(output),
        #[cfg(feature = "offline")]
        Command::Predict(predict) => predict.run(output),
        Command::ServeModel(serve) => serve.run(),
        Command::ServeCombiner(serve) => serve.run(),
        Command::ServeJournal(serve) => serve.run(),
        #[cfg(feature = "offline")]
        Command::Rank(rank) => rank.run(output),
        Command::Weights(weights) => weights.run(output),
        #[cfg(feature = "offline")]
        Command::Log(log) => log.run(output),
        #[cfg(feature = "offline")]
        Command::Feedback(feedback) => feedback.run(output),
        Command::Bench(bench) => bench.run(output),
    }
}
