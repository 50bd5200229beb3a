//! A log that changes are made in, and the changes of segments, experiments and exploration that
//! tests make.

use std::{collections::HashMap, path::Path, sync::Arc};

use counterweight_clock::SystemClock;
use counterweight_ranking::{Bound, Weights};
use counterweight_weights::{
    Arm, AudienceChange, Cause, Change, Command, Condition, Config, Context, Error,
    ExperimentChange, Exploration, KnownAttributes, LiveWeights, MIN_KEY_HORIZON, ModelIdentity,
    Objective, ObjectiveWeight, OnModelChange, Profile, ProfileAtRevision, ProfileChange,
    ProfileState, Segment, StoreConfig, StoreError, Test, Value,
};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A log that grows, and what its changes are planned by.
pub(crate) struct Log {
    pub(crate) context: Context,
    pub(crate) live: Arc<LiveWeights>,
    pub(crate) folder: TempDir,
    runtime: Runtime,
}

impl Log {
    pub(crate) fn new() -> Self {
        let mut default = profile("default", &[("engagement", 1.0), ("bait", -0.5)]);
        default.safe = Some(Weights::new(vec![1.0, -2.0]).unwrap());
        default.bounds = vec![
            Bound {
                min: 0.0,
                max: 2.0,
                ..Bound::default()
            },
            Bound {
                min: -4.0,
                max: 0.0,
                max_step: 1.0,
            },
        ];
        let single = profile("single", &[("engagement", 1.0)]);
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let config = config(folder.path(), vec![default, single]);
        let live = runtime.block_on(open(config)).unwrap();
        let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let context = Context {
            served: served(),
            attributes: KnownAttributes {
                context: text(&["user_country", "user_age", "user_tier"]),
                candidate: text(&["views"]),
                complete: true,
            },
            forced: false,
        };
        Self {
            context,
            live: Arc::new(live),
            folder,
            runtime,
        }
    }

    /// What becomes of a change of the log.
    pub(crate) fn commit(&self, command: Command) -> Result<Change, Error> {
        let cause = Cause {
            author: "ana".into(),
            reason: "r".into(),
            idempotency_key: String::new(),
            request_digest: String::new(),
        };
        let change = self.live.change(cause, self.context.clone(), command);
        Ok(self.runtime.block_on(change)?.change.clone())
    }

    pub(crate) fn set(&self, change: &ProfileChange) -> ProfileState {
        let change = self.commit(Command::Set(vec![change.clone()])).unwrap();
        change.profiles[0].clone()
    }

    pub(crate) fn refusal(&self, change: &ProfileChange) -> String {
        let outcome = self.commit(Command::Set(vec![change.clone()]));
        outcome.unwrap_err().to_string()
    }

    /// Ends the writing, and opens the log with another configuration.
    pub(crate) fn reopened(self, profiles: Vec<Profile>) -> Result<LiveWeights, StoreError> {
        self.runtime.block_on(self.live.close());
        drop(self.live);
        self.runtime
            .block_on(open(config(self.folder.path(), profiles)))
    }
}

async fn open(config: Config) -> Result<LiveWeights, StoreError> {
    LiveWeights::open(Arc::new(config), &Registry::new()).await
}

pub(crate) fn served() -> HashMap<String, ModelIdentity> {
    let column = ModelIdentity {
        model_version: String::new(),
        calibrator: String::new(),
    };
    ["engagement", "bait"]
        .map(|name| (name.to_owned(), column.clone()))
        .into()
}

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

fn config(folder: &Path, profiles: Vec<Profile>) -> Config {
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

pub(crate) fn at(profile: &str) -> ProfileAtRevision {
    ProfileAtRevision {
        profile: profile.into(),
        expected_revision: None,
    }
}

pub(crate) fn change(audience: AudienceChange) -> ProfileChange {
    ProfileChange {
        at: at(""),
        weights: vec![],
        bindings: vec![],
        confirm_models: false,
        audience,
    }
}

pub(crate) fn weights(weights: &[(&str, f64)]) -> Vec<ObjectiveWeight> {
    let weights = weights.iter();
    weights
        .map(|&(objective, weight)| ObjectiveWeight {
            objective: objective.into(),
            weight,
        })
        .collect()
}

pub(crate) fn base(sets: &[(&str, f64)]) -> ProfileChange {
    ProfileChange {
        weights: weights(sets),
        ..change(AudienceChange::default())
    }
}

pub(crate) fn german(name: &str, sets: &[(&str, f64)]) -> Segment {
    Segment {
        name: name.into(),
        conditions: vec![Condition {
            attribute: "user_country".into(),
            test: Test::AnyOf(vec![Value::Text("DE".into())]),
        }],
        weights: weights(sets),
    }
}

pub(crate) fn segments(segments: Vec<Segment>) -> ProfileChange {
    change(AudienceChange {
        segments: Some(segments),
        ..Default::default()
    })
}

pub(crate) fn asking(attribute: &str, test: Test) -> ProfileChange {
    let mut segment = german("s", &[]);
    segment.conditions = vec![Condition {
        attribute: attribute.into(),
        test,
    }];
    segments(vec![segment])
}

pub(crate) type Arms<'a> = &'a [(&'a str, u32, &'a [(&'a str, f64)])];

pub(crate) fn experiment(name: &str, segment: Option<&str>, arms: Arms<'_>) -> ExperimentChange {
    ExperimentChange {
        name: name.into(),
        salt: None,
        new_salt: format!("salt of {name}"),
        segment: segment.map(Into::into),
        arms: arms
            .iter()
            .map(|&(name, buckets, sets)| {
                let arm = Arm {
                    name: name.into(),
                    weights: weights(sets),
                };
                (arm, buckets)
            })
            .collect(),
    }
}

pub(crate) fn experiments(experiments: Vec<ExperimentChange>) -> ProfileChange {
    change(AudienceChange {
        experiments: Some(experiments),
        ..Default::default()
    })
}

pub(crate) fn exploration(
    low: f64,
    high: f64,
    log_uniform: bool,
    arm: Option<&str>,
) -> ProfileChange {
    change(AudienceChange {
        exploration: Some(Some(Exploration {
            low,
            high,
            log_uniform,
            arm: arm.map(Into::into),
            seed: 9,
        })),
        ..Default::default()
    })
}
