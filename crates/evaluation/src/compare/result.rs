//! The result of the comparison.

use counterweight_impressions::{Objective, Summary};
use serde::Serialize;

use crate::{draws::Draws, front::FrontPoint, interval::Interval};

/// What one model took from the files to its artefact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retraining {
    /// The objective, or the combined loss.
    pub model: String,
    /// All of it: reading, encoding, choosing the penalty, fitting, calibrating, measuring,
    /// writing. Seconds.
    pub seconds: f64,
    /// Of these, reading the files.
    pub reading: f64,
    /// Of these, choosing the penalty.
    pub choosing: f64,
}

/// Changes of weights that were timed on a running combiner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetWeights {
    /// How many changes were made, one after another.
    pub changes: usize,
    /// From the call to its answer, when the change is on disk and in force: the median, in
    /// seconds.
    pub median: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// What was measured, in words.
    pub how: String,
}

/// One weight of an option.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedPoint {
    /// m : n.
    pub weight: [u32; 2],
    /// λ = n/m.
    pub lambda: f64,
    /// Gain and cost on the tune part.
    pub tune: [f64; 2],
    /// Gain on the test part.
    pub gain: Interval,
    /// Cost on the test part.
    pub cost: Interval,
    /// Whether it was on the hull of the tune part, and so counts on the test part.
    pub chosen: bool,
}

/// The points of an option and its front.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OptionFront {
    /// Its name.
    pub name: String,
    /// One per weight, λ ascending.
    pub points: Vec<ComparedPoint>,
    /// The hull of the test part through the chosen points, cost ascending.
    pub hull: Vec<FrontPoint>,
    /// The area under the hull over the shared range of costs, above the reference's gain.
    pub hypervolume: Option<f64>,
    /// Mean distance from the best hull of both options to this one, over the shared range.
    pub igd: Option<f64>,
}

/// Both options at one cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// The cost.
    pub cost: f64,
    /// Gain of two models.
    pub two: f64,
    /// Gain of one model.
    pub one: f64,
    /// Two less one, paired.
    pub change: Interval,
}

/// Both options over the costs that both reach.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shared {
    /// The range of costs.
    pub costs: [f64; 2],
    /// The one reference point of both hypervolumes: the least gain of either hull in the range,
    /// and its upper end.
    pub reference: [f64; 2],
    /// Hypervolume of two models less that of one, paired: the mean difference times the range.
    pub hypervolume_change: Interval,
    /// The mean difference of the gain at equal cost, paired; each replicate over the costs of the
    /// range that both its hulls reach.
    pub mean_change: Interval,
    /// The difference at some costs.
    pub levels: Vec<Level>,
}

/// An order that has no weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Baseline {
    /// In words.
    pub order: String,
    /// Gain on the test part.
    pub gain: Interval,
    /// Cost on the test part.
    pub cost: Interval,
}

/// What the comparison of quality comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Two models gain more at equal cost, beyond the interval.
    TwoBetter,
    /// They gain less.
    TwoWorse,
    /// The interval of the mean does not hold 0, but at some costs the other is ahead beyond its
    /// interval.
    Mixed,
    /// The interval holds 0.
    NoDifference,
    /// The fronts have no cost in common.
    Incomparable,
}

/// The whole comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The log.
    pub log: String,
    /// The objectives: what is gained, and what it costs.
    pub objectives: [String; 2],
    /// Places of the page.
    pub k: usize,
    /// Whether places count alike, or as in DCG.
    pub discounted: bool,
    /// Whether outcomes are the truth of a simulation instead of labels.
    pub truth: bool,
    /// Requests judged on the tune and on the test part.
    pub requests: [u64; 2],
    /// Users (requests, where the log names none) on the tune and on the test part.
    pub users: [usize; 2],
    /// Candidates left out since a label is not known.
    pub unlabelled: u64,
    /// Requests left out since fewer than two candidates are labelled.
    pub unjudged: u64,
    /// What was read.
    pub read: Summary,
    /// Every model with its version.
    pub models: Vec<Objective>,
    /// Two models and a weighted sum.
    pub two: OptionFront,
    /// One model per weight, trained on the combined loss.
    pub one: OptionFront,
    /// The same orders by the truth, where there is one.
    pub oracle: Option<OptionFront>,
    /// Where both options meet.
    pub shared: Option<Shared>,
    /// What that comes to.
    pub verdict: Verdict,
    /// Each objective alone, and a random order.
    pub baselines: Vec<Baseline>,
    /// Every weight of two models on the test part: drawn, not scored.
    pub sweep: Vec<FrontPoint>,
    /// How many λ there are at which a page changes.
    pub breakpoints: usize,
    /// What training each model took.
    pub retraining: Vec<Retraining>,
    /// Seconds to load a new artefact and check it, as a model server does, the median.
    pub deploy_seconds: f64,
    /// What a change of the weights takes on a combiner.
    pub set_weights: Option<SetWeights>,
    /// How intervals were drawn.
    pub draws: Draws,
}

impl Shared {
    /// The costs at which the difference goes the other way than the mean, beyond its interval: a
    /// mean would hide them.
    pub(super) fn other_way(&self) -> impl Iterator<Item = &Level> {
        let ahead = self.mean_change.value > 0.0;
        self.levels.iter().filter(move |level| match ahead {
            true => level.change.high < 0.0,
            false => level.change.low > 0.0,
        })
    }
}

impl Comparison {
    /// The verdict in words.
    pub fn words(&self) -> String {
        let [gain, cost] = &self.objectives;
        let change = self.shared.as_ref().map(|shared| {
            let Interval { value, low, high } = shared.mean_change;
            format!(
                "at equal {cost} two models gain {value:+.4} {gain} per place on average ({:.0} % interval {low:+.4} to {high:+.4})",
                100.0 * self.draws.level
            )
        });
        let change = change.unwrap_or_default() + &self.but();
        match self.verdict {
            Verdict::TwoBetter => format!("Two models are better: {change}."),
            Verdict::Mixed => format!("Neither is better throughout: {change}."),
            Verdict::TwoWorse => format!("Two models are WORSE than one: {change}."),
            Verdict::NoDifference => {
                format!(
                    "Two models are not better than one, nor worse, as far as this log can tell: {change}."
                )
            }
            Verdict::Incomparable => format!(
                "The two fronts have no {cost} in common on the test part: give more weights, or weights further apart."
            ),
        }
    }

    /// Where the difference at some cost goes the other way than the mean.
    fn but(&self) -> String {
        let shared = self.shared.iter();
        let found = shared.flat_map(Shared::other_way);
        let each =
            found.map(|Level { cost, change, .. }| format!("{:+.4} at {cost:.4}", change.value));
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => String::new(),
            false => format!(
                "; but not at every {}: {}",
                self.objectives[1],
                each.join(", ")
            ),
        }
    }

    /// Median seconds of training one model of the combined loss.
    pub fn retraining_seconds(&self) -> f64 {
        let combined = self.retraining.iter().skip(2);
        let mut seconds: Vec<f64> = combined.map(|each| each.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
