//! What weights are bound to: the models and calibrators that a profile is ranked with when they are set.

use super::Planner;
use crate::{
    config::{OnModelChange, Source},
    error::CombinerError,
    weights::{in_force::InForce, profile::Bound},
};

/// What an objective is served by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Served {
    /// Empty for a probability column, and where a foreign server does not say.
    pub(crate) model_version: String,
    /// As in an answer.
    pub(crate) calibrator: String,
}

impl Planner {
    /// The binding of weights that are set: what the writer names, and else what the profile is ranked with. A profile
    /// that holds is ranked with what it is bound to, so that moving a weight does not confirm it for another model.
    pub(super) fn bound(
        &self,
        profile: usize,
        current: &InForce,
        named: &[Bound],
    ) -> Result<Vec<Bound>, CombinerError> {
        self.check_binding(profile, current, named)?;
        let holds = self.holds(profile);
        let held = |at: usize| current.binding[at].clone().filter(|_| holds);
        let mut binding = Vec::new();
        for at in 0..current.binding.len() {
            let bound = held(at).or_else(|| self.served_as(profile, at));
            match self.named(profile, at, named) {
                // It may name the version that is served although another is held.
                Some(_) => binding.extend(
                    self.served_as(profile, at)
                        .filter(|served| matches(named, served))
                        .or(bound),
                ),
                None if bound.is_none() && holds && !self.forced => {
                    return Err(self.not_known(profile, at));
                }
                None => binding.extend(bound),
            }
        }
        Ok(binding)
    }

    /// Refuses what the writer names where the profile is ranked with something else.
    pub(super) fn check_binding(
        &self,
        profile: usize,
        current: &InForce,
        named: &[Bound],
    ) -> Result<(), CombinerError> {
        let holds = self.holds(profile);
        self.check_named(profile, named, |at| {
            let held = current.binding[at].clone().filter(|_| holds);
            held.or_else(|| self.served_as(profile, at))
        })
    }

    fn holds(&self, profile: usize) -> bool {
        self.config.profiles[profile].on_model_change == OnModelChange::Hold
    }

    /// The binding of weights that are confirmed: what is served now.
    pub(super) fn confirmed(
        &self,
        profile: usize,
        named: &[Bound],
    ) -> Result<Vec<Bound>, CombinerError> {
        self.check_named(profile, named, |_| None)?;
        (0..self.config.profiles[profile].objectives.len())
            .map(|at| {
                self.served_as(profile, at)
                    .ok_or_else(|| self.not_known(profile, at))
            })
            .collect()
    }

    /// Refuses a named binding that is neither served nor the one that `also` gives.
    fn check_named(
        &self,
        profile: usize,
        named: &[Bound],
        also: impl Fn(usize) -> Option<Bound>,
    ) -> Result<(), CombinerError> {
        for wanted in named {
            let at = self.objective(profile, &wanted.objective)?;
            let served = self.served_as(profile, at);
            let fits = |bound: &Bound| matches(std::slice::from_ref(wanted), bound);
            if !served.iter().chain(also(at).iter()).any(fits) {
                return Err(CombinerError::NotServed {
                    profile: self.config.profiles[profile].name.clone(),
                    objective: wanted.objective.clone(),
                    wanted: text(wanted),
                    served: served.as_ref().map_or_else(|| "unknown".to_owned(), text),
                });
            }
        }
        Ok(())
    }

    fn named<'a>(&self, profile: usize, at: usize, named: &'a [Bound]) -> Option<&'a Bound> {
        let name = self.config.objective_names(profile).nth(at)?;
        named.iter().find(|bound| bound.objective == name)
    }

    /// What the objective at that place of a profile is served by.
    fn served_as(&self, profile: usize, at: usize) -> Option<Bound> {
        let objective = self.config.profiles[profile].objectives[at];
        let served = self.served[objective].as_ref()?;
        Some(Bound {
            objective: self.config.objectives[objective].name.clone(),
            model_version: served.model_version.clone(),
            calibrator: served.calibrator.clone(),
        })
    }

    fn not_known(&self, profile: usize, at: usize) -> CombinerError {
        let objective = &self.config.objectives[self.config.profiles[profile].objectives[at]];
        CombinerError::VersionUnknown {
            profile: self.config.profiles[profile].name.clone(),
            objective: objective.name.clone(),
            model: match &objective.source {
                Source::Model(model) => model.name.clone(),
                Source::Column { name } => name.clone(),
            },
        }
    }
}

/// Whether the named binding of the same objective is this one; a calibrator that is not named is not compared.
fn matches(named: &[Bound], bound: &Bound) -> bool {
    named.iter().any(|wanted| {
        wanted.objective == bound.objective
            && wanted.model_version == bound.model_version
            && (wanted.calibrator.is_empty() || wanted.calibrator == bound.calibrator)
    })
}

fn text(bound: &Bound) -> String {
    match (bound.model_version.as_str(), bound.calibrator.as_str()) {
        (version, "") => format!("version {version:?}"),
        (version, calibrator) => format!("version {version:?} with calibrator {calibrator:?}"),
    }
}
