//! The `counterweight` binary.

use std::process::ExitCode;

// Halves the cost of small allocations on the serving path.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    counterweight_cli::main()
}
