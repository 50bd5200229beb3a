//! A question about a log: which weight moves, which are fixed, and how places count.

use counterweight_impressions::{Log, Source};
use counterweight_ranking::sweep::{Discount, Metric, Plan, Sign};
use serde::Serialize;

use crate::error::EvaluationError;

/// Which weight moves and how pages are judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The objective whose weight moves; `None` is the second that has probabilities.
    pub vary: Option<String>,
    /// Weights of the others; one that is not named has 1 if it is the first and 0 otherwise.
    pub hold: Vec<(String, f64)>,
    /// Whether the weight is positive (β > 0) instead of negative.
    pub positive: bool,
    /// How places count.
    pub discount: Discount,
    /// The λ that `changed` is counted from, at least 0.
    pub reference: f64,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            vary: None,
            hold: Vec::new(),
            positive: false,
            discount: Discount::Flat,
            reference: 0.0,
        }
    }
}

/// A question about a certain log: the objectives that have probabilities and their roles.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedQuestion {
    /// The objectives, in order.
    pub objectives: Vec<String>,
    /// One weight per objective; that of the swept one is 0 here and −λ (or +λ) in a ranking.
    pub weights: Vec<f64>,
    /// The objective that is gained: the first that is not swept and has a weight.
    pub gain: usize,
    /// The objective whose weight moves, which costs.
    pub swept: usize,
    /// Whether its weight is +λ.
    pub positive: bool,
    /// Positions of the objectives in the log.
    #[serde(skip)]
    pub(crate) places: Vec<usize>,
    /// Which objectives have outcomes in the log.
    pub(crate) outcomes: Vec<bool>,
    #[serde(skip)]
    pub(crate) discount: Discount,
    /// The λ in force now, which changes are counted from.
    #[serde(skip)]
    pub reference: f64,
}

/// One curve of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// By the models' word, of an objective.
    Predicted(usize),
    /// By what came of it, of an objective.
    Realised(usize),
    /// The share of the pages on which that is known, of an objective.
    Coverage(usize),
    /// NDCG@k on the outcomes of the gained objective.
    Ndcg,
    /// The share of requests whose page holds other candidates than at the reference.
    Changed,
}

impl CheckedQuestion {
    /// Checks a question against a log.
    ///
    /// # Errors
    /// [`EvaluationError::Log`] for fewer than two objectives with probabilities or an unknown
    /// name, and [`EvaluationError::Option`] for weights that are no use.
    pub fn new(log: &Log, question: &Question) -> Result<Self, EvaluationError> {
        let with_source = log.objectives().iter().enumerate();
        let (places, objectives): (Vec<usize>, Vec<String>) = with_source
            .filter(|(_, objective)| objective.source != Source::None)
            .map(|(place, objective)| (place, objective.name.clone()))
            .unzip();
        if objectives.len() < 2 {
            return Err(log.wrong(format!(
                "{} objectives have probabilities ({}), and weighing takes two: give models of the others, or a log with columns p_<objective>",
                objectives.len(),
                objectives.join(", ")
            )).into());
        }
        let find = |name: &str| {
            objectives
                .iter()
                .position(|own| own == name)
                .ok_or_else(|| {
                    log.wrong(format!(
                        "no objective {name:?} has probabilities; there are {}",
                        objectives.join(", ")
                    ))
                })
        };
        let swept = question.vary.as_deref().map_or(Ok(1), find)?;
        let mut weights = vec![0.0; objectives.len()];
        if swept != 0 {
            weights[0] = 1.0;
        }
        for (name, weight) in &question.hold {
            let objective = find(name)?;
            if objective == swept || !weight.is_finite() {
                return Err(EvaluationError::Option {
                    name: "a fixed weight",
                    value: format!("{name}={weight}"),
                    expected: "it is finite and of an objective whose weight is not varied",
                });
            }
            weights[objective] = *weight;
        }
        let gain = (0..objectives.len()).find(|&m| m != swept && weights[m] > 0.0);
        let Some(gain) = gain else {
            return Err(EvaluationError::Option {
                name: "the fixed weights",
                value: format!("{weights:?}"),
                expected: "at least one is above 0, or nothing is gained",
            });
        };
        if !(question.reference.is_finite() && question.reference >= 0.0) {
            return Err(EvaluationError::Option {
                name: "the reference",
                value: question.reference.to_string(),
                expected: "a λ is finite and at least 0",
            });
        }
        Ok(Self {
            objectives,
            weights,
            gain,
            swept,
            positive: question.positive,
            outcomes: places.iter().map(|&place| log.has_outcome(place)).collect(),
            places,
            discount: question.discount,
            reference: question.reference,
        })
    }

    /// The curves of every sweep, in the order in which they stand there.
    pub fn curves(&self) -> Vec<Curve> {
        let each = 0..self.objectives.len();
        let mut curves: Vec<Curve> = each
            .flat_map(|m| [Curve::Predicted(m), Curve::Realised(m), Curve::Coverage(m)])
            .collect();
        curves.extend([Curve::Ndcg, Curve::Changed]);
        curves
    }

    /// Where a curve stands.
    pub fn position(&self, curve: Curve) -> usize {
        let found = self.curves().iter().position(|own| *own == curve);
        found.unwrap_or_default()
    }

    /// The column name of a curve, such as `realised_engagement`.
    pub fn name(&self, curve: Curve) -> String {
        match curve {
            Curve::Predicted(m) => format!("predicted_{}", self.objectives[m]),
            Curve::Realised(m) => format!("realised_{}", self.objectives[m]),
            Curve::Coverage(m) => format!("known_{}", self.objectives[m]),
            Curve::Ndcg => format!("ndcg_{}", self.objectives[self.gain]),
            Curve::Changed => "changed".to_owned(),
        }
    }

    /// The weights of all objectives at a λ.
    pub fn weights_at(&self, lambda: f64) -> Vec<f64> {
        let mut weights = self.weights.clone();
        weights[self.swept] = (if self.positive { lambda } else { -lambda }) + 0.0;
        weights
    }

    pub(crate) fn plan(&self, k: usize) -> Plan {
        let discount = self.discount;
        let metric = |curve| match curve {
            Curve::Predicted(objective) => Metric::Predicted {
                objective,
                discount,
            },
            Curve::Realised(objective) => Metric::Realised {
                objective,
                discount,
            },
            Curve::Coverage(objective) => Metric::Coverage {
                objective,
                discount,
            },
            Curve::Ndcg => Metric::Ndcg {
                objective: self.gain,
            },
            Curve::Changed => Metric::ChangedSet,
        };
        Plan {
            k,
            weights: self.weights.clone(),
            swept: self.swept,
            sign: if self.positive {
                Sign::Positive
            } else {
                Sign::Negative
            },
            reference: self.reference,
            metrics: self.curves().into_iter().map(metric).collect(),
        }
    }
}
