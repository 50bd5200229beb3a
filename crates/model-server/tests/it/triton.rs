//! NVIDIA's client against the server, which shows that the server implements the protocol.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use crate::support;

use counterweight_test_support::{python, root};
use tokio::process::Command;

use support::{MODEL, Running, model, save};

#[tokio::test]
async fn tritonclient_drives_the_server() {
    let Some(python) = python("tritonclient.grpc") else {
        return;
    };
    let repository = tempfile::tempdir().unwrap();
    save(repository.path(), MODEL, model(0.3));
    save(repository.path(), MODEL, model(-1.5));
    let server = Running::start(repository, |_| {}).await;
    let output = Command::new(python)
        .arg(root().join("tests/python/triton_client.py"))
        .args(["--url", &server.server.address])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains(" passed, 0 failed"),
        "{out}{err}"
    );
}
