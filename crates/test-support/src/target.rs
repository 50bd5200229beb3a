//! What is attacked: a combiner and a model server as processes, with limits that are low enough to
//! be reached.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use counterweight_model::{
    Artefact, Calibrator, DEFAULT_MAX_TEXT_BYTES, Encoders, Expression, Feature, FeatureEncoder,
    Input, Kind, Model, ModelParts, Report, Schema,
    encoder::{Boolean, Encoder, Numeric, Standard},
};
use tempfile::TempDir;

use crate::{
    process::Process,
    requests::{COLUMNS, EXPANDED, MODEL, MODELS, PACKED},
};

/// Addresses that a server may use, in KiB, so that one without a bound ends before the machine.
const MAX_KIB: usize = 8 << 20;

/// How the servers are started.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// The `counterweight` program.
    pub program: PathBuf,
    /// What bounds each server; `None` leaves the defaults.
    pub limits: Option<TargetLimits>,
}

/// What bounds each server.
#[derive(Debug, Clone, Copy)]
pub struct TargetLimits {
    /// The memory of requests and answers, in MiB.
    pub memory_budget_mib: usize,
    /// How long calls in progress may take after a stop signal.
    pub drain: Duration,
    /// How long a request may take to arrive.
    pub read_timeout: Duration,
    /// How long an answer may be left unread.
    pub send_timeout: Duration,
    /// The most files that the process may open.
    pub files: u32,
}

impl Default for TargetLimits {
    /// Limits that an attack of a few seconds reaches.
    fn default() -> Self {
        Self {
            memory_budget_mib: 256,
            drain: Duration::from_secs(2),
            read_timeout: Duration::from_secs(2),
            send_timeout: Duration::from_secs(3),
            files: 1024,
        }
    }
}

/// Both servers. They are killed when this is dropped.
#[derive(Debug)]
pub struct Target {
    /// The combiner.
    pub combiner: Process,
    /// The model server that it asks.
    pub model: Process,
    _folder: TempDir,
}

impl Target {
    /// Starts both.
    ///
    /// # Errors
    /// A file cannot be written, or a server does not start.
    pub fn start(options: &TargetOptions) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let repository = folder.path().join("repository");
        let report = Report {
            command: "fixed coefficients, for attacks".to_owned(),
            ..Report::default()
        };
        let card = "Fixed coefficients.\n";
        Artefact::save(model(), report, card, &repository.join(MODEL)).map_err(io::Error::other)?;
        let mut command = program(options);
        command
            .args(["serve-model", "--listen", "127.0.0.1:0", "--repository"])
            .arg(&repository);
        if let Some(limits) = options.limits {
            command.args(flags(limits));
        }
        let model = Process::start(&mut command)?;
        let config = folder.path().join("combiner.toml");
        fs::write(&config, toml(options, model.address()))?;
        let combiner = start_combiner(options, &config)?;
        Ok(Self {
            combiner,
            model,
            _folder: folder,
        })
    }
}

fn start_combiner(options: &TargetOptions, config: &Path) -> io::Result<Process> {
    let mut command = program(options);
    Process::start(command.args(["serve-combiner", "--config"]).arg(config))
}

/// The limits as flags of `serve-model`.
fn flags(limits: TargetLimits) -> Vec<String> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let flags = [
        ("--memory-budget-mib", limits.memory_budget_mib.to_string()),
        ("--read-timeout-ms", milliseconds(limits.read_timeout)),
        ("--send-timeout-ms", milliseconds(limits.send_timeout)),
        ("--drain-timeout-ms", milliseconds(limits.drain)),
    ];
    let pairs = flags.map(|(flag, value)| [flag.to_owned(), value]);
    pairs.into_iter().flatten().collect()
}

/// The program under its limit of open files, and without the caller's settings.
fn program(options: &TargetOptions) -> Command {
    let mut command = match options.limits {
        None => Command::new(&options.program),
        Some(TargetLimits { files, .. }) => {
            let mut command = Command::new("sh");
            let script = format!("ulimit -n {files}; ulimit -v {MAX_KIB}; exec \"$0\" \"$@\"");
            command.args(["-c", &script]).arg(&options.program);
            command
        }
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERWEIGHT_") {
            command.env_remove(name);
        }
    }
    command.env("COUNTERWEIGHT_LOG", "error");
    command
}

/// Objectives of every kind that a request can ask for, each in a profile of its own.
fn toml(options: &TargetOptions, model: &str) -> String {
    let limits = options.limits.map(|limits| {
        format!(
            "[limits]\nmemory_budget_bytes = {}\nread_timeout_ms = {}\nsend_timeout_ms = {}\n\
             drain_seconds = {}\n\
             # They are not part of the budget.\n[recent_requests]\ncandidates = 20000\n",
            limits.memory_budget_mib << 20,
            limits.read_timeout.as_millis(),
            limits.send_timeout.as_millis(),
            limits.drain.as_secs()
        )
    });
    let limits = limits.unwrap_or_default();
    let endpoint =
        format!("endpoints = [\"http://{model}\"]\nname = \"{MODEL}\"\ntimeout_ms = 5000\n");
    format!(
        r#"listen = "127.0.0.1:0"
attributes = ["tier"]
[store]
path = "weights.log"
[feedback]
path = "events"
{limits}[[objective]]
name = "engagement"
column = {{ name = "p_click" }}
[[objective]]
name = "engagement_bait"
column = {{ name = "p_bait" }}
[[objective]]
name = "by_model"
[objective.model]
{endpoint}
[[objective]]
name = "by_packed"
[objective.model]
{endpoint}packed = {{ input = "x", features = ["quality", "wide"] }}
[[objective]]
name = "by_expanded"
[objective.model]
{endpoint}expand_context = true
[profile.{COLUMNS}]
weights = {{ engagement = 1.0, engagement_bait = -1.0 }}
[profile.{COLUMNS}.bounds]
engagement_bait = {{ min = -10.0, max = 0.0 }}
[profile.{MODELS}]
weights = {{ by_model = 1.0 }}
[profile.{PACKED}]
weights = {{ by_packed = 1.0 }}
[profile.{EXPANDED}]
weights = {{ by_expanded = 1.0 }}
"#
    )
}

/// A model that looks for each candidate's topic in the caller's list of topics.
fn model() -> Model {
    let inputs = vec![
        Input::candidate("quality", Kind::Numeric),
        Input::candidate("topic", Kind::Categorical),
        Input::context("topics", Kind::List),
    ];
    let liked = Feature {
        name: "liked".to_owned(),
        of: Expression::Contains {
            list: "topics".to_owned(),
            item: "topic".to_owned(),
        },
    };
    let features = vec![Feature::of_input("quality"), liked];
    let standard = Some(Standard { mean: 0.0, sd: 1.0 });
    let encoders = [
        Encoder::Numeric(Numeric {
            standard,
            missing: false,
        }),
        Encoder::Boolean(Boolean {
            rate: Some(0.5),
            missing: false,
        }),
    ];
    let encoders = encoders.map(|encoder| FeatureEncoder {
        encoder,
        notes: vec![],
    });
    let schema = Schema::new(inputs, features, DEFAULT_MAX_TEXT_BYTES).unwrap();
    Model::new(ModelParts {
        objective: MODEL.to_owned(),
        coefficients: vec![1.0, 0.5],
        intercept: -0.5,
        prior_correction: None,
        calibrator: Calibrator::None,
        encoders: Encoders::new(schema, encoders.into()).unwrap(),
    })
    .unwrap()
}
