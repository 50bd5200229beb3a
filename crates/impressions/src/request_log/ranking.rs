//! One ranking of a request log, whole.

use counterweight_dataset::{LogColumns, LogPiece, Role};
use counterweight_model::Artefact;
use counterweight_ranking::{Density, combine, top_k};

use super::{
    explain::{Explained, NotExplained, explain_rows},
    find::FoundRanking,
    model_inputs::ModelInputs,
    part::Part,
};
use crate::{
    columns,
    error::LogError,
    ranked::{DrawnLambda, RankedObjective, RankedRequest},
};

/// One ranking as it is logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRanking {
    /// Its id.
    pub ranking: String,
    /// What was ranked, and how.
    pub request: RankedRequest,
    /// Objectives of the log that were not combined.
    pub not_combined: Vec<String>,
    /// By combined objective, how it came to the probabilities of the page.
    pub explained: Vec<Explained>,
}

impl LoggedRanking {
    /// The scores of all candidates, as they were combined.
    #[must_use]
    pub fn scores(&self) -> Vec<f64> {
        let objectives = &self.request.objectives;
        let weights: Vec<f64> = objectives.iter().map(|own| own.weight).collect();
        self.scores_at(&weights)
    }

    /// The page at other weights, one for each combined objective: candidates by their index, best
    /// first.
    #[must_use]
    pub fn page_at(&self, weights: &[f64]) -> Vec<usize> {
        let k = usize::try_from(self.request.k).unwrap_or(usize::MAX);
        top_k(&self.scores_at(weights), &self.request.candidates, k)
    }

    fn scores_at(&self, weights: &[f64]) -> Vec<f64> {
        let objectives = self.request.objectives.iter();
        let columns: Vec<&[f64]> = objectives.map(|own| &own.probabilities[..]).collect();
        combine(weights, &columns)
    }
}

/// Reads a ranking that was found, and explains it by those `artefacts` that ranked it.
///
/// # Errors
/// [`LogError::Log`] if its part no longer has it, and as [`replay`](crate::replay).
pub fn read_ranking(
    found: &FoundRanking,
    artefacts: &[Artefact],
) -> Result<LoggedRanking, LogError> {
    let part = Part::open(&found.part)?;
    let mut wanted = LogColumns::default();
    let places = Places::ask(&part, &mut wanted);
    let models = artefacts
        .iter()
        .map(|artefact| ModelInputs::find(&part, artefact, &mut wanted));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    let mut gathered = Gathered::default();
    for piece in part.read(wanted)? {
        let piece = piece?;
        let rows = (0..piece.len()).filter(|&row| {
            places.text(&piece, places.ranking, row).as_deref() == Some(found.ranking.as_str())
        });
        let rows: Vec<usize> = rows.collect();
        match (rows.is_empty(), gathered.ranking.is_some()) {
            (false, _) => gathered.add(&piece, &rows, &places, &models)?,
            // Rows of one ranking are adjacent.
            (true, true) => break,
            (true, false) => {}
        }
    }
    gathered
        .finish()
        .ok_or_else(|| part.wrong(format!("ranking {} is not in it any more", found.ranking)))
}

/// The places of the columns that a ranking is read from.
struct Places {
    ranking: Option<usize>,
    request: Option<usize>,
    user: Option<usize>,
    profile: Option<usize>,
    segment: Option<usize>,
    arm: Option<usize>,
    density: Option<usize>,
    // As text, since not every whole number is a float.
    time: Option<usize>,
    revision: Option<usize>,
    seed: Option<usize>,
    k: Option<usize>,
    position: Option<usize>,
    lambda: [Option<usize>; 3],
    objectives: Vec<ObjectivePlaces>,
}

struct ObjectivePlaces {
    name: String,
    model: Option<usize>,
    calibrator: Option<usize>,
    weight: Option<usize>,
    probability: Option<usize>,
    raw: Option<usize>,
}

impl Places {
    fn ask(part: &Part, wanted: &mut LogColumns) -> Self {
        let mut text = |column: &str| part.text(wanted, column);
        let [ranking, request, user, profile, segment, arm] = [
            columns::RANKING,
            columns::REQUEST,
            columns::USER,
            columns::PROFILE,
            columns::SEGMENT,
            columns::ARM,
        ]
        .map(&mut text);
        let density = text(columns::LAMBDA_DENSITY);
        let [time, revision, seed] =
            [columns::TIME, columns::REVISION, columns::LAMBDA_SEED].map(&mut text);
        let mut number = |column: &str| part.number(wanted, column);
        let [k, position] = [columns::PLACES, columns::POSITION].map(&mut number);
        let lambda = [columns::LAMBDA, columns::LAMBDA_LOW, columns::LAMBDA_HIGH].map(&mut number);
        let objectives = part.objectives.iter().map(|name| ObjectivePlaces {
            model: part.text(wanted, &columns::model(name)),
            calibrator: part.text(wanted, &columns::calibrator(name)),
            weight: part.number(wanted, &columns::weight(name)),
            probability: part.number(wanted, &columns::probability(name)),
            raw: part.number(wanted, &columns::raw(name)),
            name: name.clone(),
        });
        let objectives = objectives.collect();
        Self {
            ranking,
            request,
            user,
            profile,
            segment,
            arm,
            density,
            time,
            revision,
            seed,
            k,
            position,
            lambda,
            objectives,
        }
    }

    fn text(&self, piece: &LogPiece, place: Option<usize>, row: usize) -> Option<String> {
        Some(piece.texts[place?][row].clone()).filter(|text| !text.is_empty())
    }

    fn number(&self, piece: &LogPiece, place: Option<usize>, row: usize) -> Option<f64> {
        Some(piece.numbers[place?][row]).filter(|number| !number.is_nan())
    }

    /// What all rows of the ranking share.
    fn request(&self, piece: &LogPiece, row: usize) -> RankedRequest {
        let text = |place| self.text(piece, place, row);
        let number = |place| self.number(piece, place, row);
        let parsed = |place| text(place).and_then(|text| text.parse().ok());
        let objectives = self.objectives.iter().filter_map(|own| {
            // An objective without a weight was not combined.
            Some(RankedObjective {
                name: own.name.clone(),
                weight: number(own.weight)?,
                model: text(own.model),
                calibrator: text(own.calibrator),
                probabilities: Vec::new(),
                raw: Vec::new(),
            })
        });
        RankedRequest {
            id: text(self.request).unwrap_or_default(),
            user: text(self.user),
            time_ms: text(self.time)
                .and_then(|time| time.parse().ok())
                .unwrap_or(0),
            k: number(self.k).map_or(0, |k| k as u32),
            profile: text(self.profile).unwrap_or_default(),
            revision: parsed(self.revision).unwrap_or(0),
            segment: text(self.segment),
            arm: text(self.arm),
            draw: self.draw(piece, row),
            candidates: Vec::new(),
            page: Vec::new(),
            objectives: objectives.collect(),
        }
    }

    fn draw(&self, piece: &LogPiece, row: usize) -> Option<DrawnLambda> {
        let [lambda, low, high] = self.lambda.map(|place| self.number(piece, place, row));
        let (low, high) = (low?, high?);
        let seed = self.text(piece, self.seed, row);
        Some(DrawnLambda {
            lambda: lambda?,
            density: match self.text(piece, self.density, row)?.as_str() {
                "uniform" => Density::Uniform { low, high },
                "log_uniform" => Density::LogUniform { low, high },
                _ => return None,
            },
            seed: seed.and_then(|seed| seed.parse().ok()).unwrap_or(0),
        })
    }
}

/// A ranking, as far as its rows are read.
#[derive(Default)]
struct Gathered {
    ranking: Option<(String, RankedRequest)>,
    not_combined: Vec<String>,
    /// The place of each candidate, from 1; NaN where it was not returned.
    positions: Vec<f64>,
    explained: Vec<Explained>,
}

impl Gathered {
    fn add(
        &mut self,
        piece: &LogPiece,
        rows: &[usize],
        places: &Places,
        models: &[ModelInputs<'_>],
    ) -> Result<(), LogError> {
        let Some(&first) = rows.first() else {
            return Ok(());
        };
        let request = match &mut self.ranking {
            Some((_, request)) => request,
            none => {
                let id = places.text(piece, places.ranking, first);
                let request = places.request(piece, first);
                let names = places.objectives.iter().map(|own| own.name.clone());
                self.not_combined = names
                    .filter(|name| request.objectives.iter().all(|own| own.name != *name))
                    .collect();
                &mut none.insert((id.unwrap_or_default(), request)).1
            }
        };
        let before = request.candidates.len();
        let ids = piece.id(Role::Candidate).unwrap_or_default();
        request
            .candidates
            .extend(rows.iter().map(|&row| ids[row].clone()));
        let column = |place: Option<usize>| {
            let value = |&row: &usize| place.map_or(f64::NAN, |at| piece.numbers[at][row]);
            rows.iter().map(value).collect::<Vec<_>>()
        };
        self.positions.extend(column(places.position));
        for objective in &mut request.objectives {
            let mut own = places.objectives.iter();
            let Some(own) = own.find(|own| own.name == objective.name) else {
                continue;
            };
            objective.probabilities.extend(column(own.probability));
            let raw = column(own.raw);
            if raw.iter().any(|raw| !raw.is_nan()) {
                objective.raw.extend(raw);
            }
        }
        let shown = (before..self.positions.len()).filter(|&at| !self.positions[at].is_nan());
        let shown: Vec<usize> = shown.collect();
        for (at, objective) in request.objectives.iter().enumerate() {
            let explained = explain(
                objective,
                piece,
                models,
                &|candidate| rows[candidate - before],
                &shown,
            )?;
            match (self.explained.get_mut(at), explained) {
                (Some(Explained::Candidates(all)), Explained::Candidates(more)) => all.extend(more),
                (Some(_), _) => {}
                (None, explained) => self.explained.push(explained),
            }
        }
        Ok(())
    }

    fn finish(self) -> Option<LoggedRanking> {
        let (ranking, mut request) = self.ranking?;
        let mut page: Vec<usize> = (0..self.positions.len())
            .filter(|&at| !self.positions[at].is_nan())
            .collect();
        page.sort_by(|&a, &b| self.positions[a].total_cmp(&self.positions[b]));
        let place = |candidate: usize| page.iter().position(|&at| at == candidate);
        let mut explained = self.explained;
        for one in &mut explained {
            if let Explained::Candidates(rows) = one {
                rows.sort_by_key(|row| place(row.candidate));
                if rows.is_empty() {
                    *one = Explained::Not(NotExplained::WithoutFeatures);
                }
            }
        }
        request.page = page;
        Some(LoggedRanking {
            ranking,
            request,
            not_combined: self.not_combined,
            explained,
        })
    }
}

/// Explains the shown candidates of a piece; `row` says where a candidate is.
fn explain(
    objective: &RankedObjective,
    piece: &LogPiece,
    models: &[ModelInputs<'_>],
    row: &dyn Fn(usize) -> usize,
    shown: &[usize],
) -> Result<Explained, LogError> {
    let Some(version) = &objective.model else {
        return Ok(Explained::Not(NotExplained::NoModel));
    };
    let mut models = models.iter();
    let Some(model) = models.find(|model| model.artefact.version == *version) else {
        return Ok(Explained::Not(NotExplained::NotAtHand));
    };
    let missing = model.not_logged();
    if !missing.is_empty() {
        return Ok(Explained::Not(NotExplained::NotLogged(missing)));
    }
    let has_features = model.has_features(piece);
    let shown: Vec<usize> = shown
        .iter()
        .copied()
        .filter(|&at| has_features[row(at)])
        .collect();
    let rows: Vec<usize> = shown.iter().map(|&at| row(at)).collect();
    Ok(Explained::Candidates(explain_rows(
        model, piece, &rows, &shown,
    )?))
}
