//! The `counterweight` program, for tests that run it as a process.

use std::process::ExitCode;

// As in the program that is shipped: what a process takes depends on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    counterweight_cli::main()
}
