//! The values of a report.

use counterweight_evaluation::{
    Calibration, CheckedQuestion, Comparison, Example, FrontReport, Log, Objective, OpeReport,
    Recommendation, Recommended, ReportInputs, Summary, Swept,
};
use serde::Serialize;

use crate::view::{FrontView, RecommendedPoint};

/// What a log was asked, beside its front.
#[derive(Debug, Default)]
pub struct ReportParts {
    /// What was recommended, or why nothing was.
    pub recommendation: Option<Recommendation>,
    /// Off-policy estimates, where the log explored.
    pub off_policy: Option<OpeReport>,
    /// Two models against one.
    pub comparison: Option<Comparison>,
    /// The command line that makes this report again.
    pub made_by: String,
    /// The program's version.
    pub version: String,
}

/// All that a report says.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The log.
    pub log: String,
    /// The objectives with the versions that everything here is bound to.
    pub objectives: Vec<Objective>,
    /// What was read.
    pub read: Summary,
    /// The question: which weight moves.
    pub question: Option<CheckedQuestion>,
    /// The λ in force now.
    pub reference: f64,
    /// The front on the test part; none where the log has no two objectives to weigh.
    pub front: Option<FrontReport>,
    /// What was recommended, or why nothing was; none where no goal was given.
    pub recommendation: Option<Recommendation>,
    /// The command that applies the recommendation.
    pub command: Option<String>,
    /// Off-policy estimates.
    pub off_policy: Option<OpeReport>,
    /// How far the probabilities can be believed.
    pub calibration: Vec<Calibration>,
    /// One request before and after.
    pub example: Option<Example>,
    /// Two models against one.
    pub comparison: Option<Comparison>,
    /// The command line that makes this report again.
    pub made_by: String,
    /// The program's version.
    pub version: String,
}

impl Report {
    /// The report of a log whose weights were swept.
    pub fn new(
        log: &Log,
        swept: &Swept,
        front: FrontReport,
        inputs: &ReportInputs,
        parts: ReportParts,
    ) -> Self {
        let reference = swept.question.reference;
        let mut report = Self {
            question: Some(swept.question.clone()),
            reference,
            front: Some(front),
            ..Self::estimated(log, swept.summary.clone(), parts)
        };
        report.calibration = inputs.calibration.finish(log);
        report.example = report.other(reference).and_then(|lambda| {
            inputs
                .examples
                .choose(&swept.question, swept.summary.k, [reference, lambda])
        });
        report
    }

    /// The report of a log that only has estimates: of one objective, say.
    pub fn estimated(log: &Log, read: Summary, parts: ReportParts) -> Self {
        Self {
            log: log.name().to_owned(),
            objectives: log.objectives().to_vec(),
            read,
            question: None,
            reference: 0.0,
            front: None,
            command: parts
                .recommendation
                .as_ref()
                .and_then(Recommendation::command),
            recommendation: parts.recommendation,
            off_policy: parts.off_policy,
            calibration: Vec::new(),
            example: None,
            comparison: parts.comparison,
            made_by: parts.made_by,
            version: parts.version,
        }
    }

    /// The λ of the example: the recommended one, else the middle of the hull.
    fn other(&self, reference: f64) -> Option<f64> {
        if let Some(found) = self.recommended() {
            return Some(found.lambda).filter(|lambda| *lambda != reference);
        }
        let hull = &self.front.as_ref()?.hull;
        let lambda = hull.get(hull.len() / 2)?.lambda;
        (lambda != reference).then_some(lambda)
    }

    fn recommended_point(&self) -> Option<RecommendedPoint> {
        let found = self.recommended()?;
        Some(RecommendedPoint {
            lambda: found.lambda,
            basis: self.recommendation.as_ref()?.basis,
            changes: [
                found.gain_change.value / found.reference.gain.value,
                found.cost_change.value / found.reference.cost.value,
            ],
        })
    }

    pub(crate) fn recommended(&self) -> Option<&Recommended> {
        self.recommendation.as_ref()?.recommended.as_ref()
    }

    /// The front with its question, where there is one.
    pub(crate) fn view(&self) -> Option<FrontView<'_>> {
        Some(FrontView {
            front: self.front.as_ref()?,
            question: self.question.as_ref()?,
            recommended: self.recommended_point(),
        })
    }
}
