//! What to load, how hard and for how long: plain structs that a command line or a benchmark fills
//! in.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One load run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The server, `HOST:PORT` or `http://HOST:PORT`; plain text HTTP/2.
    pub address: String,
    /// What is asked of it.
    pub workload: Workload,
    /// How requests are timed.
    pub mode: Mode,
    /// How long requests are sent and counted, in seconds; above 0.
    pub seconds: f64,
    /// How long requests are sent before that without being counted, in seconds; 0 for none.
    pub warm_up_seconds: f64,
    /// TCP connections, used in turn; at least 1.
    pub channels: usize,
    /// A request that takes longer counts as DEADLINE_EXCEEDED; sent to the server as
    /// `grpc-timeout`. In an open loop it runs from the intended send time.
    pub timeout: Duration,
    /// Seed of the random values; the same seed builds the same requests.
    pub seed: u64,
}

impl Options {
    /// Ten seconds at one request in flight after one second of warm-up, on one connection, with a
    /// timeout of ten seconds.
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
    /// So many requests are always in flight, each latency measured from its sending. Finds the
    /// highest throughput; its latencies leave out what arrivals would have waited while the server
    /// was slow (coordinated omission).
    Closed {
        /// Requests in flight; at least 1.
        concurrency: usize,
    },
    /// Requests arrive at constant intervals whether or not earlier ones were answered, each
    /// latency measured from the *intended* send time, so that a stall is seen by every request
    /// that arrived during it.
    Open {
        /// Arrivals per second; above 0.
        rate: f64,
    },
}

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// `counterweight.v1.RankingService.Rank`.
    Rank(RankWorkload),
    /// `inference.GRPCInferenceService.ModelInfer` of any server that speaks the Open Inference
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
    /// How many to return; 0 for all.
    pub limit: u32,
    /// How tensors are carried.
    pub contents: Contents,
    /// The tensors to send; empty means those that DescribeRanking lists.
    pub inputs: Vec<TensorSpec>,
}

/// ModelInfer requests.
#[derive(Debug, Clone, PartialEq)]
pub struct InferWorkload {
    /// Model name.
    pub model: String,
    /// Model version; empty means the server's default.
    pub version: String,
    /// Rows of one request, which replace −1 in a shape; at least 1.
    pub rows: usize,
    /// How tensors are carried.
    pub contents: Contents,
    /// The tensors to send; empty means those that ModelMetadata lists.
    pub inputs: Vec<TensorSpec>,
    /// Output tensors to ask for by name; empty means the server's default.
    pub outputs: Vec<String>,
}

/// How tensors are carried.
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
    /// Shape, row major; a first side of −1 means the rows of the request.
    pub shape: Vec<i64>,
    /// numeric, boolean, categorical, text, list or vector, where the server says: it decides what
    /// a BYTES element holds.
    pub kind: String,
    /// `context` sends one row that holds for all; anything else sends one row each.
    pub side: String,
    /// Strings to draw from for a text; empty means invented ones.
    pub texts: Vec<String>,
    /// Tensor parameters that the server wants to see, such as MLServer's `content_type` = `np`.
    pub parameters: Vec<(String, String)>,
}

impl TensorSpec {
    /// One packed tensor of shape [rows, features], as scikit-learn servers take it.
    pub fn packed(name: impl Into<String>, datatype: impl Into<String>, features: usize) -> Self {
        Self {
            name: name.into(),
            datatype: datatype.into(),
            shape: vec![-1, i64::try_from(features).unwrap_or(i64::MAX)],
            ..Self::default()
        }
    }
}
