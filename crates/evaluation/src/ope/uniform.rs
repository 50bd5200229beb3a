//! The uniform policy, from the propensities of single actions that a log has.

use std::collections::HashSet;

use counterweight_impressions::{Log, Parts, Request, Summary};
use counterweight_ranking::RankingError;

use super::{
    range::no_exploration,
    rank::Explorer,
    report::{OpeOptions, OpeReport, PolicyRow, row},
    sample::Sample,
};
use crate::error::{EvaluationError, wrong};

/// Estimates the uniform policy: single actions with the propensities that the log has.
pub(super) fn uniform(
    log: &mut Log,
    options: &OpeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(OpeReport, Summary), EvaluationError> {
    let name = log.name().to_owned();
    let objectives = log.objectives().iter();
    let objectives: Vec<String> = objectives.map(|own| own.name.clone()).collect();
    let mut actions = Actions::new(objectives.len());
    let summary = log.read(Parts::All, progress, &mut |batch: &[Request]| {
        batch
            .iter()
            .try_for_each(|request| actions.add(&name, request))
    })?;
    let (mut rows, mut requests) = (Vec::new(), 0);
    for (objective, own) in objectives.iter().zip(&actions.by_objective) {
        if own.is_empty() {
            continue;
        }
        let sample = actions.sample(own).map_err(|source| wrong(&name, source))?;
        requests = requests.max(sample.len());
        let diagnostics = sample.diagnostics();
        rows.push(PolicyRow {
            lambda: None,
            objective: objective.clone(),
            estimates: vec![
                row("IPW", sample.ips(), &diagnostics, options),
                row("SNIPW", sample.snips(), &diagnostics, options),
            ],
        });
    }
    if rows.is_empty() {
        return Err(no_exploration(log));
    }
    let report = OpeReport {
        requests,
        unlabelled: actions.unlabelled,
        contradicted: actions.contradicted,
        range: None,
        level: options.level,
        rows,
    };
    Ok((report, summary))
}

/// A candidate that was shown, with what came of it.
struct Action {
    reward: f64,
    propensity: f64,
    /// The candidates of its request; none where it had no other, so that all of the log's are the
    /// alternatives.
    alternatives: Option<usize>,
}

/// What was shown in the whole log.
struct Actions {
    explorer: Explorer,
    ids: HashSet<String>,
    by_objective: Vec<Vec<Action>>,
    unlabelled: u64,
    contradicted: u64,
}

impl Actions {
    fn new(objectives: usize) -> Self {
        Self {
            explorer: Explorer::default(),
            ids: HashSet::new(),
            by_objective: (0..objectives).map(|_| Vec::new()).collect(),
            unlabelled: 0,
            contradicted: 0,
        }
    }

    fn add(&mut self, log: &str, request: &Request) -> Result<(), EvaluationError> {
        let shown = match self.explorer.shown(log, request)? {
            None => return Ok(()),
            Some(Err(())) => {
                self.contradicted += 1;
                return Ok(());
            }
            Some(Ok(shown)) => shown,
        };
        let alternatives = Some(request.ids.len()).filter(|&candidates| candidates > 1);
        self.ids.extend(request.ids.iter().cloned());
        for (&(candidate, _), &propensity) in shown.places.iter().zip(&shown.propensities.position)
        {
            let mut known = false;
            for (own, outcomes) in self.by_objective.iter_mut().zip(&request.realised) {
                let reward = outcomes[candidate];
                if !reward.is_nan() {
                    own.push(Action {
                        reward,
                        propensity,
                        alternatives,
                    });
                    known = true;
                }
            }
            self.unlabelled += u64::from(!known);
        }
        Ok(())
    }

    /// The sample of one objective's actions, for the policy that shows every alternative equally
    /// often.
    fn sample(&self, actions: &[Action]) -> Result<Sample, RankingError> {
        let mut sample = Sample::default();
        for action in actions {
            let alternatives = action.alternatives.unwrap_or(self.ids.len());
            let target = 1.0 / alternatives as f64;
            sample.push_action(action.reward, action.propensity, target, None)?;
        }
        Ok(sample)
    }
}
