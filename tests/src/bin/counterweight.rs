//! The `counterweight` program, for tests that run it as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    counterweight_cli::main()
}
