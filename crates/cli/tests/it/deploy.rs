//! The worked example in `deploy/` runs unchanged, except for its ports.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use counterweight_model::encoder::{Encoder, Numeric, Standard};
use counterweight_model::{
    Artefact, Calibrator, DEFAULT_MAX_TEXT_BYTES, Encoders, Feature, FeatureEncoder, Input, Kind,
    Model, ModelParts, Report, Schema,
};
use counterweight_test_support::{nats_server_binary, wait_until};
use serde_json::Value;

/// The ports that the example uses.
const PORTS: [&str; 9] = [
    "4222", "7001", "7002", "7010", "7020", "7030", "9110", "9120", "9130",
];

/// A model with one numeric feature.
fn model(objective: &str) -> Model {
    let schema = Schema::new(
        vec![Input::candidate("x", Kind::Numeric)],
        vec![Feature::of_input("x")],
        DEFAULT_MAX_TEXT_BYTES,
    )
    .unwrap();
    let encoder = Encoder::Numeric(Numeric {
        standard: Some(Standard { mean: 3.5, sd: 2.3 }),
        missing: false,
    });
    let feature = FeatureEncoder {
        encoder,
        notes: vec![],
    };
    let encoders = Encoders::new(schema, vec![feature]).unwrap();
    Model::new(ModelParts {
        objective: objective.to_owned(),
        coefficients: vec![0.5; encoders.width()],
        intercept: 0.0,
        prior_correction: None,
        calibrator: Calibrator::None,
        encoders,
    })
    .unwrap()
}

/// Ports that no process uses now.
fn free_ports() -> Vec<String> {
    let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port().to_string();
    listeners.iter().map(port).collect()
}

/// The running script; dropping this terminates it.
struct Script(Child);

impl Script {
    fn stop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = Command::new("kill").arg(self.0.id().to_string()).status();
            let _ = self.0.wait();
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.stop();
    }
}

fn counterweight(port: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_counterweight"))
        .arg("--json")
        .args(arguments)
        .args(["--address", &format!("127.0.0.1:{port}")])
        .output()
        .unwrap()
}

fn json(output: &Output) -> Option<Value> {
    let text = output.status.success().then_some(&output.stdout)?;
    serde_json::from_slice(text).ok()
}

#[test]
fn three_combiners_of_the_example_share_one_log() {
    let Some(nats_server) = nats_server_binary() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/processes");
    let ports = free_ports();
    for name in ["run.sh", "nats.conf", "combiner.toml"] {
        let mut text = fs::read_to_string(example.join(name)).unwrap();
        for (port, free) in PORTS.iter().zip(&ports) {
            text = text.replace(&format!(":{port}"), &format!(":{free}"));
        }
        fs::write(folder.path().join(name), text).unwrap();
    }
    let models = folder.path().join("models");
    for objective in ["engagement", "engagement_bait"] {
        let (report, at) = (Report::default(), models.join(objective));
        Artefact::save(model(objective), report, "One number.\n", &at).unwrap();
    }
    let mut script = Script(
        Command::new("bash")
            .arg(folder.path().join("run.sh"))
            .env("COUNTERWEIGHT", env!("CARGO_BIN_EXE_counterweight"))
            .env("NATS_SERVER", nats_server)
            .env("MODELS", &models)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let combiners = &ports[3..6];
    let get = |port: &str| json(&counterweight(port, &["weights", "get"]));
    wait_until("three combiners answer", || {
        let answer = |port: &String| get(port).is_some();
        combiners.iter().all(answer).then_some(())
    });

    let set = ["weights", "set", "engagement_bait=-3", "-m", "less bait"];
    let set = counterweight(&combiners[0], &set);
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    for port in combiners {
        wait_until("every combiner reports the revision", || {
            let reported = get(port).unwrap();
            let replicas = reported["replicas"].as_array().unwrap();
            let applied = reported["profiles"][0]["weights"][1]["weight"] == -3.0
                && replicas.len() == 3
                && replicas
                    .iter()
                    .all(|r| r["applied_revision"] == 1 && r["problem"] == "");
            applied.then_some(())
        });
    }

    script.stop();
    wait_until("everything has ended", || {
        let free = |port: &String| TcpListener::bind(format!("127.0.0.1:{port}")).is_ok();
        ports.iter().all(free).then_some(())
    });
}
