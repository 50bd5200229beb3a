//! Two models and a weighted sum against one model of the combined loss.

use counterweight_chart::{Axis, Chart, Ink, Line, Mark};
use counterweight_evaluation::{Comparison, Interval, OptionFront, Verdict};

use crate::{
    document::{Block, Plot, Table, line, paragraphs},
    error::ReportError,
    words::{capitalised, change, display_name, interval, short, value_and_half},
};

#[derive(askama::Template)]
#[template(
    path = "comparison.txt",
    blocks = ["finding", "reading", "points", "levels", "orders", "effort", "fairness"]
)]
struct Prose<'a> {
    verdict: Verdict,
    gain: String,
    cost: String,
    weights: usize,
    level: f64,
    shared: Option<SharedRange>,
    retraining: String,
    trainings: usize,
    deploying: String,
    setting: Option<Setting<'a>>,
    objectives: &'a [String; 2],
    truth: bool,
    unlabelled: u64,
    unjudged: u64,
    users: usize,
}

/// Hypervolumes and distances in the range that both fronts reach.
struct SharedRange {
    two: String,
    one: String,
    reference_gain: String,
    reference_cost: String,
    change: String,
    igd_two: String,
    igd_one: String,
}

/// What setting a weight takes.
struct Setting<'a> {
    median: String,
    p99: String,
    changes: usize,
    how: &'a str,
    times: String,
}

impl<'a> Prose<'a> {
    fn new(own: &'a Comparison) -> Self {
        let [gain, cost] = own.objectives.each_ref().map(|name| display_name(name));
        let five = |value: Option<f64>| format!("{:.5}", value.unwrap_or(f64::NAN));
        let retraining = own.retraining_seconds();
        Self {
            verdict: own.verdict,
            gain,
            cost,
            weights: own.two.points.len(),
            level: 100.0 * own.draws.level,
            shared: own.shared.as_ref().map(|shared| SharedRange {
                two: five(own.two.hypervolume),
                one: five(own.one.hypervolume),
                reference_gain: format!("{:.4}", shared.reference[0]),
                reference_cost: format!("{:.4}", shared.reference[1]),
                change: change(shared.hypervolume_change),
                igd_two: five(own.two.igd),
                igd_one: five(own.one.igd),
            }),
            retraining: format!("{retraining:.2}"),
            trainings: own.retraining.len().saturating_sub(2),
            deploying: format!("{:.3}", own.deploy_seconds),
            setting: own.set_weights.as_ref().map(|set| Setting {
                median: format!("{:.3}", 1e3 * set.median),
                p99: format!("{:.3}", 1e3 * set.p99),
                changes: set.changes,
                how: &set.how,
                times: format!("{:.0}", (retraining + own.deploy_seconds) / set.median),
            }),
            objectives: &own.objectives,
            truth: own.truth,
            unlabelled: own.unlabelled,
            unjudged: own.unjudged,
            users: own.users[1],
        }
    }
}

pub(super) fn blocks(own: &Comparison) -> Result<Vec<Block>, ReportError> {
    let prose = Prose::new(own);
    let plot = Plot {
        name: "comparison".to_owned(),
        chart: chart(own, &prose)?,
    };
    let mut blocks = vec![
        Block::Text(own.words()),
        Block::Plots(vec![plot]),
        Block::Table(points(own, &prose)?),
    ];
    blocks.extend(levels(own, &prose)?.map(Block::Table));
    blocks.push(Block::Table(orders(own, &prose)?));
    blocks.push(Block::List(paragraphs(&prose.as_effort())?));
    blocks.push(Block::Text(line(&prose.as_fairness())?));
    Ok(blocks)
}

/// The fronts of two models, of one, and of the truth.
fn chart(own: &Comparison, prose: &Prose<'_>) -> Result<Chart, ReportError> {
    let sweep = own.sweep.iter().map(|point| (point.cost, point.gain));
    let mut lines = vec![Line {
        dashed: true,
        points: sweep.collect(),
        ..Line::default()
    }];
    let mut marks = Vec::new();
    let options: [(Option<&OptionFront>, Ink, &str); 3] = [
        (Some(&own.two), Ink::Text, "two models"),
        (Some(&own.one), Ink::Purple, "one model"),
        (own.oracle.as_ref(), Ink::Green, "oracle"),
    ];
    for (option, ink, label) in options {
        let Some(option) = option else { continue };
        let hull = option.hull.iter().map(|point| (point.cost, point.gain));
        lines.push(Line {
            label: label.to_owned(),
            ink,
            points: hull.collect(),
            ..Line::default()
        });
        marks.extend(option.points.iter().map(|point| Mark {
            ink,
            radius: 3.0,
            filled: point.chosen,
            at: (point.cost.value, point.gain.value),
            ..Mark::default()
        }));
    }
    if let Some(random) = own.baselines.iter().find(|row| row.order == "random") {
        marks.push(Mark {
            label: "random order".to_owned(),
            ink: Ink::Quiet,
            radius: 5.0,
            filled: true,
            at: (random.cost.value, random.gain.value),
            interval: None,
        });
    }
    let name = |name: &str| format!("{}, mean per page position", capitalised(name));
    Ok(Chart {
        title: line(&prose.as_finding())?,
        subtitle: line(&prose.as_reading())?,
        description: format!(
            "Fronts of two models and of one: {} over {}",
            prose.gain, prose.cost
        ),
        x: Axis {
            ink: Ink::Orange,
            ..Axis::named(&name(&prose.cost))
        },
        y: Axis {
            ink: Ink::Blue,
            ..Axis::named(&name(&prose.gain))
        },
        lines,
        marks,
        ..Chart::default()
    })
}

fn points(own: &Comparison, prose: &Prose<'_>) -> Result<Table, ReportError> {
    let options = [Some(&own.two), Some(&own.one), own.oracle.as_ref()];
    let options: Vec<&OptionFront> = options.into_iter().flatten().collect();
    let mut header = vec!["m : n".to_owned(), "λ".to_owned()];
    for option in &options {
        header.push(format!("{}: {}", option.name, prose.gain));
        header.push(prose.cost.clone());
    }
    let half = |own: Interval| value_and_half(own.value, own.low, own.high);
    let mut table = Table::new(line(&prose.as_points())?, header, 1);
    for (i, first) in own.two.points.iter().enumerate() {
        let mut row = vec![
            format!("{} : {}", first.weight[0], first.weight[1]),
            short(first.lambda),
        ];
        for option in &options {
            let point = &option.points[i];
            let star = if point.chosen { "*" } else { "" };
            row.push(format!("{}{star}", half(point.gain)));
            row.push(half(point.cost));
        }
        table.rows.push(row);
    }
    Ok(table)
}

fn levels(own: &Comparison, prose: &Prose<'_>) -> Result<Option<Table>, ReportError> {
    let Some(shared) = &own.shared else {
        return Ok(None);
    };
    let header = [&prose.cost, "two models", "one model", "two − one"];
    let header = header.map(str::to_owned).to_vec();
    let mut table = Table::new(line(&prose.as_levels())?, header, 0);
    for level in &shared.levels {
        let mut row = [level.cost, level.two, level.one]
            .map(|value| format!("{value:.4}"))
            .to_vec();
        row.push(change(level.change));
        table.rows.push(row);
    }
    let mean = change(shared.mean_change);
    table
        .rows
        .push(vec!["mean".to_owned(), String::new(), String::new(), mean]);
    Ok(Some(table))
}

fn orders(own: &Comparison, prose: &Prose<'_>) -> Result<Table, ReportError> {
    let header = ["order", &prose.gain, &prose.cost].map(str::to_owned);
    let mut table = Table::new(line(&prose.as_orders())?, header.to_vec(), 1);
    table.rows = own
        .baselines
        .iter()
        .map(|row| {
            vec![
                display_name(&row.order),
                interval(row.gain),
                interval(row.cost),
            ]
        })
        .collect();
    Ok(table)
}
