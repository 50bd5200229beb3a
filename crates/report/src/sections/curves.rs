//! Gain and cost over λ, and how many pages change.

use counterweight_chart::{Axis, Chart, Ink, Line};
use counterweight_evaluation::GridPoint;

use crate::{
    document::{Block, Plot, line},
    error::ReportError,
    view::FrontView,
    words::{capitalised, percent, rounded, short},
};

#[derive(askama::Template)]
#[template(
    path = "curves.txt",
    blocks = ["finding", "reading", "changed", "changed_reading"]
)]
struct Prose {
    gain: String,
    cost: String,
    level: f64,
    /// The share of the possible change, in percent, that is reached at `settled`.
    share: usize,
    settled: Option<String>,
    /// λ, and the share of pages that change there.
    changed: Option<(String, String)>,
    reference: String,
}

pub(super) fn blocks(view: &FrontView<'_>) -> Result<Vec<Block>, ReportError> {
    let reference = view.question.reference;
    let changed = view.curve(|name| name == "changed");
    let settled = view.settled();
    let recommended = view.recommended.map(|own| own.lambda);
    let shown = recommended.or(settled).and_then(|lambda| {
        let share = view.nearest(lambda)?.values[changed?].value;
        let lambda = recommended.map_or_else(|| rounded(lambda), short);
        Some((lambda, percent(share)))
    });
    let prose = Prose {
        gain: view.gain_name(),
        cost: view.cost_name(),
        level: 100.0 * view.front.draws.level,
        share: 95,
        settled: settled.map(rounded),
        changed: shown,
        reference: short(reference),
    };
    let end = [1.5 * reference, 1.5 * recommended.unwrap_or(0.0)]
        .into_iter()
        .fold(settled.unwrap_or(1.0), f64::max);
    let [gain_ink, cost_ink] = view.inks();
    let x = Axis::named(&format!(
        "λ: {} given up per {} avoided",
        prose.gain, prose.cost
    ));
    let chart = |name: &str, title, subtitle, y: Axis, lines| Plot {
        name: name.to_owned(),
        chart: Chart {
            description: format!("{} over λ", y.name),
            title,
            subtitle,
            x: x.clone(),
            y,
            lines,
            ..Chart::default()
        },
    };
    let mut plots = vec![chart(
        "curves",
        line(&prose.as_finding())?,
        line(&prose.as_reading())?,
        Axis::named(&capitalised(view.unit())),
        vec![
            curve(view, &prose.gain, gain_ink, view.front.gain, end),
            curve(view, &prose.cost, cost_ink, view.front.cost, end),
        ],
    )];
    if let Some(changed) = changed {
        plots.push(chart(
            "changed",
            line(&prose.as_changed())?,
            line(&prose.as_changed_reading())?,
            Axis::named("Share of requests whose page changes"),
            vec![curve(view, "", Ink::Text, changed, end)],
        ));
    }
    Ok(vec![Block::Plots(plots)])
}

/// One curve over λ, up to `end`: a few late breakpoints must not squeeze the rest.
fn curve(view: &FrontView<'_>, label: &str, ink: Ink, curve: usize, end: f64) -> Line {
    let usable = |point: &&GridPoint| point.lambda <= end && point.values[curve].value.is_finite();
    let points: Vec<&GridPoint> = view.front.grid.iter().filter(usable).collect();
    Line {
        label: label.to_owned(),
        ink,
        points: points
            .iter()
            .map(|point| (point.lambda, point.values[curve].value))
            .collect(),
        band: points
            .iter()
            .map(|point| {
                (
                    point.lambda,
                    point.values[curve].low,
                    point.values[curve].high,
                )
            })
            .collect(),
        ..Line::default()
    }
}
