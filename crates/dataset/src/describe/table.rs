//! The summary as text tables.

use serde::Serialize;

use super::description::{ColumnDescription, Description, ObjectiveDescription};
use crate::Role;

/// A text table. Each row has as many cells as the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    fn new(title: impl Into<String>, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self {
            title: title.into(),
            header: header.iter().map(ToString::to_string).collect(),
            rows,
        }
    }
}

impl Description {
    /// The summary for a person: the dataset, its inputs, and the parts and labels of each
    /// objective.
    pub fn tables(&self) -> Vec<Table> {
        let columns = self.columns.iter().map(column).collect();
        let header = [
            "input",
            "kind",
            "side",
            "missing",
            "distinct",
            "min",
            "mean",
            "max",
            "most frequent",
        ];
        let mut tables = vec![self.overview(), Table::new("inputs", &header, columns)];
        tables.extend(self.objectives.iter().map(objective));
        tables
    }

    fn overview(&self) -> Table {
        let mut rows: Vec<Vec<String>> = vec![
            vec!["files".into(), self.files.join(", ")],
            vec!["rows read".into(), self.rows_read.to_string()],
            vec!["rows filtered".into(), self.rows_filtered.to_string()],
            vec!["rows kept".into(), self.rows.to_string()],
            vec![
                "rows with broken UTF-8 replaced".into(),
                self.lossy_rows.to_string(),
            ],
        ];
        if let Some(duplicates) = self.duplicates {
            rows.push(vec![
                "repeated request and candidate".into(),
                duplicates.to_string(),
            ]);
        }
        for role in &self.roles {
            let missing = match (role.missing, role.role) {
                (0, _) => String::new(),
                (missing, Role::Group) => {
                    format!(", {missing} rows without a group, each its own group")
                }
                (missing, _) => format!(", {missing} missing"),
            };
            let text = format!("{}: {} distinct{missing}", role.column, role.distinct);
            rows.push(vec![role.role.name().into(), text]);
        }
        Table::new(&self.name, &["dataset", ""], rows)
    }
}

fn column(column: &ColumnDescription) -> Vec<String> {
    let number = |value: Option<f64>| {
        value.map_or_else(String::new, |value| {
            format!("{value:.6}")
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        })
    };
    vec![
        column.name.clone(),
        column.kind.clone(),
        match column.side {
            counterweight_model::Side::Candidate => "candidate".into(),
            counterweight_model::Side::Context => "context".into(),
        },
        if column.absent {
            "absent".into()
        } else {
            column.missing.to_string()
        },
        column
            .distinct
            .map_or_else(String::new, |distinct| distinct.to_string()),
        number(column.range.map(|range| range.min)),
        number(column.range.map(|range| range.mean)),
        number(column.range.map(|range| range.max)),
        column.examples.join(" | "),
    ]
}

fn objective(objective: &ObjectiveDescription) -> Table {
    let counts = &objective.counts;
    let threshold = objective
        .threshold
        .map_or_else(String::new, |threshold| format!(", median {threshold:.6}"));
    let problem = objective
        .problem
        .as_ref()
        .map_or_else(String::new, |problem| format!("; {problem}"));
    let title = format!(
        "{} = {}{threshold} ({} kept, {} filtered, {} without a label, {} in no part, \
         {} sampled out){problem}",
        objective.name,
        objective.rule,
        counts.kept,
        counts.filtered,
        counts.unlabelled,
        counts.unassigned,
        counts.sampled_out,
    );
    let timed = objective.parts.iter().any(|part| part.first_time.is_some());
    let mut header = vec!["part", "rows", "groups", "positives", "label rate"];
    if timed {
        header.extend(["first time", "last time"]);
    }
    let rows = objective.parts.iter().map(|part| {
        let mut cells = vec![
            part.part.name().to_owned(),
            part.rows.to_string(),
            part.groups.to_string(),
            part.positives.to_string(),
            format!("{:.4}", part.rate),
        ];
        if timed {
            let times = [&part.first_time, &part.last_time];
            cells.extend(times.map(|time| time.clone().unwrap_or_default()));
        }
        cells
    });
    Table::new(title, &header, rows.collect())
}
