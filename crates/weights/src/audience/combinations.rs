//! Every weight set that some request can get, so that a check of a profile covers all its
//! requests.

use std::fmt;

use super::rules::{ArmRule, Rules, explore, replace};

/// The weights of requests in one segment and arm; none means no segment, or no arm.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Combination<'a> {
    pub(crate) segment: Option<&'a str>,
    /// As `experiment/arm`.
    pub(crate) arm: Option<&'a str>,
    /// Before any λ is drawn.
    pub(crate) weights: Vec<f64>,
    /// The weights at either end of the range of λ; none where nothing is drawn.
    pub(crate) explored: Option<[Vec<f64>; 2]>,
}

impl Combination<'_> {
    /// The weight sets to check: without exploration the one set, and with it both ends, between
    /// which every draw lies.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &[f64]> {
        let fixed = self.explored.is_none().then_some(&self.weights);
        fixed
            .into_iter()
            .chain(self.explored.iter().flatten())
            .map(Vec::as_slice)
    }
}

/// Names it within its profile.
impl fmt::Display for Combination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segment, self.arm) {
            (None, None) if self.explored.is_some() => f.write_str("exploration"),
            (None, None) => f.write_str("the profile's own weights"),
            (Some(segment), None) => write!(f, "segment {segment:?}"),
            (None, Some(arm)) => write!(f, "arm {arm:?}"),
            (Some(segment), Some(arm)) => write!(f, "arm {arm:?} in segment {segment:?}"),
        }?;
        match (self.segment, self.arm, &self.explored) {
            (None, None, _) | (_, _, None) => Ok(()),
            _ => f.write_str(" under exploration"),
        }
    }
}

impl Rules {
    /// Every combination, over the profile's own weights.
    pub(crate) fn combinations<'a>(
        &'a self,
        own: &'a [f64],
    ) -> impl Iterator<Item = Combination<'a>> {
        let named = self.segments.iter().map(|segment| Some(&*segment.name));
        std::iter::once(None).chain(named).flat_map(move |segment| {
            let arms = self.arms(segment).map(|arm| Some(&*arm.label));
            let arms = std::iter::once(None).chain(arms);
            arms.map(move |arm| self.combination(own, segment, arm))
        })
    }

    /// The arms that requests of a segment, or of none, can be in.
    fn arms(&self, segment: Option<&str>) -> impl Iterator<Item = &ArmRule> {
        let taking = self.experiments.iter().filter(move |experiment| {
            let wanted = experiment.segment.as_deref();
            wanted.is_none() || wanted == segment
        });
        taking.flat_map(|experiment| &experiment.arms)
    }

    /// The weights of requests in a segment and arm; a segment or arm that is absent changes
    /// nothing.
    pub(crate) fn combination<'a>(
        &self,
        own: &[f64],
        segment: Option<&'a str>,
        arm: Option<&'a str>,
    ) -> Combination<'a> {
        let mut weights = own.to_vec();
        let segment_rule = self
            .segments
            .iter()
            .find(|rule| Some(&*rule.name) == segment);
        if let Some(rule) = segment_rule {
            replace(&mut weights, &rule.weights);
        }
        if let Some(rule) = self.arms(segment).find(|rule| Some(&*rule.label) == arm) {
            replace(&mut weights, &rule.weights);
        }
        let exploration = self.exploration.as_ref().filter(|rule| rule.takes(arm));
        let explored = exploration.map(|rule| {
            let (low, high) = rule.density.range();
            [low, high].map(|lambda| {
                let mut weights = weights.clone();
                explore(&mut weights, lambda);
                weights
            })
        });
        Combination {
            segment,
            arm,
            weights,
            explored,
        }
    }
}
