//! One reading of a log: the exact sweep of each part, and beside it what orders that need no
//! weights do.

use std::collections::{BTreeMap, btree_map::Entry};

use counterweight_impressions::{Log, Part, Parts, Request, Summary};
use counterweight_ranking::sweep::{self, Sweep};

use crate::{
    baseline::Baselines,
    error::{EvaluationError, wrong},
    question::{CheckedQuestion, Question},
};

/// What a log says about a question.
#[derive(Debug)]
pub struct Swept {
    /// The question, checked.
    pub question: CheckedQuestion,
    /// What was read.
    pub summary: Summary,
    /// What each part that was read says; of both together only after [`Swept::joined`].
    parts: BTreeMap<Parts, PartSwept>,
}

/// The sweep of some requests, and what orders that need no weights do on them.
#[derive(Debug)]
struct PartSwept {
    sweep: Sweep,
    baselines: Baselines,
}

/// Sees each batch of requests as it is read.
pub type Also<'a> = &'a mut dyn FnMut(&CheckedQuestion, &[Request]) -> Result<(), EvaluationError>;

impl Swept {
    /// Reads some parts of the log once. Memory grows with the breakpoints, not with the rows; the
    /// threads are those of the current rayon pool, and no result depends on their number. `also`
    /// sees each batch of requests as it is read.
    ///
    /// # Errors
    /// As [`Log::read`] and [`CheckedQuestion::new`]; before any row is read for a part that the
    /// split leaves empty.
    pub fn read(
        log: &mut Log,
        question: &Question,
        wanted: Parts,
        progress: &mut dyn FnMut(u64),
        also: Also<'_>,
    ) -> Result<Self, EvaluationError> {
        let question = CheckedQuestion::new(log, question)?;
        log.require(wanted)?;
        let name = log.name().to_owned();
        let mut parts: BTreeMap<Parts, PartSwept> = BTreeMap::new();
        let mut k = log.k();
        let summary = log.read(wanted, progress, &mut |batch| {
            let k = *k.get_or_insert_with(|| batch.first().map_or(1, |request| request.k));
            for part in [Part::Tune, Part::Test] {
                let requests: Vec<&Request> = batch
                    .iter()
                    .filter(|request| request.part == part)
                    .collect();
                if requests.is_empty() {
                    continue;
                }
                let own = match parts.entry(part.into()) {
                    Entry::Occupied(own) => own.into_mut(),
                    Entry::Vacant(place) => place.insert(PartSwept {
                        sweep: Sweep::new(question.plan(k))
                            .map_err(|source| wrong(&name, source))?,
                        baselines: Baselines::new(question.objectives.len()),
                    }),
                };
                add(&question, &name, &mut own.sweep, &requests)?;
                own.baselines.add(&question, k, &requests);
            }
            also(&question, batch)
        })?;
        Ok(Self {
            question,
            summary,
            parts,
        })
    }

    /// The same with both parts as one, [`Parts::All`].
    #[must_use]
    pub fn joined(mut self) -> Self {
        let mut parts = std::mem::take(&mut self.parts).into_values();
        if let Some(mut all) = parts.next() {
            for other in parts {
                all.sweep.append(other.sweep);
                all.baselines.append(other.baselines);
            }
            self.parts.insert(Parts::All, all);
        }
        self
    }

    /// The sweep of a part.
    ///
    /// # Errors
    /// [`EvaluationError::Log`] where the part has no request, or was not read.
    pub fn part(&self, log: &Log, part: Parts) -> Result<&Sweep, EvaluationError> {
        let found = self.parts.get(&part).map(|own| &own.sweep);
        found.ok_or_else(|| {
            let name = match part {
                Parts::Tune => "tune",
                Parts::Test => "test",
                Parts::All => "whole",
            };
            let problem = format!(
                "the {name} part has no request; give the split a `{name}` share, or leave the split out"
            );
            log.wrong(problem).into()
        })
    }

    /// Whether a part has requests and was read.
    pub fn has(&self, part: Parts) -> bool {
        self.parts.contains_key(&part)
    }

    /// What orders that need no weights do on a part, if it has requests.
    pub fn baselines(&self, part: Parts) -> Option<&Baselines> {
        self.parts.get(&part).map(|own| &own.baselines)
    }
}

fn add(
    question: &CheckedQuestion,
    log: &str,
    sweep: &mut Sweep,
    requests: &[&Request],
) -> Result<(), EvaluationError> {
    let columns: Vec<[Vec<&[f64]>; 2]> = requests
        .iter()
        .map(|request| [&request.probabilities, &request.realised])
        .map(|both| {
            both.map(|columns| {
                question
                    .places
                    .iter()
                    .map(|&m| columns[m].as_slice())
                    .collect()
            })
        })
        .collect();
    let requests: Vec<sweep::Request<'_>> = requests
        .iter()
        .zip(&columns)
        .map(|(request, [probabilities, realised])| sweep::Request {
            unit: request.unit,
            probabilities,
            realised,
        })
        .collect();
    sweep.extend(&requests).map_err(|source| wrong(log, source))
}
