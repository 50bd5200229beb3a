//! The servers under test: one model server per model, and a combiner before them.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::Result;
use counterweight_model::{Artefact, Model, Report};
use tempfile::TempDir;

use crate::{Process, spawn};

/// Model servers and a combiner. They end when this is dropped.
#[derive(Debug)]
pub struct Servers {
    /// Where the combiner listens.
    pub combiner: String,
    /// Where the server of each model listens.
    pub models: Vec<String>,
    processes: Vec<Process>,
    /// Name and address of each model.
    sources: Vec<(String, SocketAddr)>,
    folder: TempDir,
}

impl Servers {
    /// Writes the artefacts, starts a server for each and a combiner before them, with the weight 1
    /// for the first objective and -0.5 for the others. With a `core` they run on that one alone.
    ///
    /// # Errors
    /// An artefact cannot be written, or a server does not start.
    pub fn start(binary: &Path, models: Vec<Model>, core: Option<usize>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut processes = Vec::new();
        let mut addresses = Vec::new();
        for model in models {
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
            let (process, address) = spawn(on_core(binary, core).args(arguments).arg(&repository))?;
            processes.push(process);
            addresses.push((objective, address));
        }
        let models = addresses.iter().map(|(_, address)| address.to_string());
        let mut servers = Self {
            combiner: String::new(),
            models: models.collect(),
            processes,
            sources: addresses,
            folder,
        };
        servers.combiner = servers.start_combiner(binary, "combiner", "", core)?;
        Ok(servers)
    }

    /// Starts a combiner before the same models, with `more` at the front of its configuration, and
    /// returns its address. Its files are in a folder of that name below [`Servers::folder`].
    ///
    /// # Errors
    /// It does not start.
    pub fn start_combiner(
        &mut self,
        binary: &Path,
        name: &str,
        more: &str,
        core: Option<usize>,
    ) -> Result<String> {
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder)?;
        let configuration = folder.join("combiner.toml");
        fs::write(
            &configuration,
            format!("{more}\n{}", combiner_toml(&self.sources)),
        )?;
        let (process, address) = spawn(
            on_core(binary, core)
                .args(["serve-combiner", "--config"])
                .arg(&configuration),
        )?;
        self.processes.push(process);
        Ok(address.to_string())
    }

    /// The folder of all files of the servers.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process ids of all servers.
    pub fn process_ids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(Process::id)
    }
}

/// A command that runs on one core, or wherever the system likes.
pub fn on_core(binary: &Path, core: Option<usize>) -> Command {
    let Some(core) = core else {
        return Command::new(binary);
    };
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(binary);
    command
}

fn combiner_toml(models: &[(String, SocketAddr)]) -> String {
    let mut text = "listen = \"127.0.0.1:0\"\n\n[store]\npath = \"weights\"\n".to_owned();
    let mut weights = Vec::new();
    for (objective, address) in models {
        text.push_str(&format!(
            "\n[[objective]]\nname = \"{objective}\"\n[objective.model]\n\
             endpoints = [\"http://{address}\"]\nname = \"{objective}\"\n"
        ));
        let weight = if weights.is_empty() { 1.0 } else { -0.5 };
        weights.push(format!("{objective} = {weight:?}"));
    }
    let weights = weights.join(", ");
    text.push_str(&format!("\n[profile.default]\nweights = {{ {weights} }}\n"));
    text
}
