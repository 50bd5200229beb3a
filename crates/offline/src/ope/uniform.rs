//! The uniform policy, from the propensities of single actions that a log has.

use std::collections::HashSet;

use counterweight_ranking::ope::Sample;

use super::{Explorer, OpeOptions, OpeReport, PolicyRow, no_exploration, row};
use crate::{Log, OfflineError, Request, Summary, swept::wrong};

/// The uniform policy: single actions with the propensities that the log has.
pub(super) fn uniform(
    log: &mut Log,
    options: &OpeOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<(OpeReport, Summary), OfflineError> {
    let objectives: Vec<String> = log
        .objectives()
        .iter()
        .map(|objective| objective.name.clone())
        .collect();
    let mut explorer = Explorer::default();
    let mut ids: HashSet<String> = HashSet::new();
    // By objective: reward, propensity and the number of alternatives, 0 where all of the log's are.
    let mut actions: Vec<Vec<(f64, f64, usize)>> = vec![Vec::new(); objectives.len()];
    let (mut unlabelled, mut contradicted) = (0, 0);
    let name = log.name().to_owned();
    let summary = log.read(progress, &mut |batch: &[Request]| {
        for request in batch {
            let shown = match explorer.shown(&name, request)? {
                None => continue,
                Some(Err(())) => {
                    contradicted += 1;
                    continue;
                }
                Some(Ok(shown)) => shown,
            };
            let alternatives = if request.ids.len() > 1 {
                request.ids.len()
            } else {
                0
            };
            ids.extend(request.ids.iter().cloned());
            for (&(candidate, _), &propensity) in
                shown.places.iter().zip(&shown.propensities.position)
            {
                let mut known = false;
                for (own, outcomes) in actions.iter_mut().zip(&request.realised) {
                    let reward = outcomes[candidate];
                    if !reward.is_nan() {
                        own.push((reward, propensity, alternatives));
                        known = true;
                    }
                }
                unlabelled += u64::from(!known);
            }
        }
        Ok(())
    })?;
    let mut rows = Vec::new();
    let mut requests = 0;
    for (objective, actions) in objectives.iter().zip(&actions) {
        if actions.is_empty() {
            continue;
        }
        let mut sample = Sample::default();
        for &(reward, propensity, alternatives) in actions {
            let alternatives = if alternatives == 0 {
                ids.len()
            } else {
                alternatives
            };
            sample
                .push_action(reward, propensity, 1.0 / alternatives as f64, None)
                .map_err(|source| wrong(&name, source))?;
        }
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
    Ok((
        OpeReport {
            requests,
            unlabelled,
            contradicted,
            range: None,
            level: options.level,
            rows,
        },
        summary,
    ))
}
