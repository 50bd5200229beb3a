//! The servers under test: two model servers and a combiner.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use counterweight_benches::{Process, spawn};
use counterweight_model::{Artefact, Model, Report};
use tempfile::TempDir;

use crate::{BAIT, ENGAGEMENT};

/// Two model servers and a combiner. They end when this is dropped.
pub(crate) struct Servers {
    /// Where the combiner listens.
    pub(crate) combiner: String,
    /// Where the server of the engagement model listens.
    pub(crate) engagement: String,
    _processes: Vec<Process>,
    _folder: TempDir,
}

/// Writes both artefacts and starts one server for each, and a combiner before them.
pub(crate) fn start(binary: &Path, engagement: Model, bait: Model) -> Result<Servers> {
    let folder = tempfile::tempdir()?;
    let mut processes = Vec::new();
    let mut addresses = Vec::new();
    for model in [engagement, bait] {
        let objective = model.objective().to_owned();
        let repository = folder.path().join(&objective);
        let report = Report {
            command: "random coefficients, for benchmarks".to_owned(),
            ..Report::default()
        };
        Artefact::save(
            model,
            report,
            "Random coefficients.\n",
            &repository.join(&objective),
        )?;
        let arguments = ["serve-model", "--listen", "127.0.0.1:0", "--repository"];
        let (process, address) = spawn(Command::new(binary).args(arguments).arg(&repository))?;
        processes.push(process);
        addresses.push(address);
    }
    let configuration = folder.path().join("combiner.toml");
    fs::write(&configuration, combiner_toml(&addresses))?;
    let (process, combiner) = spawn(
        Command::new(binary)
            .args(["serve-combiner", "--config"])
            .arg(&configuration),
    )?;
    processes.push(process);
    Ok(Servers {
        combiner: combiner.to_string(),
        engagement: addresses[0].to_string(),
        _processes: processes,
        _folder: folder,
    })
}

fn combiner_toml(models: &[SocketAddr]) -> String {
    let mut text = "listen = \"127.0.0.1:0\"\n\n[store]\npath = \"weights\"\n".to_owned();
    for (objective, address) in [ENGAGEMENT, BAIT].iter().zip(models) {
        text.push_str(&format!(
            "\n[[objective]]\nname = \"{objective}\"\n[objective.model]\nendpoints = [\"http://{address}\"]\nname = \"{objective}\"\n"
        ));
    }
    text.push_str(&format!(
        "\n[profile.default]\nweights = {{ {ENGAGEMENT} = 1.0, {BAIT} = -0.5 }}\n"
    ));
    text
}
