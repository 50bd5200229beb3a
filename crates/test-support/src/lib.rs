//! What the tests of several crates share: foreign programs and data that may be absent, servers on
//! free ports, and waiting for something to happen. With the feature `hostile` also attacks, fuzzed
//! messages, and the servers that both are sent to.
//!
//! A test without its program or data is skipped, and says so: it writes to the process's standard
//! error, which the test runner does not capture. Where `COUNTERWEIGHT_REQUIRE_ALL` is 1, as in CI,
//! it fails instead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[cfg(feature = "hostile")]
pub mod attacks;
#[cfg(feature = "server")]
mod fake_model;
#[cfg(feature = "hostile")]
pub mod fuzz;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "hostile")]
mod ordinary;
#[cfg(feature = "hostile")]
mod process;
#[cfg(feature = "hostile")]
pub mod requests;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "hostile")]
mod target;
#[cfg(feature = "wait")]
mod wait;

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

#[cfg(feature = "hostile")]
pub use ordinary::{Ordinary, Served};
#[cfg(feature = "hostile")]
pub use process::{Memory, Process};
#[cfg(feature = "hostile")]
pub use target::{Target, TargetLimits, TargetOptions};

#[cfg(feature = "server")]
pub use fake_model::{FakeModel, inference_service};
#[cfg(feature = "nats")]
pub use nats::{NatsServer, Proxy, Wire, nats_server_binary};
#[cfg(feature = "server")]
pub use server::{Running, Shutdown, http_get};
#[cfg(feature = "wait")]
pub use wait::{LONG, eventually, eventually_some, soon, wait_until};

/// Reports that the calling test is skipped.
///
/// # Panics
/// `COUNTERWEIGHT_REQUIRE_ALL` is 1.
#[track_caller]
pub fn skip(why: &str) {
    let required = env::var("COUNTERWEIGHT_REQUIRE_ALL");
    assert_ne!(required.as_deref(), Ok("1"), "SKIPPED: {why}");
    // `eprintln!` would be captured, and shown only for tests that fail.
    let caller = std::panic::Location::caller();
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why} ({caller})");
}

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates.and_then(Path::parent).unwrap().to_owned()
}

/// The folder of the real data if it holds `file`, else `None` after a [`skip`].
///
/// `COUNTERWEIGHT_DATA` names the folder; the default is `../shared/data` beside the project.
#[must_use]
#[track_caller]
pub fn shared_data(file: &str) -> Option<PathBuf> {
    let folder = env::var_os("COUNTERWEIGHT_DATA")
        .map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if folder.join(file).is_file() {
        return Some(folder);
    }
    skip(&format!(
        "{file} is not in {}; set COUNTERWEIGHT_DATA to the folder that has it",
        folder.display()
    ));
    None
}

/// The Python interpreter that can import these modules, else `None` after a [`skip`].
///
/// `COUNTERWEIGHT_PYTHON` names the interpreter; the default is `python3`.
#[must_use]
#[track_caller]
pub fn python(modules: &str) -> Option<String> {
    let python = interpreter();
    let import = format!("import {modules}");
    let found = Command::new(&python).args(["-c", &import]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    skip(&format!("{python} cannot import {modules}; {}", advice()));
    None
}

/// A program that a Python package installed beside its interpreter, else `None` after a [`skip`].
#[must_use]
#[track_caller]
pub fn python_program(name: &str) -> Option<PathBuf> {
    let python = interpreter();
    let ask = "import sysconfig; print(sysconfig.get_path('scripts'), end='')";
    let output = Command::new(&python).args(["-c", ask]).output();
    let folder = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let program = PathBuf::from(folder.unwrap_or_default()).join(name);
    if program.is_file() {
        return Some(program);
    }
    skip(&format!(
        "{name} is not installed beside {python}; {}",
        advice()
    ));
    None
}

fn interpreter() -> String {
    env::var("COUNTERWEIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn advice() -> &'static str {
    "`pip install -r tests/python/requirements.txt` and let COUNTERWEIGHT_PYTHON name that python"
}
