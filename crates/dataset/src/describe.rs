//! What a dataset holds, summed up for a person before anything is trained on it.

mod column;
mod table;

use std::collections::HashSet;

use counterweight_model::Side;
use serde::Serialize;

use crate::{
    Counts, Dataset, DatasetError, IdColumn, Labels, Loaded, Part, Role, loaded::Targets, schema,
};

pub use table::Table;

/// The summary. Everything but the objectives counts all rows that pass the dataset's own filters.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// The dataset's name.
    pub name: String,
    /// File names, without folders, in reading order.
    pub files: Vec<String>,
    /// Rows of all files.
    pub rows_read: u64,
    /// Rows that the dataset's own filters leave out.
    pub rows_filtered: u64,
    /// Rows that pass them.
    pub rows: u64,
    /// Rows read in which broken UTF-8 was replaced.
    pub lossy_rows: u64,
    /// Rows whose request and candidate an earlier row has; none without a candidate column.
    pub duplicates: Option<usize>,
    /// Distinct values of each role column.
    pub roles: Vec<RoleDescription>,
    /// One per input, in the description's order.
    pub columns: Vec<ColumnDescription>,
    /// One per objective.
    pub objectives: Vec<ObjectiveDescription>,
}

/// One role column.
#[derive(Debug, Clone, Serialize)]
pub struct RoleDescription {
    /// The role.
    pub role: Role,
    /// Its column.
    pub column: String,
    /// Rows without a value.
    pub missing: usize,
    /// Distinct values.
    pub distinct: usize,
}

/// One input column.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnDescription {
    /// The input.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its side.
    pub side: Side,
    /// Whether no file has the column (of optional inputs only).
    pub absent: bool,
    /// Rows without a value.
    pub missing: usize,
    /// Distinct values; of lists, distinct elements; none of vectors.
    pub distinct: Option<usize>,
    /// Smallest and largest value and the mean, of numbers.
    pub range: Option<Range>,
    /// The most frequent values, of text, categories and lists.
    pub examples: Vec<String>,
}

/// Where the numbers of a column lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
}

/// One objective.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectiveDescription {
    /// The objective.
    pub name: String,
    /// Its label rule in words.
    pub rule: String,
    /// Where the rows went.
    pub counts: Counts,
    /// The training median, where the rule has one.
    pub threshold: Option<f64>,
    /// Why no model can be trained on it, such as only one class.
    pub problem: Option<String>,
    /// The parts that have rows.
    pub parts: Vec<PartDescription>,
    /// SHA-256 of the content of the rows.
    pub fingerprint: String,
}

/// One part of an objective's rows.
#[derive(Debug, Clone, Serialize)]
pub struct PartDescription {
    /// The part.
    pub part: Part,
    /// Its rows.
    pub rows: usize,
    /// Its groups: the distinct values of the group column, else its rows.
    pub groups: usize,
    /// Rows with label 1.
    pub positives: usize,
    /// `positives / rows`.
    pub rate: f64,
}

/// Reads the dataset and sums it up: once for the columns, and the labels alone once per objective.
///
/// # Errors
/// As [`Dataset::load`]; labels of one class are no error here, but told in [`ObjectiveDescription::problem`].
pub fn describe(dataset: &Dataset) -> Result<Description, DatasetError> {
    let inputs = schema::inputs(&dataset.spec, &dataset.origin)?;
    let plan = dataset.plan_without_label(inputs.clone(), &[]);
    let gathered = dataset.gather(&plan)?;
    let described = |(input, values)| column::describe(input, values, gathered.parts.len());
    let files = dataset.files()?;
    let file_name = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    Ok(Description {
        name: dataset.name().to_owned(),
        files: files.iter().map(file_name).collect(),
        rows_read: gathered.counts.read,
        rows_filtered: gathered.counts.filtered,
        rows: gathered.counts.kept,
        lossy_rows: gathered.lossy_rows,
        duplicates: duplicates(&gathered.ids),
        roles: gathered.ids.iter().map(role).collect(),
        columns: inputs
            .iter()
            .zip(&gathered.columns)
            .map(described)
            .collect(),
        objectives: dataset
            .objectives()
            .into_iter()
            .map(|name| objective(dataset, name))
            .collect::<Result<_, _>>()?,
    })
}

fn role(ids: &IdColumn) -> RoleDescription {
    let present = ids.values.iter().filter(|value| !value.is_empty());
    RoleDescription {
        role: ids.role,
        column: ids.column.clone(),
        missing: ids.values.iter().filter(|value| value.is_empty()).count(),
        distinct: present.collect::<HashSet<_>>().len(),
    }
}

fn duplicates(ids: &[IdColumn]) -> Option<usize> {
    let of = |role| {
        ids.iter()
            .find(|ids| ids.role == role)
            .map(|ids| &ids.values)
    };
    let candidates = of(Role::Candidate)?;
    let mut seen = HashSet::new();
    let repeated = (0..candidates.len()).filter(|&row| {
        let request = of(Role::Request).map_or("", |requests| requests[row].as_str());
        !seen.insert((request, candidates[row].as_str()))
    });
    Some(repeated.count())
}

fn objective(dataset: &Dataset, name: &str) -> Result<ObjectiveDescription, DatasetError> {
    let loaded = dataset.load_labels(name)?;
    let (labels, problem) = match loaded.labels(&loaded.part(Part::Train)) {
        Ok(labels) => (labels, None),
        Err(error) => (unusable(&loaded), Some(error.to_string())),
    };
    let parts = Part::ALL
        .into_iter()
        .map(|part| part_of(&loaded, part, &labels.values));
    Ok(ObjectiveDescription {
        name: name.to_owned(),
        rule: dataset.label_rule(name)?,
        counts: loaded.counts,
        threshold: labels.threshold,
        problem,
        parts: parts.filter(|part| part.rows > 0).collect(),
        fingerprint: loaded.fingerprint,
    })
}

/// Labels to count although nothing can be trained on them.
fn unusable(loaded: &Loaded) -> Labels {
    let values = match &loaded.targets {
        Targets::Fixed(values) => values.clone(),
        Targets::AboveMedian(values) => vec![false; values.len()],
    };
    Labels {
        values,
        threshold: None,
    }
}

fn part_of(loaded: &Loaded, part: Part, labels: &[bool]) -> PartDescription {
    let rows = loaded.part(part);
    let positives = rows.iter().filter(|&&row| labels[row]).count();
    PartDescription {
        part,
        rows: rows.len(),
        groups: rows
            .iter()
            .map(|&row| loaded.groups[row])
            .collect::<HashSet<_>>()
            .len(),
        positives,
        rate: positives as f64 / rows.len().max(1) as f64,
    }
}
