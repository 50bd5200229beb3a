//! What to load, at which rate and for how long: plain structs for a command line or a benchmark.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One load run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The server, `HOST:PORT` or `http://HOST:PORT`. The connection is HTTP/2 without TLS.
    pub address: String,
    /// The requests to send.
    pub workload: Workload,
    /// How requests are timed.
    pub mode: Mode,
    /// How long requests are sent and counted, in seconds; above 0.
    pub seconds: f64,
    /// How long requests are sent before that without being counted, in seconds; may be 0.
    pub warm_up_seconds: f64,
    /// TCP connections, used in turn; at least 1.
    pub channels: usize,
    /// A request that takes longer counts as DEADLINE_EXCEEDED. The timeout is sent to the server
    /// as `grpc-timeout`. In an open loop it starts at the scheduled send time.
    pub timeout: Duration,
    /// Seed of the random values. The same seed generates the same requests.
    pub seed: u64,
}

impl Options {
    /// Ten seconds with one request in flight, after one second of warm-up, on one connection, with
    /// a timeout of ten seconds.
    pub fn new(address: impl Into<String>, workload: Workload) -> Self {
        Self {
            address: address.into(),
            workload,
            mode: Mode::Closed { concurrency: 1 },
            seconds: 10.0,
            warm_up_seconds: 1.0,
            channels: 1,
            timeout: Duration::from_secs(10),
            seed: 1,
        }
    }
}

/// How requests are timed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A fixed number of requests is always in flight, and each latency is counted from the actual
    /// send time. This finds the highest throughput. Its latencies omit the time that arrivals
    /// would have waited while the server was slow (coordinated omission).
    Closed {
        /// Requests in flight; at least 1.
        concurrency: usize,
    },
    /// Requests arrive at constant intervals, whether earlier ones were answered or not, and each
    /// latency is counted from the *scheduled* send time. So a stall increases the latency of every
    /// request that arrived during it.
    Open {
        /// Arrivals per second; above 0.
        rate: f64,
    },
}

/// The requests to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// `counterweight.v1.RankingService.Rank`.
    Rank(RankWorkload),
    /// `inference.GRPCInferenceService.ModelInfer` of any server that implements the Open Inference
    /// Protocol.
    Infer(InferWorkload),
}

/// Rank requests.
#[derive(Debug, Clone, PartialEq)]
pub struct RankWorkload {
    /// Profile; empty means the server's default.
    pub profile: String,
    /// Candidates of one request; at least 1.
    pub candidates: usize,
    /// Number of candidates to return; 0 for all.
    pub limit: u32,
    /// The encoding of tensors.
    pub contents: Contents,
    /// The tensors to send. If empty, those that DescribeRanking lists.
    pub inputs: Vec<TensorSpec>,
}

/// ModelInfer requests.
#[derive(Debug, Clone, PartialEq)]
pub struct InferWorkload {
    /// Model name.
    pub model: String,
    /// Model version. Empty means the server's default.
    pub version: String,
    /// Rows of one request, which replace −1 in a shape; at least 1.
    pub rows: usize,
    /// The encoding of tensors.
    pub contents: Contents,
    /// The tensors to send. If empty, those that ModelMetadata lists.
    pub inputs: Vec<TensorSpec>,
    /// Names of the output tensors to request. If empty, the server's default.
    pub outputs: Vec<String>,
}

/// The encoding of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// As bytes in `raw_input_contents`.
    #[default]
    Raw,
    /// As numbers in each tensor's `contents`.
    Typed,
}

/// One tensor to fill with random values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TensorSpec {
    /// Tensor name.
    pub name: String,
    /// Open Inference datatype, such as `FP32`.
    pub datatype: String,
    /// Shape, row-major. A first dimension of −1 is replaced by the rows of the request.
    pub shape: Vec<i64>,
    /// numeric, boolean, categorical, text, list or vector, if the server states it. The kind
    /// determines the content of BYTES elements.
    pub kind: String,
    /// `context` sends one row for all candidates; any other value sends one row per candidate.
    pub side: String,
    /// Strings to draw texts from. If empty, texts are generated.
    pub texts: Vec<String>,
    /// Tensor parameters that the server requires, such as MLServer's `content_type` = `np`.
    pub parameters: Vec<(String, String)>,
}

impl TensorSpec {
    /// One packed tensor of shape [rows, features], the form that scikit-learn servers expect.
    pub fn packed(name: impl Into<String>, datatype: impl Into<String>, features: usize) -> Self {
        Self {
            name: name.into(),
            datatype: datatype.into(),
            shape: vec![-1, i64::try_from(features).unwrap_or(i64::MAX)],
            ..Self::default()
        }
    }
}
