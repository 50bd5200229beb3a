//! Reads a log request by request: rows are scored piece by piece, gathered into requests, checked,
//! and passed on in batches. Memory contains one piece and one batch of requests, never the whole
//! log.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use counterweight_dataset::{self as dataset, LogPiece, Role};
use counterweight_statistics::unit_interval;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    deal::Deal,
    error::LogError,
    gathering::{Gathering, unit},
    log::{Log, Source},
    request::{Part, Parts, Request},
    score::score,
    summary::Summary,
    versions::Versions,
};

/// Number of candidates from which a batch of requests is passed on.
const BATCH_ROWS: usize = 65_536;
/// Number of rows to search after an invalid request for its probable cause: rows of one request
/// that are not adjacent.
const CAUSE_SEARCH_ROWS: usize = 1 << 20;

impl Log {
    /// Reads the log and passes the requests of the given parts on in batches, in log order. Rows
    /// of other parts are counted but not scored. `progress` receives the number of rows done.
    ///
    /// # Errors
    /// When a file, a row or a request is invalid, and the errors that `visit` returns.
    pub fn read<E: From<LogError>>(
        &mut self,
        parts: Parts,
        progress: &mut dyn FnMut(u64),
        visit: &mut dyn FnMut(&[Request]) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let mut reading = Reading {
            log: self,
            parts,
            summary: Summary {
                known: vec![0; self.objectives.len()],
                k: self.options.k.unwrap_or(0),
                ..Summary::default()
            },
            current: None,
            seen: HashSet::new(),
            pending_error: None,
            units: HashMap::new(),
            versions: Versions::new(self.objectives.len()),
            deal: Deal::new(self.dataset.dealt_requests()),
            scattered: self
                .dataset
                .scattered_requests()
                .then(|| (HashMap::new(), Vec::new())),
            batch: Vec::new(),
            batch_rows: 0,
        };
        let pieces = self.dataset.log(self.columns.wanted.clone());
        for piece in pieces.map_err(LogError::from)? {
            let piece = piece.map_err(LogError::from)?;
            reading.add(&piece, visit)?;
            progress(reading.summary.rows);
        }
        let (summary, versions) = reading.finish(visit)?;
        let objectives = self.objectives.iter_mut().zip(versions.into_iter());
        for (objective, [model, calibrator]) in objectives {
            if objective.source == Source::Logged {
                objective.model = model;
                objective.calibrator = calibrator;
            }
        }
        Ok(summary)
    }
}

struct Reading<'a> {
    log: &'a Log,
    parts: Parts,
    summary: Summary,
    current: Option<Gathering>,
    /// Hashes of the ids of all requests so far.
    seen: HashSet<u64>,
    /// The error of an invalid request, and the number of rows searched for its cause.
    pending_error: Option<(LogError, usize)>,
    /// The part of each user.
    units: HashMap<u64, Part>,
    versions: Versions,
    deal: Deal,
    /// Requests whose rows are not adjacent, with their index by id. They stay in memory until the
    /// end of the log.
    scattered: Option<(HashMap<String, usize>, Vec<Gathering>)>,
    batch: Vec<Request>,
    batch_rows: usize,
}

type Visit<'v, E> = &'v mut dyn FnMut(&[Request]) -> Result<(), E>;

impl Reading<'_> {
    fn add<E: From<LogError>>(&mut self, piece: &LogPiece, visit: Visit<'_, E>) -> Result<(), E> {
        self.summary.rows += piece.len() as u64;
        if self.pending_error.is_some() {
            return Ok(self.search_cause(piece, 0)?);
        }
        let log = self.log;
        self.versions.check(log, piece)?;
        let scored = score(log, piece, &self.wanted(piece))?;
        for row in 0..piece.len() {
            if self.pending_error.is_some() {
                return Ok(self.search_cause(piece, row)?);
            }
            let part = piece.parts[row];
            if self.deal.is_on() {
                let dealt = Gathering::begin(log, piece, &scored, row, String::new())?;
                self.deal.push(part, dealt);
                continue;
            }
            let id = request_id(log, piece, row)?;
            let begin = || -> Result<Gathering, LogError> {
                let mut begun = Gathering::begin(log, piece, &scored, row, id.to_string())?;
                begun.part = part;
                Ok(begun)
            };
            if let Some((indices, requests)) = &mut self.scattered {
                match indices.get(&*id) {
                    Some(&index) => requests[index].add(log, piece, &scored, row)?,
                    None => {
                        requests.push(begin()?);
                        indices.insert(id.into_owned(), requests.len() - 1);
                    }
                }
                continue;
            }
            match &mut self.current {
                Some(current) if current.id == *id => current.add(log, piece, &scored, row)?,
                _ => {
                    self.close_current(visit)?;
                    self.mark_seen(&id)?;
                    self.current = Some(begin()?);
                }
            }
        }
        Ok(())
    }

    /// Notes that a request begins. If it begins twice, its rows are not adjacent.
    fn mark_seen(&mut self, id: &str) -> Result<(), LogError> {
        if self.seen.insert(xxh3_64_with_seed(id.as_bytes(), 0)) {
            return Ok(());
        }
        Err(self.log.wrong(format!(
            "the rows of request {id:?} are not adjacent; sort the log by request, or write \
             `scattered = true` under [requests] to read the whole log into memory"
        )))
    }

    /// Searches for the cause of an invalid request. If the rows of a request are not adjacent,
    /// each group of them looks invalid by itself, and that error would mislead. So the error is
    /// reported only after some more rows without a request that begins twice.
    fn search_cause(&mut self, piece: &LogPiece, from: usize) -> Result<(), LogError> {
        let mut last = self.current.take().map(|current| current.id);
        for row in from..piece.len() {
            let id = request_id(self.log, piece, row)?;
            if last.as_deref() != Some(&*id) {
                self.mark_seen(&id)?;
                last = Some(id.into_owned());
            }
        }
        // The next piece may continue the last request of this one.
        self.current = last.map(Gathering::empty);
        match self.pending_error.take() {
            Some((error, searched)) if searched + piece.len() - from >= CAUSE_SEARCH_ROWS => {
                Err(error)
            }
            pending => {
                let more = |(error, searched)| (error, searched + piece.len() - from);
                self.pending_error = pending.map(more);
                Ok(())
            }
        }
    }

    /// The rows to score: those of the requested parts, as far as the part is known before requests
    /// are gathered.
    fn wanted(&self, piece: &LogPiece) -> Vec<usize> {
        if self.log.artefacts.is_empty() {
            return Vec::new(); // no model scores this log
        }
        let split = self.log.dataset.split_by().is_some();
        if !split && (self.parts == Parts::All || self.deal.is_on() || self.scattered.is_some()) {
            return (0..piece.len()).collect();
        }
        let users = piece.id(Role::User);
        let requests = piece.id(Role::Request);
        let mut last = self.current.as_ref().map(|current| {
            let part = self.drawn_part(current.unit());
            (current.id.as_str(), self.parts.contains(part))
        });
        let wanted = |row: &usize| {
            if split {
                let part = self.split_part(piece.parts[*row]);
                return part.is_some_and(|part| self.parts.contains(part));
            }
            // All rows of a request follow the user of its first row, like the gathered request.
            let id = requests.map_or("", |ids| ids[*row].as_str());
            match last {
                Some((own, wanted)) if own == id && requests.is_some() => wanted,
                _ => {
                    let number = piece.rows[*row].to_string();
                    let id_or_row = if requests.is_some() { id } else { &number };
                    let user = users.map(|users| users[*row].as_str());
                    let wanted = self.parts.contains(self.drawn_part(unit(user, id_or_row)));
                    last = Some((id, wanted));
                    wanted
                }
            }
        };
        (0..piece.len()).filter(wanted).collect()
    }

    /// Ends the request that is being gathered.
    fn close_current<E: From<LogError>>(&mut self, visit: Visit<'_, E>) -> Result<(), E> {
        if let Some(gathered) = self.current.take() {
            self.deliver(gathered, visit)?;
        }
        Ok(())
    }

    /// Decides the part of a request, checks the request and adds it to the batch.
    fn deliver<E: From<LogError>>(
        &mut self,
        gathered: Gathering,
        visit: Visit<'_, E>,
    ) -> Result<(), E> {
        let split = self.log.dataset.split_by().is_some();
        if gathered.divided || (split && gathered.part.is_none()) {
            self.summary.divided += 1;
            return Ok(());
        }
        let part = match gathered.part {
            None => self.drawn_part(gathered.unit()),
            own => match self.split_part(own) {
                Some(part) => part,
                None => {
                    self.summary.training += 1;
                    return Ok(());
                }
            },
        };
        if !self.parts.contains(part) {
            return Ok(self.count(&gathered.id, gathered.unit(), part)?);
        }
        let request = match gathered.finish(self.log, part, &mut self.summary) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if self.log.dataset.role(Role::Request).is_some() => {
                self.pending_error = Some((error, 0));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.count(&request.id, request.unit, part)?;
        self.summary.count(&request);
        self.batch_rows += request.ids.len();
        self.batch.push(request);
        if self.batch_rows >= BATCH_ROWS {
            self.flush(visit)?;
        }
        Ok(())
    }

    /// The part of rows in a part of the split; `None` for rows on which a model was trained.
    fn split_part(&self, part: Option<dataset::Part>) -> Option<Part> {
        match part? {
            dataset::Part::Test => Some(Part::Test),
            dataset::Part::Tune => Some(Part::Tune),
            // No given model was fitted on these rows, so they can be used to tune.
            _ => self.log.artefacts.is_empty().then_some(Part::Tune),
        }
    }

    /// The part of a user without a split, decided by a hash.
    fn drawn_part(&self, unit: u64) -> Part {
        let hash = xxh3_64_with_seed(&unit.to_le_bytes(), self.log.options.seed);
        if unit_interval(hash) < self.log.options.tune {
            Part::Tune
        } else {
            Part::Test
        }
    }

    /// Counts a request and its user, and checks that the user is in one part only.
    fn count(&mut self, request: &str, unit: u64, part: Part) -> Result<(), LogError> {
        let first = match self.units.insert(unit, part) {
            Some(own) if own != part => {
                return Err(LogError::Request {
                    log: self.log.name().to_owned(),
                    request: request.to_owned(),
                    problem: "its user has requests in both the tune and the test part, but a \
                              weight must not be judged by the users it was chosen on; \
                              split by the user (`group`)"
                        .to_owned(),
                });
            }
            own => u64::from(own.is_none()),
        };
        let (requests, users) = match part {
            Part::Tune => (&mut self.summary.tune, &mut self.summary.tune_users),
            Part::Test => (&mut self.summary.test, &mut self.summary.test_users),
        };
        *requests += 1;
        *users += first;
        Ok(())
    }

    fn flush<E: From<LogError>>(&mut self, visit: Visit<'_, E>) -> Result<(), E> {
        let batch = std::mem::take(&mut self.batch);
        self.batch_rows = 0;
        visit(&batch)
    }

    fn finish<E: From<LogError>>(mut self, visit: Visit<'_, E>) -> Result<(Summary, Versions), E> {
        if self.pending_error.is_none() {
            self.close_current(visit)?;
        }
        let deal = std::mem::take(&mut self.deal);
        let (requests, undealt) = deal.requests();
        self.summary.undealt = undealt;
        let scattered = self.scattered.take();
        let scattered = scattered.into_iter().flat_map(|(_, requests)| requests);
        for gathered in requests.into_iter().chain(scattered) {
            self.deliver(gathered, visit)?;
            if self.pending_error.is_some() {
                break;
            }
        }
        if let Some((error, _)) = self.pending_error {
            return Err(error.into());
        }
        if !self.batch.is_empty() {
            self.flush(visit)?;
        }
        if self.summary.tune + self.summary.test == 0 {
            return Err(self.log.wrong(self.summary.nothing_left()).into());
        }
        self.summary.notes = self.versions.notes(self.log);
        Ok((self.summary, self.versions))
    }
}

/// The id of a row's request, or the row's number if the log has no request column.
fn request_id<'p>(log: &Log, piece: &'p LogPiece, row: usize) -> Result<Cow<'p, str>, LogError> {
    match piece.id(Role::Request) {
        None => Ok(Cow::Owned(piece.rows[row].to_string())),
        Some(ids) if ids[row].is_empty() => Err(log.wrong(format!(
            "row {} has no request id; add it, or leave such rows out with a filter \
             `not_missing = true`",
            piece.rows[row] + 1
        ))),
        Some(ids) => Ok(Cow::Borrowed(&ids[row])),
    }
}
