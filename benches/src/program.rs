//! How a bench is run, prints and ends.

use std::{future::Future, io::Write as _, process::ExitCode};

use anyhow::Context as _;

/// The exit code of a bench that ran to its end and missed an aim. A bench that failed has 1.
const MISSED: u8 = 2;

/// Runs a bench on one thread, since it shares the machine with the servers that it measures.
pub fn run(bench: impl Future<Output = anyhow::Result<bool>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let met = runtime
        .context("cannot start the runtime")
        .and_then(|runtime| runtime.block_on(bench));
    exit_code(met)
}

/// The exit code of a bench that says whether every aim is met.
pub fn exit_code(met: anyhow::Result<bool>) -> ExitCode {
    match met {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISSED),
        Err(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// One line to standard output.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line to standard error.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
