//! What is swept and what is measured, checked before anything is read.

use crate::{candidates, error::RankingError};

/// How much a place of the page counts, from place 1 at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Discount {
    /// Every place counts 1.
    Flat,
    /// Place p counts 1 / log₂(p + 1), as in DCG.
    Log2,
}

impl Discount {
    /// What the place counts; `place` from 0.
    pub fn weight(self, place: usize) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Log2 => 1.0 / (place as f64 + 2.0).log2(),
        }
    }
}

/// One curve. An objective is named by its position. A page has min(k, n) places for n candidates;
/// d is the [`Discount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The mean over requests of Σ d·p / Σ d over the page, p the predicted probability:
    /// exposure@k, in [0, 1].
    Predicted {
        /// Of which objective.
        objective: usize,
        /// How places count.
        discount: Discount,
    },
    /// The same with what came of it in place of p. Places whose label is not known leave both
    /// sums, and the sums are pooled over the requests: Σ (Σ d·y / Σ d) / Σ (Σ d·\[y is known\] / Σ
    /// d). Where all labels are known that is the mean over requests; where none is, on any page,
    /// it is NaN. Read it beside [`Metric::Coverage`].
    Realised {
        /// Of which objective.
        objective: usize,
        /// How places count.
        discount: Discount,
    },
    /// The share of the pages whose label is known: the mean over requests of Σ d·\[y is known\] /
    /// Σ d.
    Coverage {
        /// Of which objective.
        objective: usize,
        /// How places count.
        discount: Discount,
    },
    /// The mean of NDCG@k with linear gain and discount 1 / log₂(p + 1), over the requests with a
    /// known label. A label that is not known gains nothing (as trec_eval has it); a request whose
    /// labels are all 0 has NDCG 0 (as scikit-learn has it). NaN where no request has a known
    /// label.
    Ndcg {
        /// Of which objective.
        objective: usize,
    },
    /// The share of requests whose page holds other candidates than at [`Plan::reference`].
    ChangedSet,
    /// The share of requests whose page differs from that at [`Plan::reference`], be it in the
    /// order only.
    ChangedOrder,
}

/// On which side of zero the swept weight moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    /// The weight is −x. With the other weight α = 1, x is λ = −β/α.
    Negative,
    /// The weight is +x.
    Positive,
}

/// What is swept: score = Σ weight · probability over the objectives, in which one weight is ±x for
/// every x ≥ 0 and the rest are fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Places of a page, at least 1.
    pub k: usize,
    /// One weight per objective; the swept one's is not read.
    pub weights: Vec<f64>,
    /// The objective whose weight is swept.
    pub swept: usize,
    /// Its sign.
    pub sign: Sign,
    /// The x that [`Metric::ChangedSet`] and [`Metric::ChangedOrder`] compare with, finite, ≥ 0.
    pub reference: f64,
    /// The curves.
    pub metrics: Vec<Metric>,
}

impl Plan {
    pub(super) fn check(&self) -> Result<(), RankingError> {
        if self.k == 0 {
            return Err(RankingError::NoPlaces);
        }
        let objectives = self.weights.len();
        let known = |what, objective| {
            if objective < objectives {
                Ok(())
            } else {
                Err(RankingError::UnknownObjective {
                    what,
                    objective,
                    objectives,
                })
            }
        };
        known("the plan's `swept`", self.swept)?;
        for metric in &self.metrics {
            match *metric {
                Metric::Predicted { objective, .. }
                | Metric::Realised { objective, .. }
                | Metric::Coverage { objective, .. }
                | Metric::Ndcg { objective } => known("a metric", objective)?,
                Metric::ChangedSet | Metric::ChangedOrder => {}
            }
        }
        let fixed: Vec<f64> = self.fixed().map(|(_, weight)| weight).collect();
        if !fixed.iter().all(|weight| weight.is_finite())
            || fixed.iter().all(|&weight| weight == 0.0)
        {
            return Err(RankingError::FixedWeights { weights: fixed });
        }
        if !(self.reference.is_finite() && self.reference >= 0.0) {
            return Err(RankingError::OutOfRange {
                what: "the plan's `reference`",
                value: self.reference,
                range: "finite and at least 0",
            });
        }
        Ok(())
    }

    /// The fixed objectives with their weights.
    pub(super) fn fixed(&self) -> impl Iterator<Item = (usize, f64)> {
        let swept = self.swept;
        let all = self.weights.iter().copied().enumerate();
        all.filter(move |&(objective, _)| objective != swept)
    }

    /// The factor that turns the swept probability into the slope of a line `fixed − x·slope`.
    pub(super) fn slope(&self) -> f64 {
        match self.sign {
            Sign::Negative => 1.0,
            Sign::Positive => -1.0,
        }
    }
}

/// The candidates of one request, in ascending order of their ids: ties break on the position.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The unit that the bootstrap draws: the user, or the request when the user is unknown.
    pub unit: u64,
    /// Per objective, the probability of each candidate, in [0, 1].
    pub probabilities: &'a [&'a [f64]],
    /// Per objective, what came of each candidate: a label or a rate in [0, 1], NaN where it is not
    /// known. May be left empty where no metric asks for it.
    pub realised: &'a [&'a [f64]],
}

impl Request<'_> {
    /// Checks all columns; `request` is its number for the message. Gives the number of candidates.
    pub(super) fn check(
        &self,
        request: usize,
        objectives: usize,
        labels: bool,
    ) -> Result<usize, RankingError> {
        let n = candidates::check(request, self.probabilities, objectives)?;
        if labels {
            candidates::shape(
                request,
                self.realised,
                (objectives, n),
                [
                    "`realised` (one column per objective)",
                    "a column of `realised`",
                ],
            )?;
            let label = |y: f64| y.is_nan() || candidates::in_range(y);
            if let Some((objective, candidate, value)) = candidates::first(self.realised, label) {
                return Err(RankingError::Label {
                    request,
                    candidate,
                    objective,
                    value,
                });
            }
        }
        Ok(n)
    }
}
