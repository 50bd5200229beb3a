//! The configuration as the file has it, unchecked. Unknown keys are errors.

use std::{collections::BTreeMap, path::PathBuf};

use counterweight_model::Calibrator;
use serde::Deserialize;

use counterweight_weights::OnModelChange;

use super::types::{Features, Policy};

/// The version name that means the served default.
pub(super) const LATEST: &str = "latest";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    #[serde(default = "default_listen")]
    pub(super) listen: String,
    pub(super) metrics_listen: Option<String>,
    #[serde(default = "default_replica")]
    pub(super) replica: String,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) store: Store,
    #[serde(default)]
    pub(super) attributes: Vec<String>,
    #[serde(default)]
    pub(super) recent_requests: RecentRequests,
    pub(super) request_log: Option<RequestLog>,
    pub(super) feedback: Option<Feedback>,
    #[serde(default)]
    pub(super) objective: Vec<Objective>,
    #[serde(default)]
    pub(super) profile: BTreeMap<String, Profile>,
}

/// Each limit that is left out has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) memory_budget_bytes: Option<usize>,
    pub(super) max_message_bytes: Option<usize>,
    pub(super) max_concurrent_requests: Option<usize>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_streams: Option<usize>,
    pub(super) read_timeout_ms: Option<u64>,
    pub(super) send_timeout_ms: Option<u64>,
    pub(super) drain_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) path: PathBuf,
    pub(super) nats: Option<String>,
    pub(super) stream: Option<String>,
    #[serde(default = "default_idempotency_days")]
    pub(super) idempotency_days: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecentRequests {
    pub(super) candidates: usize,
    pub(super) minutes: u64,
}

impl Default for RecentRequests {
    fn default() -> Self {
        Self {
            candidates: 1_000_000,
            minutes: 60,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLog {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) features: Features,
    #[serde(default)]
    pub(super) all_share: f64,
    #[serde(default)]
    pub(super) feature: BTreeMap<String, Feature>,
    #[serde(default)]
    pub(super) unit: Unit,
    pub(super) unit_key: Option<PathBuf>,
    #[serde(default)]
    pub(super) sync: Sync,
    #[serde(default = "default_sync_interval")]
    pub(super) sync_interval_ms: u64,
    #[serde(default = "default_queue_mib")]
    pub(super) queue_mib: u64,
    #[serde(default = "default_part_mib")]
    pub(super) part_mib: u64,
    #[serde(default = "default_part_minutes")]
    pub(super) part_minutes: u64,
    #[serde(default = "default_keep_days")]
    pub(super) keep_days: u64,
    #[serde(default = "default_keep_gib")]
    pub(super) keep_gib: u64,
    pub(super) store: Option<PartStore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feedback {
    pub(super) path: PathBuf,
    #[serde(default)]
    pub(super) types: Vec<String>,
    pub(super) unit: Option<Unit>,
    pub(super) unit_key: Option<PathBuf>,
    pub(super) part_mib: Option<u64>,
    pub(super) part_minutes: Option<u64>,
    pub(super) keep_days: Option<u64>,
    pub(super) keep_gib: Option<u64>,
    pub(super) store: Option<PartStore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartStore {
    pub(super) url: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    #[serde(default)]
    pub(super) allow_http: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feature {
    pub(super) log: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sync {
    None,
    #[default]
    Interval,
    Request,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    #[default]
    KeyedHash,
    Raw,
    None,
}

fn default_sync_interval() -> u64 {
    1000
}

fn default_queue_mib() -> u64 {
    64
}

fn default_part_mib() -> u64 {
    64
}

fn default_part_minutes() -> u64 {
    15
}

fn default_keep_days() -> u64 {
    90
}

fn default_keep_gib() -> u64 {
    100
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Objective {
    pub(super) name: String,
    pub(super) model: Option<Model>,
    pub(super) column: Option<Column>,
    #[serde(default)]
    pub(super) calibrator: Calibrator,
    #[serde(default = "default_base_rate")]
    pub(super) base_rate: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    pub(super) endpoints: Vec<String>,
    pub(super) name: String,
    #[serde(default = "default_version")]
    pub(super) version: String,
    #[serde(default = "default_output")]
    pub(super) output: String,
    #[serde(default)]
    pub(super) column: usize,
    #[serde(default = "default_timeout")]
    pub(super) timeout_ms: u64,
    pub(super) packed: Option<Packed>,
    #[serde(default)]
    pub(super) expand_context: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packed {
    pub(super) input: String,
    pub(super) features: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) weights: BTreeMap<String, f64>,
    pub(super) safe: Option<BTreeMap<String, f64>>,
    #[serde(default)]
    pub(super) bounds: BTreeMap<String, Bound>,
    #[serde(default)]
    pub(super) on_model_failure: Policy,
    #[serde(default)]
    pub(super) on_model_overload: Policy,
    #[serde(default)]
    pub(super) on_model_change: OnModelChange,
    #[serde(default)]
    pub(super) limit: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    pub(super) sign: Option<Sign>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) max_step: Option<f64>,
}

/// The sign that a weight must have; zero has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sign {
    NonNegative,
    NonPositive,
}

fn default_idempotency_days() -> u64 {
    7
}

fn default_base_rate() -> f64 {
    1.0
}

fn default_listen() -> String {
    "127.0.0.1:7000".to_owned()
}

fn default_replica() -> String {
    "combiner".to_owned()
}

fn default_version() -> String {
    LATEST.to_owned()
}

fn default_output() -> String {
    "probability".to_owned()
}

fn default_timeout() -> u64 {
    1000
}
