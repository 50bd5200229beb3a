//! Processes of the system, and the models that all tests share.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

pub(crate) use counterweight_test_support::{python, root, shared_data};
use serde_json::Value;
use tempfile::TempDir;

/// The program, to be run in the project's folder without the caller's settings.
pub(crate) fn counterweight() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counterweight-under-test"));
    command.current_dir(root()).stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERWEIGHT_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    counterweight().args(arguments).output().unwrap()
}

/// Runs the program, which must succeed, and reads its JSON.
pub(crate) fn json<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Value {
    let output = counterweight()
        .arg("--json")
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The models of the shipped sample, trained once for all tests.
pub(crate) fn models() -> &'static Path {
    static MODELS: OnceLock<TempDir> = OnceLock::new();
    MODELS
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            for objective in ["engagement", "engagement_bait"] {
                let out = folder.path().join(objective);
                let output = counterweight()
                    .args([
                        "train",
                        "--dataset",
                        "data/sample/dataset.toml",
                        "--objective",
                        objective,
                        "--out",
                    ])
                    .arg(out)
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
            folder
        })
        .path()
}

/// A server that is stopped when dropped.
pub(crate) struct Server {
    child: Child,
    /// What it printed first.
    pub(crate) hello: String,
}

impl Server {
    /// Starts a command and waits for its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut hello = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut hello)
            .unwrap();
        let mut server = Self { child, hello };
        if server.hello.is_empty() {
            let status = server.child.wait().unwrap();
            panic!("the server ended with {status} and said nothing");
        }
        server
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// Asks it to stop as Ctrl-C does, and waits.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    /// Asks first, since some have their own children to stop; then kills.
    fn drop(&mut self) {
        // It may be gone already.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .stderr(Stdio::null())
            .status();
        for _ in 0..400 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A combiner on a free port with this configuration, which is put into a folder; and its
/// `host:port`.
pub(crate) fn combiner(folder: &Path, config: &str) -> (Server, String) {
    let path = folder.join("combiner.toml");
    fs::write(&path, config).unwrap();
    let mut command = counterweight();
    command.args(["serve-combiner", "--listen", "127.0.0.1:0", "--config"]);
    let server = Server::start(command.arg(path));
    let address = server.hello.trim().rsplit(' ').next().unwrap().to_owned();
    (server, address)
}

/// `up` on free ports with the shared models.
pub(crate) struct Up {
    pub(crate) server: Server,
    pub(crate) welcome: Value,
    pub(crate) state: PathBuf,
    _folder: Option<TempDir>,
}

impl Up {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_owned();
        Self {
            _folder: Some(folder),
            ..Self::start_with(&state)
        }
    }

    pub(crate) fn start_with(state: &Path) -> Self {
        let mut command = counterweight();
        command
            .args([
                "--json",
                "up",
                "--listen",
                "127.0.0.1:0",
                "--metrics-listen",
                "127.0.0.1:0",
                "--models",
            ])
            .arg(models())
            .arg("--state")
            .arg(state);
        let server = Server::start(&mut command);
        let welcome: Value = serde_json::from_str(&server.hello).unwrap();
        Self {
            server,
            welcome,
            state: state.to_owned(),
            _folder: None,
        }
    }

    /// `host:port` of the combiner.
    pub(crate) fn combiner(&self) -> &str {
        self.welcome["combiner"].as_str().unwrap()
    }

    /// A command to this system whose JSON is read.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        json(
            arguments
                .iter()
                .copied()
                .chain(["--address", self.combiner()]),
        )
    }

    /// A command to this system.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(arguments
            .iter()
            .copied()
            .chain(["--address", self.combiner()]))
    }
}

/// The weight of an objective in the JSON of weights.
pub(crate) fn weight<'a>(weights: &'a Value, objective: &str) -> &'a Value {
    let mut weights = weights.as_array().unwrap().iter();
    let found = weights.find(|own| own["objective"] == objective);
    &found.unwrap_or_else(|| panic!("no weight of {objective}"))["weight"]
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
