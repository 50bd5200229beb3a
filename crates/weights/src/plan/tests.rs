//! Changes of segments, experiments and exploration.

mod refusals;
mod results;

use std::{collections::HashMap, path::Path, sync::Arc};

use counterweight_ranking::{Bound, Weights};

use super::*;
use crate::{
    audience::{Arm, Condition, Exploration, Segment, Test, Value, shares},
    config::MIN_KEY_HORIZON,
    entry::{Cause, Change, NO_HASH, Sealed},
    in_force::InForce,
    log_state::LogState,
    profile::{Action, ProfileState},
    test_config::{self, column},
    weight::ObjectiveWeight,
};

fn served() -> HashMap<String, ModelIdentity> {
    ["engagement", "bait"]
        .map(|name| (name.to_owned(), column()))
        .into()
}

/// A planner over a log that grows.
struct Log {
    planner: Planner,
    state: LogState,
}

impl Log {
    fn new() -> Self {
        let mut default = test_config::profile("default", &[("engagement", 1.0), ("bait", -0.5)]);
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
        let single = test_config::profile("single", &[("engagement", 1.0)]);
        let config = test_config::config(Path::new(""), vec![default, single]);
        let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            planner: Planner {
                config: Arc::new(config),
                context: Context {
                    served: served(),
                    attributes: KnownAttributes {
                        context: text(&["user_country", "user_age", "user_tier"]),
                        candidate: text(&["views"]),
                        complete: true,
                    },
                    forced: false,
                },
            },
            state: LogState::new(MIN_KEY_HORIZON),
        }
    }

    fn forced(&self) -> Planner {
        self.planner.forced()
    }

    fn record(&mut self, change: Change) {
        let cause = Cause {
            author: "ana".into(),
            reason: "r".into(),
            idempotency_key: String::new(),
            request_digest: String::new(),
        };
        let last = self.state.last;
        let hash = match last {
            0 => NO_HASH.to_owned(),
            _ => self.state.last_hash.clone(),
        };
        let sealed = Sealed::new(last + 1, &hash, change, cause, Default::default()).unwrap();
        self.state.record(&sealed.entry);
    }

    fn set(&mut self, change: &ProfileChange) -> ProfileState {
        let change = self
            .planner
            .set(&self.state, std::slice::from_ref(change))
            .unwrap();
        let state = change.profiles[0].clone();
        self.record(change);
        state
    }

    fn refusal(&self, change: &ProfileChange) -> String {
        let outcome = self.planner.set(&self.state, std::slice::from_ref(change));
        outcome.unwrap_err().to_string()
    }
}

fn at(profile: &str) -> ProfileAt {
    ProfileAt {
        profile: profile.into(),
        expected_revision: None,
    }
}

fn change(audience: AudienceChange) -> ProfileChange {
    ProfileChange {
        at: at(""),
        weights: vec![],
        binding: vec![],
        confirm_models: false,
        audience,
    }
}

fn weights(weights: &[(&str, f64)]) -> Vec<ObjectiveWeight> {
    let weights = weights.iter();
    weights
        .map(|&(objective, weight)| ObjectiveWeight {
            objective: objective.into(),
            weight,
        })
        .collect()
}

fn base(sets: &[(&str, f64)]) -> ProfileChange {
    ProfileChange {
        weights: weights(sets),
        ..change(AudienceChange::default())
    }
}

fn german(name: &str, sets: &[(&str, f64)]) -> Segment {
    Segment {
        name: name.into(),
        conditions: vec![Condition {
            attribute: "user_country".into(),
            test: Test::AnyOf(vec![Value::Text("DE".into())]),
        }],
        weights: weights(sets),
    }
}

fn segments(segments: Vec<Segment>) -> ProfileChange {
    change(AudienceChange {
        segments: Some(segments),
        ..Default::default()
    })
}

fn asking(attribute: &str, test: Test) -> ProfileChange {
    let mut segment = german("s", &[]);
    segment.conditions = vec![Condition {
        attribute: attribute.into(),
        test,
    }];
    segments(vec![segment])
}

type Arms<'a> = &'a [(&'a str, u32, &'a [(&'a str, f64)])];

fn experiment(name: &str, segment: Option<&str>, arms: Arms<'_>) -> ExperimentChange {
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

fn experiments(experiments: Vec<ExperimentChange>) -> ProfileChange {
    change(AudienceChange {
        experiments: Some(experiments),
        ..Default::default()
    })
}

fn exploration(low: f64, high: f64, log_uniform: bool, arm: Option<&str>) -> ProfileChange {
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
