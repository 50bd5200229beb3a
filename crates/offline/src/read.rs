//! Reading a log request by request: rows are scored piece by piece, gathered into requests, checked, and handed on in
//! batches, so that memory holds one piece and one batch of requests, never the log.

use std::collections::{HashMap, HashSet};

use counterweight_dataset::{self as dataset, LogPiece, Role};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    OfflineError, Part, Request,
    deal::Deal,
    gathering::Gathering,
    log::{Log, Source},
};

/// Candidates of the requests that are handed on together.
const BATCH_ROWS: usize = 65_536;
/// A request beyond this is refused: it would be held in memory whole, and no page is chosen from as many.
pub const MOST_CANDIDATES: usize = 1_000_000;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows that pass the filters.
    pub rows: u64,
    /// Requests of the tune part.
    pub tune: u64,
    /// Requests of the test part.
    pub test: u64,
    /// Users (requests, where there are none) of the tune part.
    pub tune_users: u64,
    /// Users of the test part.
    pub test_users: u64,
    /// Requests that a model was trained on.
    pub training: u64,
    /// Requests whose rows lie in several parts, or in none.
    pub divided: u64,
    /// Requests that were ranked without one of the objectives.
    pub incomplete: u64,
    /// Rows beyond the last whole request that was dealt.
    pub undealt: u64,
    /// Candidates in the requests of both parts.
    pub candidates: u64,
    /// Of these, by objective, the candidates whose outcome is known.
    pub known: Vec<u64>,
    /// Requests whose λ was randomised or whose propensities were logged.
    pub explored: u64,
    /// Places of the page.
    pub k: usize,
    /// What a reader should know of how the log was taken.
    pub notes: Vec<String>,
}

impl Log {
    /// Reads the log and hands its requests on in batches, in the order of the log. `progress` is told the rows done.
    ///
    /// # Errors
    /// What is wrong with the files, a row or a request, and whatever `visit` returns.
    pub fn read(
        &mut self,
        progress: &mut dyn FnMut(u64),
        visit: &mut dyn FnMut(&[Request]) -> Result<(), OfflineError>,
    ) -> Result<Summary, OfflineError> {
        let mut reading = Reading {
            log: self,
            summary: Summary {
                known: vec![0; self.objectives.len()],
                k: self.options.k.unwrap_or(0),
                ..Summary::default()
            },
            current: None,
            seen: HashSet::new(),
            units: HashMap::new(),
            versions: vec![[None, None]; self.objectives.len()],
            deal: Deal::new(self.dataset.dealt_requests()),
            scattered: self
                .dataset
                .scattered_requests()
                .then(|| (HashMap::new(), Vec::new())),
            batch: Vec::new(),
            batch_rows: 0,
        };
        for piece in self.dataset.log(self.columns.wanted.clone())? {
            let piece = piece?;
            reading.add(&piece, visit)?;
            progress(reading.summary.rows);
        }
        let (summary, versions) = reading.finish(visit)?;
        for (objective, [model, calibrator]) in self.objectives.iter_mut().zip(versions) {
            if objective.source == Source::Logged {
                objective.model = model.filter(|version| !version.is_empty());
                objective.calibrator = calibrator.filter(|version| !version.is_empty());
            }
        }
        Ok(summary)
    }
}

struct Reading<'a> {
    log: &'a Log,
    summary: Summary,
    current: Option<Gathering>,
    /// Hashes of the requests that were begun.
    seen: HashSet<u64>,
    /// The part of each user.
    units: HashMap<u64, Part>,
    versions: Versions,
    deal: Deal,
    /// Requests whose rows stand apart, by id; they are held until the end of the log.
    scattered: Option<(HashMap<String, usize>, Vec<Gathering>)>,
    batch: Vec<Request>,
    batch_rows: usize,
}

/// By objective, the versions of the logged model and calibrator.
type Versions = Vec<[Option<String>; 2]>;
type Visit<'v> = &'v mut dyn FnMut(&[Request]) -> Result<(), OfflineError>;

impl Reading<'_> {
    fn add(&mut self, piece: &LogPiece, visit: Visit<'_>) -> Result<(), OfflineError> {
        self.summary.rows += piece.len() as u64;
        self.check_versions(piece)?;
        let scored = self.scored(piece)?;
        let requests = piece.id(Role::Request);
        for row in 0..piece.len() {
            if self.deal.is_on() {
                let part = piece.parts[row];
                let gathering = Gathering::of_row(self.log, piece, &scored, row, String::new())?;
                self.deal.push(part, gathering);
                continue;
            }
            let number = piece.rows[row].to_string();
            let id = requests.map_or(number.as_str(), |ids| ids[row].as_str());
            if id.is_empty() {
                return Err(self.log.wrong(format!(
                    "row {} has no request id; a filter with not_missing leaves such rows out",
                    piece.rows[row] + 1
                )));
            }
            let part = piece.parts[row];
            if let Some((places, requests)) = &mut self.scattered {
                match places.get(id) {
                    Some(&place) => {
                        let request = &mut requests[place];
                        request.push(self.log, piece, &scored, row)?;
                        request.divided |= request.part != part;
                    }
                    None => {
                        places.insert(id.to_owned(), requests.len());
                        let mut begun =
                            Gathering::of_row(self.log, piece, &scored, row, id.to_owned())?;
                        begun.part = part;
                        requests.push(begun);
                    }
                }
                continue;
            }
            match &mut self.current {
                Some(current) if current.id == id => {
                    current.push(self.log, piece, &scored, row)?;
                    current.divided |= current.part != part;
                }
                _ => {
                    self.close(visit)?;
                    if !self.seen.insert(xxh3_64_with_seed(id.as_bytes(), 0)) {
                        return Err(self.log.wrong(format!(
                            "the rows of request {id:?} do not stand together; sort the log by request, or say `scattered = true` under [requests] and have it held in memory"
                        )));
                    }
                    let mut begun =
                        Gathering::of_row(self.log, piece, &scored, row, id.to_owned())?;
                    begun.part = part;
                    self.current = Some(begun);
                }
            }
        }
        Ok(())
    }

    /// One column of probabilities per objective: from its model, else from the log.
    fn scored(&self, piece: &LogPiece) -> Result<Vec<Vec<f64>>, OfflineError> {
        let log = self.log;
        let columns = log.objectives.iter().enumerate().map(|(at, objective)| {
            let wrong = |source| OfflineError::Model {
                objective: objective.name.clone(),
                source,
            };
            match (objective.source.clone(), log.columns.probability[at]) {
                (Source::Model, _) => {
                    let mut artefacts = log.artefacts.iter();
                    let model = artefacts
                        .find(|artefact| artefact.model.objective() == objective.name)
                        .map(|artefact| &artefact.model);
                    let Some(model) = model else {
                        return Ok(Vec::new());
                    };
                    let batch = piece.batch(model.schema()).map_err(wrong)?;
                    Ok(model.score(&batch).map_err(wrong)?.probabilities)
                }
                (Source::Logged, Some(column)) => Ok(piece.numbers[column].clone()),
                _ => Ok(Vec::new()),
            }
        });
        columns.collect()
    }

    /// A logged probability means what one version of one model says: weights are bound to it.
    fn check_versions(&mut self, piece: &LogPiece) -> Result<(), OfflineError> {
        for (at, objective) in self.log.objectives.iter().enumerate() {
            for (kind, column) in ["model", "calibrator"].into_iter().zip(0..2) {
                let Some(texts) = self.log.columns.versions[at][column] else {
                    continue;
                };
                // Who ranked without an objective has no version of it to say.
                let logged = self.log.columns.probability[at].map(|at| &piece.numbers[at]);
                let ranked = |row: usize| logged.is_none_or(|column| !column[row].is_nan());
                let versions = piece.texts[texts].iter().enumerate();
                for (_, version) in versions.filter(|&(row, _)| ranked(row)) {
                    match &self.versions[at][column] {
                        None => self.versions[at][column] = Some(version.clone()),
                        Some(first) if first == version => {}
                        Some(first) if objective.source == Source::Logged => {
                            return Err(self.log.wrong(format!(
                                "`{name}` was ranked by {kind} versions {first:?} and {version:?}, and a weight means something for one version only: filter on {kind}_{name}, or score the whole log again with models at hand",
                                name = objective.name
                            )));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends the request that is being gathered.
    fn close(&mut self, visit: Visit<'_>) -> Result<(), OfflineError> {
        if let Some(gathered) = self.current.take() {
            self.take(gathered, visit)?;
        }
        Ok(())
    }

    /// Decides the part of a request and hands it on.
    fn take(&mut self, gathered: Gathering, visit: Visit<'_>) -> Result<(), OfflineError> {
        let split = self.log.dataset.split_by().is_some();
        if gathered.divided || (split && gathered.part.is_none()) {
            self.summary.divided += 1;
            return Ok(());
        }
        let modelled = !self.log.artefacts.is_empty();
        let part = match gathered.part {
            Some(dataset::Part::Test) => Part::Test,
            Some(dataset::Part::Tune) => Part::Tune,
            // Nothing at hand was fitted on these rows, so that they may tune.
            Some(_) if !modelled => Part::Tune,
            Some(_) => {
                self.summary.training += 1;
                return Ok(());
            }
            None => self.drawn_part(gathered.unit()),
        };
        let Some(request) = gathered.finish(self.log, part, &mut self.summary)? else {
            return Ok(());
        };
        self.count(&request)?;
        self.batch_rows += request.ids.len();
        self.batch.push(request);
        if self.batch_rows >= BATCH_ROWS {
            self.flush(visit)?;
        }
        Ok(())
    }

    /// Users are divided by their hash.
    fn drawn_part(&self, unit: u64) -> Part {
        let hash = xxh3_64_with_seed(&unit.to_le_bytes(), self.log.options.seed);
        let share = (hash >> 11) as f64 / (1u64 << 53) as f64;
        if share < self.log.options.tune {
            Part::Tune
        } else {
            Part::Test
        }
    }

    fn count(&mut self, request: &Request) -> Result<(), OfflineError> {
        match self.units.insert(request.unit, request.part) {
            Some(part) if part != request.part => {
                return Err(OfflineError::Request {
                    log: self.log.name().to_owned(),
                    request: request.id.clone(),
                    problem: "its user has requests in the tune and in the test part, and a weight must not be judged by the users it was chosen on: split by the user (`group`)".to_owned(),
                });
            }
            Some(_) => {}
            None => match request.part {
                Part::Tune => self.summary.tune_users += 1,
                Part::Test => self.summary.test_users += 1,
            },
        }
        match request.part {
            Part::Tune => self.summary.tune += 1,
            Part::Test => self.summary.test += 1,
        }
        self.summary.candidates += request.ids.len() as u64;
        self.summary.explored += u64::from(request.logged.is_some());
        for (known, outcomes) in self.summary.known.iter_mut().zip(&request.realised) {
            *known += outcomes.iter().filter(|outcome| !outcome.is_nan()).count() as u64;
        }
        Ok(())
    }

    fn flush(&mut self, visit: Visit<'_>) -> Result<(), OfflineError> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_rows = 0;
        visit(&batch)
    }

    fn finish(mut self, visit: Visit<'_>) -> Result<(Summary, Versions), OfflineError> {
        self.close(visit)?;
        let deal = std::mem::take(&mut self.deal);
        let (requests, undealt) = deal.requests();
        self.summary.undealt = undealt;
        let scattered = self.scattered.take();
        let scattered = scattered.into_iter().flat_map(|(_, requests)| requests);
        for gathered in requests.into_iter().chain(scattered) {
            self.take(gathered, visit)?;
        }
        if !self.batch.is_empty() {
            self.flush(visit)?;
        }
        if self.summary.tune + self.summary.test == 0 {
            let Summary {
                rows,
                training,
                divided,
                incomplete,
                ..
            } = self.summary;
            return Err(self.log.wrong(format!(
                "no request is left of {rows} rows: {training} requests that a model was trained on, {divided} divided between parts, {incomplete} ranked without an objective; check the split, the filters and the request column"
            )));
        }
        self.note_versions();
        Ok((self.summary, self.versions))
    }

    /// Models at hand that are not those that served the log: stated, since the log is scored again.
    fn note_versions(&mut self) {
        for (objective, [logged, _]) in self.log.objectives.iter().zip(&self.versions) {
            if let (Source::Model, Some(version), Some(logged)) =
                (&objective.source, &objective.model, logged)
                && version != logged
                && !logged.is_empty()
            {
                self.summary.notes.push(format!(
                    "`{}`: the log was served by model {logged}; its features are scored again by {version}, and everything here is bound to that",
                    objective.name
                ));
            }
        }
    }
}
