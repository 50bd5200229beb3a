//! Says in words why a request gets its weights. Every segment and experiment is judged by the same
//! predicates as in [`Rules::choose`].

use super::{Chosen, Density, Draw, RequestContext, Rules, rules::Drawing};

/// What a request gets, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// What applies.
    pub chosen: Chosen,
    /// One for each segment, in order.
    pub segments: Vec<Verdict>,
    /// One for each experiment, in order.
    pub experiments: Vec<Verdict>,
    /// What exploration does; empty where the profile does not explore.
    pub exploration: String,
}

/// Whether one segment or experiment applies, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Name of the segment or experiment.
    pub name: String,
    /// Whether it applies.
    pub applies: bool,
    /// Why, or why not.
    pub reason: String,
    /// Bucket of the unit; none for segments and for requests without a unit.
    pub bucket: Option<u32>,
}

impl Rules {
    /// What applies to one request, and why; an empty request id draws nothing.
    pub(crate) fn explain(&self, own: &[f64], who: RequestContext<'_>) -> Explained {
        let drawing = match who.request_id {
            "" => Drawing::Nothing,
            _ => Drawing::Lambda,
        };
        let segments = self.judge_segments(who);
        let segment = segments.iter().find(|verdict| verdict.applies);
        let experiments = self.judge_experiments(segment.map(|verdict| &*verdict.name), who);
        let chosen = self.choose_with(own, who, drawing);
        Explained {
            exploration: self.judge_exploration(&chosen),
            chosen,
            segments,
            experiments,
        }
    }

    fn judge_segments(&self, who: RequestContext<'_>) -> Vec<Verdict> {
        let mut applied: Option<&str> = None;
        let judge = self.segments.iter().map(|segment| {
            let (applies, reason) = match (applied, segment.misfit(who.attributes)) {
                (Some(first), _) => (false, format!("not reached: segment {first:?} applies")),
                (None, Some(misfit)) => (false, misfit.to_string()),
                (None, None) => (true, segment.fit(who.attributes)),
            };
            if applies {
                applied = Some(&segment.name);
            }
            Verdict {
                name: segment.name.to_string(),
                applies,
                reason,
                bucket: None,
            }
        });
        judge.collect()
    }

    fn judge_experiments(&self, segment: Option<&str>, who: RequestContext<'_>) -> Vec<Verdict> {
        let mut applied: Option<&str> = None;
        let judge = self.experiments.iter().map(|experiment| {
            let bucket = experiment.bucket(who.unit_id);
            let (applies, reason) = match (applied, experiment.arm(segment, who.unit_id)) {
                (Some(first), _) => (false, format!("not reached: experiment {first:?} applies")),
                (None, Err(no_arm)) => (false, no_arm.to_string()),
                (None, Ok(arm)) => {
                    let bucket = bucket.unwrap_or_default();
                    (true, format!("bucket {bucket} has arm {:?}", arm.name()))
                }
            };
            if applies {
                applied = Some(&experiment.name);
            }
            Verdict {
                name: experiment.name.clone(),
                applies,
                reason,
                bucket,
            }
        });
        judge.collect()
    }

    fn judge_exploration(&self, chosen: &Chosen) -> String {
        let Some(rule) = &self.exploration else {
            return String::new();
        };
        let (low, high) = rule.density.range();
        let kind = match rule.density {
            Density::Uniform { .. } => "uniformly",
            Density::LogUniform { .. } => "log-uniformly",
        };
        let arm = chosen.arm.as_deref();
        match (&chosen.draw, rule.arm.as_deref()) {
            (Some(Draw { lambda, .. }), _) => {
                format!("λ = {lambda} is drawn {kind} from {low} to {high}")
            }
            (None, Some(wanted)) if !rule.takes(arm) => match arm {
                Some(arm) => format!("only arm {wanted:?} explores, and arm {arm:?} applies"),
                None => format!("only arm {wanted:?} explores, and no arm applies"),
            },
            (None, _) => format!(
                "λ is drawn {kind} from {low} to {high} for each request; name a request id to see its draw"
            ),
        }
    }
}
