//! The front of a log: what each weight gains and costs, with bands, and the points that are worth
//! choosing.

mod pareto;

use counterweight_impressions::{Log, Part, Parts};
use counterweight_ranking::{
    solve::MIN_WIDTH,
    sweep::{Curves, Replicates, Sweep},
};
use serde::Serialize;

use crate::{
    baseline::{Mean, Order},
    draws::Draws,
    error::{EvaluationError, wrong},
    question::{CheckedQuestion, Curve, Question},
    swept::Swept,
};

pub use pareto::{Front, Point, hypervolume, igd};

/// Points of the grid on which bands are drawn.
const GRID: usize = 200;

/// What gain and cost are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The outcomes, where all of them are known; of an objective without any, its model's
    /// probabilities.
    Realised,
    /// Off-policy estimates from the outcomes of a log whose λ was randomised.
    OffPolicy,
    /// The models' own probabilities.
    Predicted,
}

/// A value with its simultaneous band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Banded {
    /// The estimate.
    pub value: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One point of the grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridPoint {
    /// λ, the middle of an interval in which no page changes.
    pub lambda: f64,
    /// The weights of all objectives.
    pub weights: Vec<f64>,
    /// One per curve, in the order of [`FrontReport::curves`].
    pub values: Vec<Banded>,
}

/// A point of the front.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrontPoint {
    /// λ.
    pub lambda: f64,
    /// What it gains.
    pub gain: f64,
    /// What it costs.
    pub cost: f64,
}

/// One order that needs no weights, on one objective's outcomes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineRow {
    /// The order in words.
    pub order: String,
    /// The objective whose outcome is counted.
    pub objective: String,
    /// What it reaches.
    #[serde(flatten)]
    pub mean: Mean,
}

/// The front of one part of a log.
#[derive(Debug, Clone, Serialize)]
pub struct FrontReport {
    /// The part that is shown.
    pub part: Parts,
    /// The part on which the points of the front were chosen. Where it is the part that is shown,
    /// realised values of chosen points flatter: the luck of that part chose them.
    pub chosen_on: Parts,
    /// What gain and cost of the front are counted in.
    pub basis: Basis,
    /// Names of the curves.
    pub curves: Vec<String>,
    /// Where in `curves` the front's gain and cost stand.
    pub gain: usize,
    /// See `gain`.
    pub cost: usize,
    /// How many λ there are at which a page changes.
    pub breakpoints: usize,
    /// Points that no other dominates on `chosen_on`, as `part` shows them.
    pub front_points: usize,
    /// Their upper convex hull, cost ascending.
    pub hull: Vec<FrontPoint>,
    /// The area that the front dominates, up from gain 0 and down from cost 1.
    pub hypervolume: f64,
    /// Curves with bands.
    pub grid: Vec<GridPoint>,
    /// Level of the bands, which hold for all points of one curve at once.
    pub draws: Draws,
    /// What orders that need no weights reach, where outcomes are known.
    pub baselines: Vec<BaselineRow>,
}

impl FrontReport {
    /// The parts that the front of `part` is made of: beside that part the tune part, where there
    /// is one and the log may have all outcomes of what is gained, so that points are chosen there.
    ///
    /// # Errors
    /// As [`CheckedQuestion::new`]; [`EvaluationError::Log`] where the split leaves `part` empty.
    pub fn parts(log: &Log, question: &Question, part: Parts) -> Result<Parts, EvaluationError> {
        let question = CheckedQuestion::new(log, question)?;
        log.require(part)?;
        let chosen_on_tune = part == Parts::Test
            && log.has_outcome(question.places[question.gain])
            && !log.lacks(Part::Tune);
        Ok(if chosen_on_tune { Parts::All } else { part })
    }

    /// The front of `part`.
    ///
    /// # Errors
    /// [`EvaluationError::Log`] where a part that is needed has no request,
    /// [`EvaluationError::Option`] for invalid draws.
    pub fn new(
        log: &Log,
        swept: &Swept,
        part: Parts,
        draws: Draws,
    ) -> Result<Self, EvaluationError> {
        draws.check()?;
        let refused = |source| wrong(log.name(), source);
        let sweep = swept.part(log, part)?;
        let shown = sweep.curves().map_err(refused)?;
        let basis = swept.basis();
        let (gain, cost) = swept.gain_and_cost(basis);
        let chosen_on = match (basis, part) {
            (Basis::Realised, Parts::Test) if swept.has(Parts::Tune) => Parts::Tune,
            _ => part,
        };
        let chosen = match chosen_on {
            own if own == part => Front::from_curves(&shown, gain, cost, MIN_WIDTH),
            other => {
                let tune = swept.part(log, other)?.curves().map_err(refused)?;
                let chosen = Front::from_curves(&tune, gain, cost, MIN_WIDTH);
                let shown_at = |point: &Point| Point {
                    gain: shown.value_at(gain, point.x),
                    cost: shown.value_at(cost, point.x),
                    x: point.x,
                };
                Front::from_points(chosen.points().iter().map(shown_at).collect())
            }
        };
        let at = shown.grid(GRID, MIN_WIDTH);
        let replicates = sweep
            .bootstrap(&at, draws.replicates, draws.seed)
            .map_err(refused)?;
        let question = &swept.question;
        Ok(Self {
            part,
            chosen_on,
            basis,
            curves: question
                .curves()
                .into_iter()
                .map(|curve| question.name(curve))
                .collect(),
            gain,
            cost,
            breakpoints: shown.breakpoints().len() - 1,
            front_points: chosen.points().len(),
            hull: chosen.hull().iter().map(front_point).collect(),
            hypervolume: hypervolume(chosen.points(), (0.0, 1.0)),
            grid: grid(swept, &shown, &replicates, draws.level),
            draws,
            baselines: baselines(swept, part),
        })
    }
}

impl Swept {
    /// Outcomes where all that there are are known, else the models' probabilities. A cost that the
    /// log has no outcome of at all is counted by its model beside a gain that came of it.
    pub fn basis(&self) -> Basis {
        let known = |m| self.known(m);
        let candidates = self.summary.candidates;
        if known(self.question.gain) == candidates
            && [0, candidates].contains(&known(self.question.swept))
        {
            Basis::Realised
        } else {
            Basis::Predicted
        }
    }

    /// Candidates whose outcome of an objective is known.
    fn known(&self, objective: usize) -> u64 {
        self.summary.known[self.question.places[objective]]
    }

    /// Where the curves of gain and cost stand.
    pub fn gain_and_cost(&self, basis: Basis) -> (usize, usize) {
        let curve = |m| match basis {
            Basis::Realised | Basis::OffPolicy if self.known(m) > 0 => Curve::Realised(m),
            _ => Curve::Predicted(m),
        };
        let at = |m| self.question.position(curve(m));
        (at(self.question.gain), at(self.question.swept))
    }

    /// All curves of a part.
    ///
    /// # Errors
    /// As [`Swept::part`].
    pub fn curves(&self, log: &Log, part: Parts) -> Result<Curves, EvaluationError> {
        let sweep: &Sweep = self.part(log, part)?;
        sweep.curves().map_err(|source| wrong(log.name(), source))
    }
}

fn front_point(point: &Point) -> FrontPoint {
    FrontPoint {
        lambda: point.x,
        gain: point.gain,
        cost: point.cost,
    }
}

fn grid(swept: &Swept, curves: &Curves, replicates: &Replicates, level: f64) -> Vec<GridPoint> {
    let count = curves.metrics().len();
    let bands: Vec<_> = (0..count)
        .map(|curve| replicates.band(curve, level))
        .collect();
    let point = |(at, &lambda): (usize, &f64)| GridPoint {
        lambda,
        weights: swept.question.weights_at(lambda),
        values: (0..count)
            .map(|curve| Banded {
                value: replicates.estimate(curve)[at],
                low: bands[curve].low[at],
                high: bands[curve].high[at],
            })
            .collect(),
    };
    replicates.points().iter().enumerate().map(point).collect()
}

fn baselines(swept: &Swept, part: Parts) -> Vec<BaselineRow> {
    let Some(baselines) = swept.baselines(part) else {
        return Vec::new();
    };
    let names = &swept.question.objectives;
    let words = |order| match order {
        Order::Random => "random order".to_owned(),
        Order::Highest(m) => format!("highest P({})", names[m]),
        Order::Lowest(m) => format!("lowest P({})", names[m]),
        Order::Oracle => "oracle".to_owned(),
    };
    let mut rows = Vec::new();
    for (objective, name) in names.iter().enumerate() {
        for order in baselines.orders() {
            if let Some(mean) = baselines.mean(objective, order) {
                rows.push(BaselineRow {
                    order: words(order),
                    objective: name.clone(),
                    mean,
                });
            }
        }
    }
    rows
}
