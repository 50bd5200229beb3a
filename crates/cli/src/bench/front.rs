//! `counterweight bench front`: computes exactly what each weight gains and costs, for all weights
//! at once.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use counterweight_evaluation::{
    Basis, FrontReport, GridPoint, Log, Parts, Swept, check_curve_file, write_curves,
};
use counterweight_files::write_file;
use counterweight_ranking::symbol;
use counterweight_report::{Theme, front_picture};
use serde_json::json;

use super::log::{DrawArgs, LogArgs, QuestionArgs, bound_line, read_line};
use crate::output::{Output, table};

/// The number of rows of the table for people.
const ROWS: usize = 12;

/// Compute the exact front of a log: engagement and bait exposure at every weight, with bands.
#[derive(Args)]
pub(crate) struct Front {
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    draws: DrawArgs,
    /// The part of the log to show.
    #[arg(long, value_enum, default_value_t = PartName::Test)]
    part: PartName,
    /// Also write the whole curves of that part to this .csv or .parquet file, with one row between
    /// two breakpoints.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also draw the front to this SVG file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The colours of the picture.
    #[arg(long, value_enum, default_value_t = ThemeName::Light, requires = "svg")]
    theme: ThemeName,
}

/// The colours of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ThemeName {
    /// Dark on white.
    Light,
    /// Light on black.
    Dark,
}

impl From<ThemeName> for Theme {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::Light => Self::Light,
            ThemeName::Dark => Self::Dark,
        }
    }
}

/// A part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartName {
    /// The requests on which weights are chosen.
    Tune,
    /// The requests on which weights are judged.
    Test,
    /// Both parts as one: points are chosen and judged on the same requests.
    All,
}

impl From<PartName> for Parts {
    fn from(name: PartName) -> Self {
        match name {
            PartName::Tune => Self::Tune,
            PartName::Test => Self::Test,
            PartName::All => Self::All,
        }
    }
}

impl Front {
    pub(crate) fn run(self, output: Output) -> anyhow::Result<()> {
        let draws = self.log.draws(&self.draws);
        draws.check()?;
        if let Some(out) = &self.out {
            check_curve_file(out)?;
        }
        let mut log = self.log.open()?;
        let part = self.part.into();
        let parts = FrontReport::parts(&log, &self.question.question(), part)?;
        let (mut swept, _) = LogArgs::sweep(&mut log, &self.question, parts, false)?;
        if part == Parts::All {
            swept = swept.joined();
        }
        let report = FrontReport::new(&log, &swept, part, draws)?;
        if let Some(out) = &self.out {
            write_curves(out, &swept.curves(&log, part)?, &report.curves)?;
        }
        if let Some(svg) = &self.svg {
            let picture = front_picture(&report, &swept.question, self.theme.into())?;
            write_file(svg, picture.as_bytes())
                .with_context(|| format!("cannot write {}", svg.display()))?;
        }
        let value = json!({
            "log": log.name(),
            "objectives": log.objectives(),
            "question": swept.question,
            "read": swept.summary,
            "front": report,
        });
        output.print(&value, |_| human(&log, &swept, &report))
    }
}

fn human(log: &Log, swept: &Swept, report: &FrontReport) -> String {
    let basis = match report.basis {
        Basis::Realised => "observed outcomes",
        Basis::OffPolicy => "off-policy estimates",
        Basis::Predicted => "the predictions of the models",
    };
    let mut text = format!(
        "{}\n{} breakpoints on {}; the front of {} against {}, by {basis}, has {} points, {} of them on its hull; hypervolume {:.4}\n\n{}\nEach value is shown with its {:.0} % band. The band holds for the whole curve at once; it covers which users came, not errors of the models or how users would respond.\nprobabilities: {}",
        read_line(log, &swept.summary),
        report.breakpoints,
        match report.part {
            Parts::Tune => "the tune part",
            Parts::Test => "the test part",
            Parts::All => "both parts",
        },
        report.curves[report.gain].replace('_', " "),
        report.curves[report.cost].replace('_', " "),
        report.front_points,
        report.hull.len(),
        report.hypervolume,
        curve_table(swept, report),
        100.0 * report.draws.level,
        bound_line(log.objectives()),
    );
    if report.basis == Basis::Predicted {
        text.push_str(
            "\nNot every outcome is known, so realised values favour what was shown (`known` is the share of places with a known outcome). If λ was randomised, `bench ope` estimates without this bias.",
        );
    }
    if report.basis == Basis::Realised
        && report.part == Parts::Test
        && report.chosen_on == report.part
    {
        text.push_str(
            "\nThe log has no tune part: the points were chosen and judged on the same outcomes, so they look better than they are.",
        );
    }
    if !report.baselines.is_empty() {
        text.push_str(&format!("\n\n{}", baseline_table(report)));
    }
    text
}

fn curve_table(swept: &Swept, report: &FrontReport) -> String {
    let weight = symbol(swept.question.swept);
    let values = |curve: usize| {
        report
            .grid
            .iter()
            .map(move |point| point.values[curve].value)
    };
    let says_something = |curve: &usize| {
        values(*curve).any(f64::is_finite)
            && !(report.curves[*curve].starts_with("known_")
                && values(*curve).all(|known| known == 0.0 || known == 1.0))
    };
    let shown: Vec<usize> = (0..report.curves.len()).filter(says_something).collect();
    let mut header = vec!["λ".to_owned(), weight];
    header.extend(
        shown
            .iter()
            .map(|&curve| report.curves[curve].replace('_', " ")),
    );
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |point: &GridPoint| {
        let mut cells = vec![
            format!("{:.4}", point.lambda),
            format!("{:.4}", point.weights[swept.question.swept]),
        ];
        cells.extend(shown.iter().map(|&curve| {
            let value = point.values[curve];
            format!("{:.4} ±{:.4}", value.value, 0.5 * (value.high - value.low))
        }));
        cells
    };
    table(&header, 0, rows(report).into_iter().map(row))
}

/// A dozen points of the grid, about evenly spaced in cost.
fn rows(report: &FrontReport) -> Vec<&GridPoint> {
    let cost = |point: &GridPoint| point.values[report.cost].value;
    let costs = || report.grid.iter().map(cost).filter(|cost| cost.is_finite());
    let (low, high) = (
        costs().fold(f64::INFINITY, f64::min),
        costs().fold(f64::NEG_INFINITY, f64::max),
    );
    let mut chosen: Vec<usize> = (0..ROWS)
        .filter_map(|row| {
            let wanted = high - (high - low) * row as f64 / (ROWS - 1) as f64;
            (0..report.grid.len()).min_by(|&a, &b| {
                let far = |i: usize| (cost(&report.grid[i]) - wanted).abs();
                far(a).total_cmp(&far(b))
            })
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|at| &report.grid[at]).collect()
}

fn baseline_table(report: &FrontReport) -> String {
    let z = counterweight_evaluation::normal_quantile(report.draws.level);
    let header = ["order", "outcome", "mean", "lift on random"];
    table(
        &header,
        2,
        report.baselines.iter().map(|row| {
            let mean = &row.mean;
            [
                row.order.clone(),
                row.objective.clone(),
                format!("{:.5} ±{:.5}", mean.value, z * mean.standard_error),
                format!(
                    "{:+.2} % ±{:.2}",
                    100.0 * mean.lift,
                    100.0 * z * mean.lift_error
                ),
            ]
        }),
    )
}
