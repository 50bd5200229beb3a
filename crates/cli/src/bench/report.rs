//! `counterweight bench report`: writes all results of the offline benchmark into one file, for
//! people or for programs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use counterweight_evaluation::{
    Comparison, FrontReport, Log, OffPolicy, OpeOptions, OpeReport, Parts, Policy, Recommendation,
    ReportInputs, Source, Summary, Swept, check_goal, estimate,
};
use counterweight_files::write_file;
use counterweight_report::{Report as Finished, ReportParts};
use serde_json::json;

use super::{
    compare::{CompareArgs, Comparing},
    log::{DrawArgs, LogArgs, QuestionArgs},
    recommend::{BasisName, GoalArgs},
};
use crate::{
    output::{Output, print_lines},
    progress,
    shell::shell_command,
    train::TrainingFlags,
    usage::WrongUse,
};

/// Write one report of a log: front, recommendation, calibration, an example, off-policy estimates,
/// and with --compare a comparison of two models with one.
#[derive(Args)]
pub(crate) struct Report {
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The format of the report.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Also write every plot as an SVG file into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    #[command(flatten)]
    goal: GoalArgs,
    /// How gain and cost of the recommendation are measured [default: as in `bench recommend`].
    #[arg(long, value_enum)]
    basis: Option<BasisName>,
    /// Also train two models and one model of the combined loss, and compare them; needs --dataset.
    #[arg(long, requires = "dataset")]
    compare: bool,
    #[command(flatten)]
    what: CompareArgs,
    /// Also show off-policy estimates that are refused.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    draws: DrawArgs,
}

/// The format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One self-contained HTML file.
    Html,
    /// Markdown; with --plots it shows the plots.
    Markdown,
    /// Every value, for programs.
    Json,
}

impl Report {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        self.check()?;
        let log = self.log.open()?;
        let weighable = log.objectives().iter();
        let weighable = weighable.filter(|objective| objective.source != Source::None);
        let weighable = weighable.count() >= 2;
        if weighable {
            log.require(Parts::All)?;
        }
        let comparison = self.comparison()?;
        let report = if weighable {
            self.weighed(log, comparison)?
        } else {
            self.estimated(log)?
        };
        if let Some(folder) = &self.plots {
            report.write_plots(folder)?;
        }
        let text = match self.format {
            Format::Html => report.html()?,
            Format::Markdown => report.markdown(self.plots_from_out().as_deref())?,
            Format::Json => serde_json::to_string_pretty(&report)? + "\n",
        };
        if self.out == Path::new("-") {
            return print_lines(&text);
        }
        write_file(&self.out, text.as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        let value = json!({ "out": self.out, "bytes": text.len(), "plots": self.plots });
        output.print(&value, |_| {
            format!(
                "the report is in {} ({} kB)",
                self.out.display(),
                text.len() / 1000
            )
        })
    }

    /// Checks the arguments that can be checked before the log is read.
    fn check(&self) -> anyhow::Result<()> {
        let folder = self
            .out
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!(
                "cannot write {}: the folder {} does not exist; create it",
                self.out.display(),
                folder.display()
            );
        }
        self.log.draws(&self.draws).check()?;
        if let Some(goal) = self.goal.goal() {
            check_goal(goal)?;
        }
        Ok(())
    }

    /// Runs the comparison if --compare is given. It runs before the log is read, so that missing
    /// inputs are reported early.
    fn comparison(&self) -> anyhow::Result<Option<Comparison>> {
        if !self.compare {
            return Ok(None);
        }
        let Some(file) = self.log.dataset_file() else {
            return Err(WrongUse("--compare needs --dataset, to train on".to_owned()).into());
        };
        let question = self.question.question();
        let comparing = Comparing {
            file: &file,
            what: &self.what,
            objectives: [None, question.vary],
            k: self.log.k(),
            tune: self.log.tune(),
            unshown_labels: self.log.unshown_labels(),
            discount: question.discount,
            draws: self.log.draws(&self.draws),
            how: &TrainingFlags::default(),
        };
        comparing.run().map(Some)
    }

    /// The report of a log with at least two objectives, whose weights can be swept.
    fn weighed(&self, mut log: Log, comparison: Option<Comparison>) -> anyhow::Result<Finished> {
        let (mut off_policy, mut inputs) = (OffPolicy::default(), ReportInputs::default());
        let (name, question) = (log.name().to_owned(), self.question.question());
        let bar = progress::rows(&name);
        let swept = Swept::read(
            &mut log,
            &question,
            Parts::All,
            &mut |rows| bar.set_position(rows),
            &mut |question, batch| {
                inputs.add(batch);
                off_policy.add(question, &name, batch)
            },
        );
        bar.finish_and_clear();
        let swept = swept?;
        let draws = self.log.draws(&self.draws);
        let recommendation = match self.goal.goal() {
            Some(goal) => {
                let basis = BasisName::or_default(self.basis, &swept, &off_policy);
                Some(Recommendation::new(
                    &log,
                    &swept,
                    &off_policy,
                    goal,
                    basis,
                    draws,
                )?)
            }
            None => None,
        };
        let front = FrontReport::new(&log, &swept, Parts::Test, draws)?;
        let estimates = match off_policy.is_usable() {
            true => Some(self.estimates(&mut log, Policy::Lambda(Vec::new()))?.0),
            false => None,
        };
        let parts = ReportParts {
            recommendation,
            off_policy: estimates,
            comparison,
            ..common_parts()
        };
        Ok(Finished::new(&log, &swept, front, &inputs, parts))
    }

    /// The report of a log with one objective: it estimates what the uniform policy would have
    /// brought.
    fn estimated(&self, mut log: Log) -> anyhow::Result<Finished> {
        if self.goal.goal().is_some() {
            bail!(
                "{}: a goal needs two objectives with probabilities; leave the goal out, or give models with --models",
                log.name()
            );
        }
        let (estimates, read) = self.estimates(&mut log, Policy::Uniform)?;
        let parts = ReportParts {
            off_policy: Some(estimates),
            ..common_parts()
        };
        Ok(Finished::estimated(&log, read, parts))
    }

    fn estimates(&self, log: &mut Log, policy: Policy) -> anyhow::Result<(OpeReport, Summary)> {
        let bar = progress::rows(log.name());
        let question = self.question.question();
        let options = OpeOptions {
            policy,
            level: self.draws.level(),
            anyway: self.anyway,
        };
        let answer = estimate(log, &question, &options, &mut |rows| {
            bar.set_position(rows);
        });
        bar.finish_and_clear();
        Ok(answer?)
    }

    /// The path of the plots folder, relative to the folder of the report if it is inside it.
    fn plots_from_out(&self) -> Option<String> {
        let plots = self.plots.as_ref()?;
        let folder = self.out.parent().unwrap_or(Path::new(""));
        let relative = plots.strip_prefix(folder).unwrap_or(plots);
        Some(relative.display().to_string())
    }
}

fn common_parts() -> ReportParts {
    ReportParts {
        made_by: shell_command(&std::env::args().skip(1).collect::<Vec<_>>()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ReportParts::default()
    }
}
