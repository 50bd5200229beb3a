//! A finished report of one log: what a product owner reads, what a data scientist checks, what a program parses, all from the same values.
//!
//! This crate renders values; whoever reads logs and models gathers them (`counterweight-offline`).

mod chart;
mod document;
mod error;
mod html;
mod markdown;
mod plots;
mod sections;

use std::{fs, path::Path};

use counterweight_offline::{
    Asked, Basis, Calibrated, Comparison, Example, FrontReport, Gathered, Log, Objective,
    OpeReport, Recommendation, Recommended, Summary, Swept,
};
use serde::Serialize;

pub use error::ReportError;

/// What a log was asked, beside its front.
#[derive(Debug, Default)]
pub struct Asking {
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
    pub question: Option<Asked>,
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
    pub calibration: Vec<Calibrated>,
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
        gathered: &Gathered,
        asking: Asking,
    ) -> Self {
        let reference = swept.asked.reference;
        let mut report = Self {
            question: Some(swept.asked.clone()),
            reference,
            front: Some(front),
            ..Self::estimated(log, swept.summary.clone(), asking)
        };
        report.calibration = gathered.calibrating.finish(log);
        report.example = report.other(reference).and_then(|lambda| {
            gathered
                .examples
                .choose(&swept.asked, swept.summary.k, [reference, lambda])
        });
        report
    }

    /// The report of a log that only has estimates: of one objective, say.
    pub fn estimated(log: &Log, read: Summary, asking: Asking) -> Self {
        Self {
            log: log.name().to_owned(),
            objectives: log.objectives().to_vec(),
            read,
            question: None,
            reference: 0.0,
            front: None,
            command: asking
                .recommendation
                .as_ref()
                .and_then(Recommendation::command),
            recommendation: asking.recommendation,
            off_policy: asking.off_policy,
            calibration: Vec::new(),
            example: None,
            comparison: asking.comparison,
            made_by: asking.made_by,
            version: asking.version,
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

    fn recommended(&self) -> Option<&Recommended> {
        self.recommendation.as_ref()?.recommended.as_ref()
    }

    /// Names of the objective that is gained and of the one that costs.
    fn gain_and_cost(&self) -> [String; 2] {
        match &self.question {
            Some(asked) => {
                [asked.gain, asked.swept].map(|objective| asked.objectives[objective].clone())
            }
            None => Default::default(),
        }
    }

    /// What a random order reaches of an objective, where front and outcome are counted alike.
    fn random(&self, front: &FrontReport, objective: &str) -> Option<f64> {
        let mut rows = front.baselines.iter();
        let row = rows.find(|row| row.order == "random order" && row.objective == objective)?;
        (front.basis == Basis::Realised).then_some(row.mean.value)
    }

    /// One HTML file that needs nothing but itself.
    ///
    /// # Errors
    /// [`ReportError::Write`] for a plot that cannot be drawn.
    pub fn html(&self) -> Result<String, ReportError> {
        Ok(html::html(&sections::document(self)?))
    }

    /// Markdown. `plots` is the folder of the plots as the text is to name it; none leaves them out.
    ///
    /// # Errors
    /// As [`Report::html`].
    pub fn markdown(&self, plots: Option<&str>) -> Result<String, ReportError> {
        Ok(markdown::markdown(&sections::document(self)?, plots))
    }

    /// Writes every plot as an SVG file into a folder, which is made if need be; returns their names.
    ///
    /// # Errors
    /// [`ReportError::Write`] names the file.
    pub fn write_plots(&self, folder: &Path) -> Result<Vec<String>, ReportError> {
        let failed = |path: &Path, problem: std::io::Error| ReportError::Write {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        fs::create_dir_all(folder).map_err(|problem| failed(folder, problem))?;
        let mut names = Vec::new();
        for plot in sections::document(self)?.plots() {
            let name = format!("{}.svg", plot.name);
            let path = folder.join(&name);
            fs::write(&path, chart::standalone(&plot.svg))
                .map_err(|problem| failed(&path, problem))?;
            names.push(name);
        }
        Ok(names)
    }
}
