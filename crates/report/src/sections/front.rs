//! The sections of the front and of orders that need no weights.

use counterweight_offline::{Basis, FrontReport, GridPoint, normal_quantile};
use counterweight_ranking::symbol;

use crate::{
    Report,
    document::{Block, Table},
    plots::{said, short},
};

/// Rows of the table of the front.
const ROWS: usize = 12;

pub(super) fn words(report: &Report, front: &FrontReport) -> String {
    let [gain, cost] = report.gain_and_cost();
    format!(
        "Every candidate's score is a straight line in λ, so pages change at {} values of λ on this part and nowhere else: the curves are exact, no grid was chosen. The front, by {}, has {} points that nothing dominates, {} of them on its convex hull (each is best at some exchange rate of {} for {}); hypervolume {:.4}, up from gain 0 and down from cost 1.",
        front.breakpoints,
        counted(report, front),
        front.front_points,
        front.hull.len(),
        said(&gain),
        said(&cost),
        front.hypervolume
    )
}

/// What the ends of the front trade.
pub(super) fn reach(report: &Report, front: &FrontReport) -> String {
    let [gain, cost] = report.gain_and_cost();
    match (front.hull.first(), front.hull.last()) {
        (Some(low), Some(high)) if front.hull.len() > 1 => format!(
            "The front reaches from {cost} {:.4} with {gain} {:.4} to {cost} {:.4} with {gain} {:.4}, by {}.",
            low.cost,
            low.gain,
            high.cost,
            high.gain,
            counted(report, front),
            gain = said(&gain),
            cost = said(&cost),
        ),
        _ => "One point is best at every weight: on this log there is nothing to trade.".to_owned(),
    }
}

pub(super) fn table(report: &Report, front: &FrontReport) -> Table {
    let [gain, cost] = report.gain_and_cost();
    let swept = report.question.as_ref().map_or(1, |asked| asked.swept);
    let changed = front.curves.iter().position(|name| name == "changed");
    let ndcg = front
        .curves
        .iter()
        .position(|name| name.starts_with("ndcg_"));
    let mut header = vec!["λ".to_owned(), symbol(swept), said(&gain), said(&cost)];
    let extra: Vec<usize> = ndcg.into_iter().chain(changed).collect();
    for curve in &extra {
        header.push(match front.curves[*curve].as_str() {
            "changed" => "pages changed".to_owned(),
            _ => "NDCG".to_owned(),
        });
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(
        &format!(
            "A dozen λ, evenly over what {} costs. ± is half of the {:.0} % band of the whole curve.",
            said(&cost),
            100.0 * front.draws.level
        ),
        &header,
        0,
    );
    for point in rows(front) {
        let cell = |curve: usize| {
            let value = point.values[curve];
            if value.value.is_nan() {
                return "–".to_owned();
            }
            format!("{:.4} ±{:.4}", value.value, 0.5 * (value.high - value.low))
        };
        // The last point stands for all λ above the last breakpoint.
        let limit = front
            .grid
            .last()
            .is_some_and(|last| last.lambda == point.lambda);
        let mut cells = vec![
            if limit {
                "→ ∞".to_owned()
            } else {
                short(point.lambda)
            },
            if limit {
                "–".to_owned()
            } else {
                short(point.weights[swept])
            },
            cell(front.gain),
            cell(front.cost),
        ];
        cells.extend(extra.iter().map(|curve| cell(*curve)));
        table.rows.push(cells);
    }
    table
}

/// Points of the grid, as even in cost as they come.
fn rows(front: &FrontReport) -> Vec<&GridPoint> {
    let cost = |point: &GridPoint| point.values[front.cost].value;
    let costs = || front.grid.iter().map(cost).filter(|cost| cost.is_finite());
    let low = costs().fold(f64::INFINITY, f64::min);
    let high = costs().fold(f64::NEG_INFINITY, f64::max);
    let mut chosen: Vec<usize> = (0..ROWS)
        .filter_map(|row| {
            let wanted = high - (high - low) * row as f64 / (ROWS - 1) as f64;
            let far = |i: &usize| (cost(&front.grid[*i]) - wanted).abs();
            (0..front.grid.len()).min_by(|a, b| far(a).total_cmp(&far(b)))
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|at| &front.grid[at]).collect()
}

pub(super) fn baselines(front: &FrontReport) -> Vec<Block> {
    if front.baselines.is_empty() {
        return Vec::new();
    }
    let z = normal_quantile(front.draws.level);
    let mut table = Table::new(
        "Requests all of whose outcomes are known; ties are averaged over all their orders.",
        &["order", "outcome", "mean", "lift on random"],
        2,
    );
    for row in &front.baselines {
        table.rows.push(vec![
            said(&row.order),
            said(&row.objective),
            format!("{:.5} ±{:.5}", row.mean.value, z * row.mean.standard_error),
            format!(
                "{:+.2} % ±{:.2}",
                100.0 * row.mean.lift,
                100.0 * z * row.mean.lift_error
            ),
        ]);
    }
    vec![Block::Table(table)]
}

/// What gain and cost are counted in. An objective without any outcome is counted by its model beside one that has some.
pub(super) fn counted(report: &Report, front: &FrontReport) -> String {
    let predicted = |curve: usize| front.curves[curve].starts_with("predicted_");
    let [gain, cost] = report.gain_and_cost();
    match front.basis {
        Basis::Realised if predicted(front.cost) && !predicted(front.gain) => format!(
            "what came of it of {}, and what its model predicts of {}",
            said(&gain),
            said(&cost)
        ),
        own => super::basis(own).to_owned(),
    }
}
