//! `counterweight bench load`: sends load to a combiner or to any server of the Open Inference Protocol.

use std::time::Duration;

use clap::{Args, Subcommand};
use counterweight_load::{
    Contents, InferWorkload, Mode, Options, RankWorkload, Report, TensorSpec, Workload, run,
};

use crate::{
    output::{Output, table},
    runtime,
};

/// Send load to a server and measure its latency and throughput.
#[derive(Subcommand)]
pub(crate) enum Load {
    /// Rank requests to a combiner, with random values for the features that it describes.
    Rank(Rank),
    /// ModelInfer requests to any server that speaks the Open Inference Protocol.
    Infer(Infer),
}

/// How load is sent.
#[derive(Args)]
struct Common {
    /// Requests in flight (closed loop): finds the highest throughput.
    #[arg(
        long,
        env = "COUNTERWEIGHT_CONCURRENCY",
        conflicts_with = "rate",
        default_value_t = 1
    )]
    concurrency: usize,
    /// Arrivals per second (open loop): latency from the intended send time, free of coordinated omission.
    #[arg(long, env = "COUNTERWEIGHT_RATE", value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// How long to measure, in seconds.
    #[arg(long, env = "COUNTERWEIGHT_SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// How long to send before that without counting, in seconds.
    #[arg(
        long,
        env = "COUNTERWEIGHT_WARM_UP",
        default_value_t = 1.0,
        value_name = "SECONDS"
    )]
    warm_up: f64,
    /// Connections, used in turn.
    #[arg(long, env = "COUNTERWEIGHT_CHANNELS", default_value_t = 1)]
    channels: usize,
    /// Carry tensors as typed contents instead of raw bytes.
    #[arg(long, env = "COUNTERWEIGHT_TYPED")]
    typed: bool,
    /// The longest a request may take, in milliseconds.
    #[arg(long, env = "COUNTERWEIGHT_TIMEOUT_MS", default_value_t = 10_000)]
    timeout_ms: u64,
    /// Seed of the random values.
    #[arg(long, env = "COUNTERWEIGHT_SEED", default_value_t = 1)]
    seed: u64,
}

/// Rank requests to a combiner, with random values for the features that it describes.
#[derive(Args)]
pub(crate) struct Rank {
    /// Address of the combiner.
    #[arg(
        long,
        env = "COUNTERWEIGHT_ADDRESS",
        default_value = "http://127.0.0.1:7000",
        value_name = "URL"
    )]
    address: String,
    /// Candidates of one request.
    #[arg(long, env = "COUNTERWEIGHT_CANDIDATES", default_value_t = 500)]
    candidates: usize,
    /// How many candidates to return; 0 returns all.
    #[arg(long, env = "COUNTERWEIGHT_LIMIT", default_value_t = 10)]
    limit: u32,
    /// The profile to rank for.
    #[arg(long, env = "COUNTERWEIGHT_PROFILE", default_value = "default")]
    profile: String,
    #[command(flatten)]
    common: Common,
}

/// ModelInfer requests to any server that speaks the Open Inference Protocol.
#[derive(Args)]
pub(crate) struct Infer {
    /// Address of the server.
    #[arg(
        long,
        env = "COUNTERWEIGHT_MODEL_ADDRESS",
        default_value = "http://127.0.0.1:7001",
        value_name = "URL"
    )]
    address: String,
    /// The model's name.
    #[arg(long, env = "COUNTERWEIGHT_MODEL", value_name = "NAME")]
    model: String,
    /// Rows of one request.
    #[arg(long, env = "COUNTERWEIGHT_ROWS", default_value_t = 100)]
    rows: usize,
    /// Send one packed tensor of this name instead of the inputs that the server states.
    #[arg(
        long,
        env = "COUNTERWEIGHT_INPUT",
        value_name = "TENSOR",
        requires = "features"
    )]
    input: Option<String>,
    /// Features in the packed tensor.
    #[arg(long, env = "COUNTERWEIGHT_FEATURES", requires = "input")]
    features: Option<usize>,
    /// Datatype of the packed tensor.
    #[arg(long, env = "COUNTERWEIGHT_DATATYPE", default_value = "FP32")]
    datatype: String,
    /// Output tensor to ask for [default: the server's own].
    #[arg(long, env = "COUNTERWEIGHT_OUTPUT", value_name = "TENSOR")]
    output: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Load {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let (address, workload, common) = match self {
            Self::Rank(rank) => {
                let workload = RankWorkload {
                    profile: rank.profile,
                    candidates: rank.candidates,
                    limit: rank.limit,
                    contents: rank.common.contents(),
                    inputs: Vec::new(),
                };
                (rank.address, Workload::Rank(workload), rank.common)
            }
            Self::Infer(infer) => {
                let packed = infer.input.zip(infer.features);
                let workload = InferWorkload {
                    model: infer.model,
                    version: String::new(),
                    rows: infer.rows,
                    contents: infer.common.contents(),
                    inputs: packed
                        .map(|(name, features)| TensorSpec::packed(name, infer.datatype, features))
                        .into_iter()
                        .collect(),
                    outputs: infer.output.into_iter().collect(),
                };
                (infer.address, Workload::Infer(workload), infer.common)
            }
        };
        let options = common.options(address, workload);
        let report = runtime()?.block_on(run(&options, |_| {}))?;
        output.print(&report, human)?;
        if report.latency.is_none() {
            anyhow::bail!("no request was answered; see the errors by code above");
        }
        Ok(())
    }
}

impl Common {
    fn contents(&self) -> Contents {
        if self.typed {
            Contents::Typed
        } else {
            Contents::Raw
        }
    }

    fn options(&self, address: String, workload: Workload) -> Options {
        let mode = match self.rate {
            Some(rate) => Mode::Open { rate },
            None => Mode::Closed {
                concurrency: self.concurrency,
            },
        };
        Options {
            address,
            workload,
            mode,
            seconds: self.seconds,
            warm_up_seconds: self.warm_up,
            channels: self.channels,
            timeout: Duration::from_millis(self.timeout_ms),
            seed: self.seed,
        }
    }
}

fn human(report: &Report) -> String {
    let mode = match report.mode {
        Mode::Closed { concurrency } => format!("closed loop, {concurrency} in flight"),
        Mode::Open { rate } => format!("open loop, {rate} arrivals per second"),
    };
    let mut text = format!(
        "{} on {}: {mode}, {} connections\n{} requests in {:.1} s: {:.0} answered per second; {} bytes out, {} back\n",
        report.method,
        report.address,
        report.channels,
        report.requests,
        report.seconds,
        report.throughput,
        report.request_bytes,
        report.answer_bytes
    );
    let distributions = [("latency", report.latency), ("send lag", report.send_lag)];
    let rows = distributions.into_iter().filter_map(|(name, latency)| {
        let latency = latency?;
        let points = [
            latency.mean_ms,
            latency.p50_ms,
            latency.p90_ms,
            latency.p99_ms,
            latency.p999_ms,
            latency.max_ms,
        ];
        Some(
            std::iter::once(name.to_owned())
                .chain(points.map(|ms| format!("{ms:.3}")))
                .collect::<Vec<_>>(),
        )
    });
    text.push_str(&table(
        &["ms", "mean", "p50", "p90", "p99", "p99.9", "max"],
        1,
        rows,
    ));
    for (code, count) in &report.errors {
        text.push_str(&format!("\n{code}: {count}"));
    }
    text
}
