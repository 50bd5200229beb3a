//! One reading of a log: the exact sweep of each part, and beside it what orders that need no weights do.

use counterweight_ranking::sweep::{self, Sweep};

use crate::{
    Log, OfflineError, Part, Request, Summary,
    baseline::Baselines,
    question::{Asked, Question},
};

/// What a log says about a question.
#[derive(Debug)]
pub struct Swept {
    /// The question, checked.
    pub asked: Asked,
    /// What was read.
    pub summary: Summary,
    /// The sweep of the tune part.
    pub tune: Option<Sweep>,
    /// The sweep of the test part.
    pub test: Option<Sweep>,
    tune_baselines: Baselines,
    test_baselines: Baselines,
}

/// Sees each batch of requests as it is read.
pub type Also<'a> = &'a mut dyn FnMut(&Asked, &[Request]) -> Result<(), OfflineError>;

impl Swept {
    /// Reads the log once. Memory grows with the breakpoints, not with the rows; the threads are those of the current
    /// rayon pool, and no result depends on their number. `also` sees each batch of requests as it is read.
    ///
    /// # Errors
    /// As [`Log::read`] and [`Asked::of`].
    pub fn read(
        log: &mut Log,
        question: &Question,
        progress: &mut dyn FnMut(u64),
        also: Also<'_>,
    ) -> Result<Self, OfflineError> {
        let asked = Asked::of(log, question)?;
        let name = log.name().to_owned();
        let given = log.options.k;
        let mut parts: [Option<(Sweep, Baselines)>; 2] = [None, None];
        let mut k = given;
        let summary = log.read(progress, &mut |batch| {
            let k = *k.get_or_insert_with(|| batch.first().map_or(1, |request| request.k));
            for (own, part) in parts.iter_mut().zip([Part::Tune, Part::Test]) {
                let requests: Vec<&Request> = batch
                    .iter()
                    .filter(|request| request.part == part)
                    .collect();
                if requests.is_empty() {
                    continue;
                }
                let (sweep, baselines) = match own {
                    Some(own) => own,
                    None => {
                        let begun =
                            Sweep::new(asked.plan(k)).map_err(|source| wrong(&name, source))?;
                        own.insert((begun, Baselines::new(asked.objectives.len())))
                    }
                };
                add(&asked, &name, sweep, &requests)?;
                baselines.add(&asked, k, &requests);
            }
            also(&asked, batch)
        })?;
        let [tune, test] = parts.map(Option::unzip);
        Ok(Self {
            asked,
            summary,
            tune: tune.0,
            test: test.0,
            tune_baselines: tune.1.unwrap_or_default(),
            test_baselines: test.1.unwrap_or_default(),
        })
    }

    /// The sweep of a part.
    ///
    /// # Errors
    /// [`OfflineError::Log`] where the part has no request.
    pub fn part(&self, log: &Log, part: Part) -> Result<&Sweep, OfflineError> {
        let (sweep, name) = match part {
            Part::Tune => (&self.tune, "tune"),
            Part::Test => (&self.test, "test"),
        };
        sweep.as_ref().ok_or_else(|| {
            log.wrong(format!(
                "the {name} part has no request; give the split a `{name}` share, or leave the split out"
            ))
        })
    }

    /// What orders that need no weights do on a part.
    pub fn baselines(&self, part: Part) -> &Baselines {
        match part {
            Part::Tune => &self.tune_baselines,
            Part::Test => &self.test_baselines,
        }
    }
}

pub(crate) fn wrong(log: &str, source: counterweight_ranking::RankingError) -> OfflineError {
    OfflineError::Ranking {
        subject: log.to_owned(),
        source,
    }
}

fn add(
    asked: &Asked,
    log: &str,
    sweep: &mut Sweep,
    requests: &[&Request],
) -> Result<(), OfflineError> {
    let columns: Vec<[Vec<&[f64]>; 2]> = requests
        .iter()
        .map(|request| [&request.probabilities, &request.realised])
        .map(|both| {
            both.map(|columns| {
                asked
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
