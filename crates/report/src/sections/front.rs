//! The front: what each weight gains and costs.

use counterweight_chart::{Axis, Chart, Ink, Line, Mark};
use counterweight_evaluation::GridPoint;

use crate::{
    document::{Block, Plot, Table, line, paragraphs},
    error::ReportError,
    view::FrontView,
    words::{capitalised, part, percent, rounded, short, value_and_half},
};

/// Rows of the table.
const ROWS: usize = 12;
/// λ that are written along the curve.
const ROUND: [f64; 10] = [0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
/// How far apart they are at least, as a share of the chart.
const APART: f64 = 0.13;

#[derive(askama::Template)]
#[template(
    path = "front.txt",
    blocks = ["finding", "reading", "description", "words", "caption", "ends"]
)]
struct Prose {
    gain: String,
    cost: String,
    symbol: String,
    /// Between the symbol and λ.
    sign: &'static str,
    level: f64,
    part: &'static str,
    counted: String,
    breakpoints: usize,
    points: usize,
    hull: usize,
    hypervolume: String,
    rows: usize,
    trade: Option<Trade>,
    compared_with: Option<String>,
    ends: Option<[End; 2]>,
}

/// What one weight changes, in percent.
struct Trade {
    lambda: String,
    cost: String,
    gain: String,
    gain_falls: bool,
}

/// An end of the front.
struct End {
    gain: String,
    cost: String,
}

impl Prose {
    fn new(view: &FrontView<'_>) -> Self {
        let front = view.front;
        let trade = trade(view);
        let end = |point: &counterweight_evaluation::FrontPoint| End {
            gain: format!("{:.4}", point.gain),
            cost: format!("{:.4}", point.cost),
        };
        Self {
            gain: view.gain_name(),
            cost: view.cost_name(),
            symbol: view.symbol(),
            sign: if view.question.positive { "" } else { "−" },
            level: 100.0 * front.draws.level,
            part: part(front.part),
            counted: view.counted(),
            breakpoints: front.breakpoints,
            points: front.front_points,
            hull: front.hull.len(),
            hypervolume: format!("{:.4}", front.hypervolume),
            rows: ROWS,
            compared_with: trade.is_some().then(|| short(view.question.reference)),
            trade,
            ends: match front.hull.as_slice() {
                [low, .., high] => Some([end(low), end(high)]),
                _ => None,
            },
        }
    }
}

pub(super) fn blocks(view: &FrontView<'_>) -> Result<Vec<Block>, ReportError> {
    let prose = Prose::new(view);
    let plot = Plot {
        name: "front".to_owned(),
        chart: chart(view)?,
    };
    let mut blocks = vec![Block::Plots(vec![plot])];
    blocks.extend(paragraphs(&prose.as_words())?.into_iter().map(Block::Text));
    blocks.push(Block::Table(table(view, line(&prose.as_caption())?)));
    Ok(blocks)
}

/// What the ends of the front trade, in one sentence.
pub(super) fn ends(view: &FrontView<'_>) -> Result<String, ReportError> {
    line(&Prose::new(view).as_ends())
}

/// What the recommended weight changes, else the one that halves the cost or comes nearest to it.
fn trade(view: &FrontView<'_>) -> Option<Trade> {
    let now = view.nearest(view.question.reference)?;
    let [gain, cost] = [view.gain(now).value, view.cost(now).value];
    let half = |point: &&GridPoint| (view.cost(point).value - 0.5 * cost).abs();
    let point = match view.recommended {
        Some(own) => view.nearest(own.lambda)?,
        None => view.points().min_by(|a, b| half(a).total_cmp(&half(b)))?,
    };
    // The exact figures, where the recommendation is measured as the curve is.
    let [gain_change, cost_change] = match view.recommended {
        Some(own) if own.basis == view.front.basis => own.changes,
        _ => [
            view.gain(point).value / gain - 1.0,
            view.cost(point).value / cost - 1.0,
        ],
    };
    // A positive weight promotes the cost, and a change that rounds to 0 is not a finding.
    let is_finding = cost_change < -0.005 && gain_change.is_finite();
    is_finding.then(|| Trade {
        lambda: match view.recommended {
            Some(own) => short(own.lambda),
            None => rounded(point.lambda),
        },
        cost: percent(-cost_change),
        gain: percent(gain_change.abs()),
        gain_falls: gain_change <= 0.0,
    })
}

/// The front with its band, the weights now, those recommended, and a random order.
pub(crate) fn chart(view: &FrontView<'_>) -> Result<Chart, ReportError> {
    let prose = Prose::new(view);
    let at = |point: &GridPoint| (view.cost(point).value, view.gain(point).value);
    let mut points: Vec<&GridPoint> = view.points().collect();
    points.sort_by(|a, b| at(a).0.total_cmp(&at(b).0));
    let band = points.iter().map(|point| {
        let gain = view.gain(point);
        (at(point).0, gain.low, gain.high)
    });
    let [gain_ink, cost_ink] = view.inks();
    let mark = |label: String, ink: Ink, filled: bool, at: (f64, f64)| Mark {
        label,
        ink,
        filled,
        at,
        radius: 5.0,
        interval: None,
    };
    let mut marks = Vec::new();
    if let Some(now) = view.nearest(view.question.reference) {
        let label = format!("now, λ = {}", short(view.question.reference));
        marks.push(mark(label, Ink::Text, true, at(now)));
    }
    if let Some((lambda, point)) = view
        .recommended
        .and_then(|own| Some((own.lambda, view.nearest(own.lambda)?)))
    {
        // Where the curve has it: a recommendation may be measured by something else.
        let label = format!("recommended, λ = {}", short(lambda));
        marks.push(mark(label, Ink::Green, true, at(point)));
    }
    if let Some([gain, cost]) = view.random_order() {
        marks.push(mark(
            "random order".to_owned(),
            Ink::Quiet,
            true,
            (cost, gain),
        ));
    }
    for (lambda, point) in round_points(view, &marks) {
        let label = format!("λ = {}", short(lambda));
        let own = mark(label, gain_ink, false, at(point));
        marks.push(Mark { radius: 3.5, ..own });
    }
    let name = |name: &str| format!("{}, {}", capitalised(name), view.unit());
    Ok(Chart {
        title: line(&prose.as_finding())?,
        subtitle: line(&prose.as_reading())?,
        description: line(&prose.as_description())?,
        x: Axis {
            ink: cost_ink,
            ..Axis::named(&name(&prose.cost))
        },
        y: Axis {
            ink: gain_ink,
            ..Axis::named(&name(&prose.gain))
        },
        lines: vec![Line {
            ink: gain_ink,
            points: points.iter().map(|point| at(point)).collect(),
            band: band.collect(),
            ..Line::default()
        }],
        marks,
        ..Chart::default()
    })
}

/// Round λ whose points stand apart from what is marked and from one another.
fn round_points<'a>(view: &FrontView<'a>, marks: &[Mark]) -> Vec<(f64, &'a GridPoint)> {
    let Some(last) = view.points().next_back() else {
        return Vec::new();
    };
    let width = |of: &dyn Fn(&GridPoint) -> f64| {
        let low = view.points().map(of).fold(f64::INFINITY, f64::min);
        let high = view.points().map(of).fold(f64::NEG_INFINITY, f64::max);
        high - low
    };
    let cost = |point: &GridPoint| view.cost(point).value;
    let gain = |point: &GridPoint| view.gain(point).value;
    let widths = [width(&cost), width(&gain)];
    let mut taken: Vec<(f64, f64)> = marks.iter().map(|mark| mark.at).collect();
    let mut chosen = Vec::new();
    for lambda in ROUND.into_iter().filter(|own| *own <= last.lambda) {
        let Some(point) = view.nearest(lambda) else {
            continue;
        };
        let own = (cost(point), gain(point));
        let far = |other: &(f64, f64)| {
            ((other.0 - own.0) / widths[0]).hypot((other.1 - own.1) / widths[1]) >= APART
        };
        if taken.iter().all(far) {
            taken.push(own);
            chosen.push((lambda, point));
        }
    }
    chosen
}

fn table(view: &FrontView<'_>, caption: String) -> Table {
    let mut header = vec![
        "λ".to_owned(),
        view.symbol(),
        view.gain_name(),
        view.cost_name(),
    ];
    let mut curves = vec![view.front.gain, view.front.cost];
    let extra = [
        (view.curve(|name| name.starts_with("ndcg_")), "NDCG"),
        (view.curve(|name| name == "changed"), "pages changed"),
    ];
    for (curve, name) in extra {
        if let Some(curve) = curve {
            curves.push(curve);
            header.push(name.to_owned());
        }
    }
    let mut table = Table::new(caption, header, 0);
    let last = view.front.grid.last().map(|point| point.lambda);
    for point in rows(view) {
        // The last point represents every λ above the last breakpoint.
        let mut cells = match last == Some(point.lambda) {
            true => vec!["→ ∞".to_owned(), "–".to_owned()],
            false => vec![
                short(point.lambda),
                short(point.weights[view.question.swept]),
            ],
        };
        cells.extend(curves.iter().map(|curve| {
            let own = point.values[*curve];
            value_and_half(own.value, own.low, own.high)
        }));
        table.rows.push(cells);
    }
    table
}

/// Points of the grid, as evenly spaced in cost as they come.
fn rows<'a>(view: &FrontView<'a>) -> Vec<&'a GridPoint> {
    let cost = |point: &GridPoint| view.cost(point).value;
    let points: Vec<&GridPoint> = view.points().collect();
    let low = points
        .iter()
        .map(|point| cost(point))
        .fold(f64::INFINITY, f64::min);
    let high = points
        .iter()
        .map(|point| cost(point))
        .fold(f64::NEG_INFINITY, f64::max);
    let mut chosen: Vec<usize> = (0..ROWS)
        .filter_map(|row| {
            let wanted = high - (high - low) * row as f64 / (ROWS - 1) as f64;
            let far = |i: &usize| (cost(points[*i]) - wanted).abs();
            (0..points.len()).min_by(|a, b| far(a).total_cmp(&far(b)))
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|at| points[at]).collect()
}
