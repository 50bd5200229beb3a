//! The servers under test: real processes of the release binary, killed when the bench ends.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
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

struct Process {
    child: Child,
    // Held, so that the server can go on writing to its standard output.
    output: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// Starts a server and waits for the line in which it prints its address.
fn spawn(command: &mut Command) -> Result<(Process, SocketAddr)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .env("COUNTERWEIGHT_LOG", "warn")
        .spawn()
        .with_context(|| {
            format!(
                "cannot start {:?}; build it with `cargo build --release -p counterweight-cli --no-default-features`",
                command.get_program()
            )
        })?;
    let output = child.stdout.take().context("no standard output")?;
    let mut process = Process {
        child,
        output: BufReader::new(output),
    };
    let mut line = String::new();
    while process.output.read_line(&mut line)? > 0 {
        let words = line.split_whitespace();
        if let Some(address) = words.filter_map(|word| word.parse().ok()).next() {
            return Ok((process, address));
        }
        line.clear();
    }
    bail!("{command:?} ended before it printed its address; its message is above")
}
