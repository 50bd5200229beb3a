//! `counterweight bench load`: sends load to a combiner or to any server of the Open Inference
//! Protocol.

use std::time::Duration;

use clap::{Args, Subcommand};
use counterweight_load::{
    Contents, InferWorkload, Mode, Options, RankWorkload, Report, TensorSpec, Workload, run,
};

use crate::{
    client::DEFAULT_ADDRESS,
    output::{Output, table},
    runtime::runtime,
};

/// Send load to a server and measure its latency and throughput.
#[derive(Subcommand)]
pub(crate) enum Load {
    /// Send Rank requests to a combiner, with random values of the features that it describes.
    Rank(Rank),
    /// Send ModelInfer requests to any server of the Open Inference Protocol.
    Infer(Infer),
}

/// The flags for how load is sent.
#[derive(Args)]
struct Common {
    /// The number of requests in flight (closed loop), to find the highest throughput.
    #[arg(long, conflicts_with = "rate", default_value_t = 1)]
    concurrency: usize,
    /// Requests per second (open loop). Latency counts from the time when a request was due, so
    /// that waiting for a slow server counts, too.
    #[arg(long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How long to send load before the measurement, in seconds.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    warm_up: f64,
    /// The number of connections, used in turn.
    #[arg(long, default_value_t = 1)]
    channels: usize,
    /// Send tensors as typed contents instead of raw bytes.
    #[arg(long)]
    typed: bool,
    /// The timeout of a request, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    timeout_ms: u64,
    /// The seed of the random values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Send Rank requests to a combiner, with random values of the features that it describes.
#[derive(Args)]
pub(crate) struct Rank {
    /// The address of the combiner.
    #[arg(
        long,
        env = "COUNTERWEIGHT_ADDRESS",
        default_value = DEFAULT_ADDRESS,
        value_name = "URL"
    )]
    address: String,
    /// The number of candidates of one request.
    #[arg(long, default_value_t = 500)]
    candidates: usize,
    /// How many candidates to return; 0 means the limit of the profile, which is all by default.
    #[arg(long, default_value_t = 10)]
    limit: u32,
    /// The profile to rank for.
    #[arg(long, default_value = "default")]
    profile: String,
    #[command(flatten)]
    common: Common,
}

/// Send ModelInfer requests to any server of the Open Inference Protocol.
#[derive(Args)]
pub(crate) struct Infer {
    /// The address of the server.
    #[arg(long, default_value = "http://127.0.0.1:7001", value_name = "URL")]
    address: String,
    /// The name of the model.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The number of rows of one request.
    #[arg(long, default_value_t = 100)]
    rows: usize,
    /// Send one packed tensor of this name instead of the inputs that the server describes.
    #[arg(long, value_name = "TENSOR", requires = "features")]
    input: Option<String>,
    /// The number of features in the packed tensor.
    #[arg(long, requires = "input")]
    features: Option<usize>,
    /// The datatype of the packed tensor.
    #[arg(long, default_value = "FP32")]
    datatype: String,
    /// The output tensor to request [default: all outputs of the model].
    #[arg(long, value_name = "TENSOR")]
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
        output.print(&report, report_text)?;
        if report.latency.is_none() {
            anyhow::bail!("no request was answered; the lines above count the errors by code");
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

fn report_text(report: &Report) -> String {
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
