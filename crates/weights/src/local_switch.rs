//! The safe sets that a local kill has put in force, without the log.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwapOption;
use prometheus::IntGauge;
use serde::{Deserialize, Serialize};

use crate::{config::Config, in_force::InForce};

/// A local kill, as it is kept and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalKill {
    /// The profiles whose safe sets are in force.
    pub profiles: Vec<String>,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended; none while it lasts.
    #[serde(skip)]
    pub ended_ms: Option<u64>,
    /// Why a restart would forget it; empty where it is kept on disk.
    #[serde(skip)]
    pub not_kept: String,
}

/// The local kill of a combiner.
#[derive(Debug)]
pub(crate) struct LocalSwitch {
    /// The file that keeps it.
    pub(crate) path: PathBuf,
    pub(crate) thrown: ArcSwapOption<Thrown>,
    gauge: IntGauge,
}

/// The last local kill since the start.
#[derive(Debug)]
pub(crate) struct Thrown {
    pub(crate) kill: LocalKill,
    /// By the position of a profile; none where the log decides, and everywhere once it has ended.
    pub(crate) safe: Vec<Option<Arc<InForce>>>,
}

impl LocalSwitch {
    /// A switch whose file is beside the log; `gauge` counts the profiles under a local kill.
    pub(crate) fn new(config: &Config, gauge: IntGauge) -> Self {
        let mut name = config.store.path().as_os_str().to_owned();
        name.push(".local-kill");
        Self {
            path: PathBuf::from(name),
            thrown: ArcSwapOption::empty(),
            gauge,
        }
    }

    /// The safe set of a profile while a local kill puts it in force.
    pub(crate) fn safe(&self, profile: usize) -> Option<Arc<InForce>> {
        self.thrown.load().as_ref()?.safe.get(profile)?.clone()
    }

    pub(crate) fn set(&self, kill: LocalKill, safe: Vec<Option<Arc<InForce>>>) {
        let profiles = safe.iter().flatten().count();
        self.gauge.set(i64::try_from(profiles).unwrap_or(i64::MAX));
        self.thrown.store(Some(Arc::new(Thrown { kill, safe })));
    }
}
