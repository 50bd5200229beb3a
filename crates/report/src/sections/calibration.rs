//! How far the probabilities can be believed.

use counterweight_chart::{Axis, Chart, Ink, Line, Mark};
use counterweight_evaluation::Calibration;

use crate::{
    document::{Block, Plot, Table, line},
    error::ReportError,
    report::Report,
    view::ink,
    words::display_name,
};

#[derive(askama::Template)]
#[template(path = "calibration.txt", blocks = ["finding", "reading", "caption"])]
struct Prose<'a> {
    objective: String,
    predicted: String,
    realised: String,
    ece: String,
    rows: &'a str,
}

impl<'a> Prose<'a> {
    fn new(own: &'a Calibration) -> Self {
        let figure = |value: f64| format!("{value:.4}");
        Self {
            objective: display_name(&own.objective),
            predicted: figure(own.predicted),
            realised: figure(own.realised),
            ece: figure(own.ece),
            rows: &own.rows,
        }
    }
}

pub(super) fn blocks(report: &Report) -> Result<Vec<Block>, ReportError> {
    let Some(first) = report.calibration.first() else {
        return Ok(Vec::new());
    };
    let plots: Result<Vec<Plot>, ReportError> = report
        .calibration
        .iter()
        .enumerate()
        .map(|(at, own)| {
            let mut names = report.objectives.iter();
            let place = names.position(|objective| objective.name == own.objective);
            plot(own, at + 1, ink(place.unwrap_or(at)))
        })
        .collect();
    let header = [
        "objective",
        "predicted",
        "observed",
        "calibration error",
        "AUC",
        "log loss",
    ];
    let header = header.map(str::to_owned).to_vec();
    let mut table = Table::new(line(&Prose::new(first).as_caption())?, header, 1);
    let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.4}"));
    table.rows = report
        .calibration
        .iter()
        .map(|own| {
            let prose = Prose::new(own);
            vec![
                prose.objective,
                prose.predicted,
                prose.realised,
                prose.ece,
                figure(own.auc),
                figure(own.log_loss),
            ]
        })
        .collect();
    Ok(vec![Block::Plots(plots?), Block::Table(table)])
}

/// What was observed over what was predicted, one point per bin.
fn plot(own: &Calibration, number: usize, ink: Ink) -> Result<Plot, ReportError> {
    let prose = Prose::new(own);
    let most = own
        .bins
        .iter()
        .map(|bin| bin.mean_probability.max(bin.positive_rate));
    let most = (1.1 * most.fold(0.0, f64::max)).clamp(0.05, 1.0);
    let marks = own.bins.iter().map(|bin| Mark {
        ink,
        radius: 4.0,
        filled: true,
        at: (bin.mean_probability, bin.positive_rate),
        interval: Some(two_errors(bin.positive_rate, bin.rows)),
        ..Mark::default()
    });
    let range = Some((0.0, most));
    let axis = |name: String| Axis {
        range,
        ..Axis::named(&name)
    };
    Ok(Plot {
        name: format!("calibration-{number}"),
        chart: Chart {
            title: line(&prose.as_finding())?,
            subtitle: line(&prose.as_reading())?,
            description: format!("Calibration of {}", prose.objective),
            x: axis(format!("Predicted P({})", prose.objective)),
            y: axis("Observed share".to_owned()),
            lines: vec![Line {
                ink: Ink::Quiet,
                dashed: true,
                points: vec![(0.0, 0.0), (most, most)],
                ..Line::default()
            }],
            marks: marks.collect(),
            ..Chart::default()
        },
    })
}

/// Two standard errors of a share on either side: a rough guide for the eye.
fn two_errors(share: f64, rows: u64) -> (f64, f64) {
    let variance = share * (1.0 - share) / rows as f64;
    let error = 2.0 * variance.max(0.0).sqrt();
    ((share - error).max(0.0), (share + error).min(1.0))
}
