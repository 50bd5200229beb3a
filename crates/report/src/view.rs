//! A front with the question that it answers: names, colours and points that several sections need.

use counterweight_chart::Ink;
use counterweight_evaluation::{Banded, Basis, CheckedQuestion, FrontReport, GridPoint};
use counterweight_ranking::symbol;

use crate::words::{basis, display_name};

/// Colours of objectives, in their order: engagement is blue and engagement bait orange.
const INKS: [Ink; 4] = [Ink::Blue, Ink::Orange, Ink::Green, Ink::Purple];

/// The colour of the objective at a position.
pub(crate) fn ink(objective: usize) -> Ink {
    INKS[objective % INKS.len()]
}

/// A front with the question that it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrontView<'a> {
    pub(crate) front: &'a FrontReport,
    pub(crate) question: &'a CheckedQuestion,
    pub(crate) recommended: Option<RecommendedPoint>,
}

/// The weight that is recommended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecommendedPoint {
    pub(crate) lambda: f64,
    /// What gain and cost are measured by.
    pub(crate) basis: Basis,
    /// Of gain and cost, as shares of their values now.
    pub(crate) changes: [f64; 2],
}

impl<'a> FrontView<'a> {
    /// Name of the objective that is gained.
    pub(crate) fn gain_name(&self) -> String {
        display_name(&self.question.objectives[self.question.gain])
    }

    /// Name of the objective whose weight moves.
    pub(crate) fn cost_name(&self) -> String {
        display_name(&self.question.objectives[self.question.swept])
    }

    /// Symbol of the weight that moves.
    pub(crate) fn symbol(&self) -> String {
        symbol(self.question.swept)
    }

    /// Colours of gain and cost.
    pub(crate) fn inks(&self) -> [Ink; 2] {
        [self.question.gain, self.question.swept].map(ink)
    }

    pub(crate) fn gain(&self, point: &GridPoint) -> Banded {
        point.values[self.front.gain]
    }

    pub(crate) fn cost(&self, point: &GridPoint) -> Banded {
        point.values[self.front.cost]
    }

    /// Points whose gain and cost are known, λ ascending.
    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = &'a GridPoint> + Clone {
        let own = *self;
        let points = own.front.grid.iter();
        points.filter(move |point| {
            own.gain(point).value.is_finite() && own.cost(point).value.is_finite()
        })
    }

    /// The point whose λ is nearest.
    pub(crate) fn nearest(&self, lambda: f64) -> Option<&'a GridPoint> {
        let far = |point: &GridPoint| (point.lambda - lambda).abs();
        self.points().min_by(|a, b| far(a).total_cmp(&far(b)))
    }

    /// Where a curve stands, by its name.
    pub(crate) fn curve(&self, is_it: impl Fn(&str) -> bool) -> Option<usize> {
        self.front.curves.iter().position(|name| is_it(name))
    }

    /// The unit of gain and cost.
    pub(crate) fn unit(&self) -> &'static str {
        match self.front.basis {
            Basis::Realised => "share of page positions",
            Basis::OffPolicy => "estimated share of page positions",
            Basis::Predicted => "mean predicted probability",
        }
    }

    /// Gain and cost of a random order, where the front is measured by the same outcomes.
    pub(crate) fn random_order(&self) -> Option<[f64; 2]> {
        if self.front.basis != Basis::Realised {
            return None;
        }
        let mean = |objective: usize| {
            let name = &self.question.objectives[objective];
            let mut rows = self.front.baselines.iter();
            let row = rows.find(|row| row.order == "random order" && row.objective == *name)?;
            Some(row.mean.value)
        };
        Some([mean(self.question.gain)?, mean(self.question.swept)?])
    }

    /// What gain and cost are measured by. A cost without outcomes is measured by its model.
    pub(crate) fn counted(&self) -> String {
        let predicted = |curve: usize| self.front.curves[curve].starts_with("predicted_");
        match self.front.basis {
            Basis::Realised if predicted(self.front.cost) && !predicted(self.front.gain) => {
                format!(
                    "observed outcomes of {} and model predictions of {}",
                    self.gain_name(),
                    self.cost_name()
                )
            }
            own => basis(own).to_owned(),
        }
    }

    /// The λ at which 95 % of the possible change of the cost is reached.
    pub(crate) fn settled(&self) -> Option<f64> {
        let cost = |point: &GridPoint| self.cost(point).value;
        let (first, last) = (self.points().next()?, self.points().next_back()?);
        let whole = (cost(first) - cost(last)).abs();
        let near = |point: &&GridPoint| (cost(point) - cost(last)).abs() <= 0.05 * whole;
        self.points().find(near).map(|point| point.lambda)
    }
}
