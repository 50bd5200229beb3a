//! NVIDIA's own client against our server: the proof that the protocol is spoken and not just something like it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::support;

use std::{env, path::Path, process::Output};

use tokio::process::Command;

use support::{MODEL, Running, model, save};

async fn run(python: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(python)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
}

#[tokio::test]
async fn tritonclient_drives_the_server() {
    let python = env::var("COUNTERWEIGHT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = run(&python, &["-c", "import tritonclient.grpc"]).await;
    if !found.is_ok_and(|output| output.status.success()) {
        let message = format!(
            "SKIPPED: {python} can not import tritonclient.grpc; `pip install 'tritonclient[grpc]'` and let COUNTERWEIGHT_PYTHON name that python"
        );
        assert_ne!(
            env::var("COUNTERWEIGHT_REQUIRE_ALL").as_deref(),
            Ok("1"),
            "{message}"
        );
        eprintln!("{message}");
        return;
    }
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    save(repository.path(), MODEL, model(-1.5));
    let server = Running::start(repository, |_| {}).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/triton_client.py");
    let output = run(
        &python,
        &[script.to_str().unwrap(), "--url", &server.address],
    )
    .await
    .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    eprintln!("{out}");
    assert!(
        output.status.success() && out.contains(" passed, 0 failed"),
        "{out}{err}"
    );
}
