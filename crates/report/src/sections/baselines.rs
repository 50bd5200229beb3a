//! What orders that need no weight achieve.

use counterweight_evaluation::{FrontReport, normal_quantile};

use crate::{
    document::{Block, Table, line},
    error::ReportError,
    words::display_name,
};

#[derive(askama::Template)]
#[template(path = "baselines.txt")]
struct Caption;

pub(super) fn blocks(front: &FrontReport) -> Result<Vec<Block>, ReportError> {
    if front.baselines.is_empty() {
        return Ok(Vec::new());
    }
    let z = normal_quantile(front.draws.level);
    let header = ["order", "outcome", "mean", "lift over random"];
    let mut table = Table::new(line(&Caption)?, header.map(str::to_owned).to_vec(), 2);
    table.rows = front
        .baselines
        .iter()
        .map(|row| {
            let mean = &row.mean;
            vec![
                display_name(&row.order),
                display_name(&row.objective),
                format!("{:.5} ±{:.5}", mean.value, z * mean.standard_error),
                format!(
                    "{:+.2} % ±{:.2}",
                    100.0 * mean.lift,
                    100.0 * z * mean.lift_error
                ),
            ]
        })
        .collect();
    Ok(vec![Block::Table(table)])
}
