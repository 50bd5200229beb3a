//! The section that sets two models against one.

use counterweight_offline::{Comparison, OptionFront};

use super::{change, interval};
use crate::{
    ReportError,
    document::{Block, Table},
    plots::{self, said, short},
};

pub(super) fn blocks(own: &Comparison) -> Result<Vec<Block>, ReportError> {
    let mut blocks = vec![
        Block::Text(own.words()),
        Block::Plots(vec![plots::comparison(own)?]),
        Block::Table(points(own)),
    ];
    blocks.extend(levels(own));
    blocks.push(Block::Table(alone(own)));
    blocks.push(Block::List(cost_of_change(own)));
    blocks.push(Block::Text(fairness(own)));
    Ok(blocks)
}

fn points(own: &Comparison) -> Table {
    let [gain, cost] = own.objectives.each_ref().map(|name| said(name));
    let mut options: Vec<&OptionFront> = vec![&own.two, &own.one];
    options.extend(&own.oracle);
    let mut header = vec!["m : n".to_owned(), "λ".to_owned()];
    for option in &options {
        header.push(format!("{}: {gain}", option.name));
        header.push(cost.clone());
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = Table::new(
        &format!(
            "The test part, {:.0} % intervals over users. An asterisk: chosen on the tune part, on the hull of its option there. At one weight the two options stand at different points; only fronts can be compared.",
            100.0 * own.draws.level
        ),
        &header,
        1,
    );
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
    table
}

fn half(own: counterweight_offline::Interval) -> String {
    format!("{:.4} ±{:.4}", own.value, 0.5 * (own.high - own.low))
}

fn levels(own: &Comparison) -> Vec<Block> {
    let Some(shared) = &own.shared else {
        return Vec::new();
    };
    let [gain, cost] = own.objectives.each_ref().map(|name| said(name));
    let mut table = Table::new(
        &format!(
            "{gain} at equal {cost}, over the range that both fronts reach. Hypervolume there: {:.5} with two models and {:.5} with one, from the one reference ({gain} {:.4}, {cost} {:.4}); difference {}. IGD {:.5} and {:.5}.",
            own.two.hypervolume.unwrap_or(f64::NAN),
            own.one.hypervolume.unwrap_or(f64::NAN),
            shared.reference[0],
            shared.reference[1],
            change(shared.hypervolume_change),
            own.two.igd.unwrap_or(f64::NAN),
            own.one.igd.unwrap_or(f64::NAN),
        ),
        &[&cost, "two models", "one model", "two − one"],
        0,
    );
    for level in &shared.levels {
        table.rows.push(vec![
            format!("{:.4}", level.cost),
            format!("{:.4}", level.two),
            format!("{:.4}", level.one),
            change(level.change),
        ]);
    }
    table.rows.push(vec![
        "mean".to_owned(),
        String::new(),
        String::new(),
        change(shared.mean_change),
    ]);
    vec![Block::Table(table)]
}

fn alone(own: &Comparison) -> Table {
    let [gain, cost] = own.objectives.each_ref().map(|name| said(name));
    let mut table = Table::new(
        "Without weights, on the test part.",
        &["order", &gain, &cost],
        1,
    );
    for row in &own.baselines {
        table.rows.push(vec![
            said(&row.order),
            interval(row.gain),
            interval(row.cost),
        ]);
    }
    table
}

fn cost_of_change(own: &Comparison) -> Vec<String> {
    let retraining = own.retraining_seconds();
    let mut items = vec![format!(
        "To move the weight of one model it is trained again: {retraining:.2} s from the files to the artefact, the median of {} here, and {:.3} s to load and check it.",
        own.retraining.len().saturating_sub(2),
        own.deploy_seconds
    )];
    if let Some(set) = &own.set_weights {
        items.push(format!(
            "To move the weight of two models it is set: {:.3} ms, the median of {} ({:.3} ms at the 99th percentile; {}). That is {:.0} times less.",
            1e3 * set.median,
            set.changes,
            1e3 * set.p99,
            set.how,
            (retraining + own.deploy_seconds) / set.median
        ));
    }
    items
}

fn fairness(own: &Comparison) -> String {
    let outcomes = if own.truth {
        "Outcomes are the probabilities that the labels of this simulated log were drawn from, for all candidates.".to_owned()
    } else {
        format!(
            "Outcomes are labels; {} candidates without both labels are left out, and {} requests with fewer than two candidates that have them.",
            own.unlabelled, own.unjudged
        )
    };
    format!(
        "Both options have the same weights, rows, features, splits, folds, penalties to choose from and calibration rows. One model is trained on the combined loss m·BCE(f, {}) + n·BCE(f, not {}): every row m times with the one label and n times with the other flipped, under m + n times the penalty. {outcomes} Intervals draw the {} users of the test part anew, the same draw for both options; they do not cover that a model trained on another log would differ.",
        own.objectives[0], own.objectives[1], own.users[1]
    )
}
