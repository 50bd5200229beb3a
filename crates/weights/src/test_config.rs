//! Configurations for the tests of this crate.

use std::{path::Path, sync::Arc};

use counterweight_clock::SystemClock;
use counterweight_ranking::{Bound, Weights};

use crate::{
    config::{Config, MIN_KEY_HORIZON, Objective, OnModelChange, Profile, StoreConfig},
    plan::ModelIdentity,
};

/// A profile with these objectives and default weights, without bounds and without a safe set.
pub(crate) fn profile(name: &str, weights: &[(&str, f64)]) -> Profile {
    let objectives = weights.iter().map(|&(name, _)| Objective {
        name: name.into(),
        model: name.into(),
        base_rate: 1.0,
    });
    Profile {
        name: name.into(),
        objectives: objectives.collect(),
        weights: Weights::new(weights.iter().map(|&(_, weight)| weight).collect()).unwrap(),
        safe: None,
        bounds: vec![Bound::default(); weights.len()],
        on_model_change: OnModelChange::Warn,
    }
}

/// A combiner with an embedded log in that folder.
pub(crate) fn config(folder: &Path, profiles: Vec<Profile>) -> Config {
    Config {
        replica: "combiner".into(),
        clock: Arc::new(SystemClock),
        store: StoreConfig::Embedded {
            path: folder.join("weights.log"),
        },
        key_horizon: MIN_KEY_HORIZON,
        profiles: profiles.into_iter().map(Arc::new).collect(),
    }
}

/// What serves a probability column.
pub(crate) fn column() -> ModelIdentity {
    ModelIdentity {
        model_version: String::new(),
        calibrator: String::new(),
    }
}
