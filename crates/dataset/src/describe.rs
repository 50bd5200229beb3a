//! Summarises a dataset for a person, before a model is trained on it.

mod column;
mod description;
mod table;

use std::collections::HashSet;

use crate::{
    Dataset, DatasetError, IdColumn, Labels, Loaded, Part, Role, loaded::Targets, moment::Moment,
    schema,
};

pub use description::{
    ColumnDescription, Description, ObjectiveDescription, PartDescription, Range, RoleDescription,
};
pub use table::Table;

/// Reads the dataset once for the columns, and once per objective for its labels, and summarises
/// both.
///
/// # Errors
/// As [`Dataset::load`]. Labels of a single class are not an error; they are reported in
/// [`ObjectiveDescription::problem`].
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
    let values_of = |role| {
        ids.iter()
            .find(|ids| ids.role == role)
            .map(|ids| &ids.values)
    };
    let candidates = values_of(Role::Candidate)?;
    let mut seen = HashSet::new();
    let repeated = (0..candidates.len()).filter(|&row| {
        let request = values_of(Role::Request).map_or("", |requests| requests[row].as_str());
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
        .map(|part| describe_part(&loaded, part, &labels.values));
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

/// Labels for the counts of an objective on which no model can be trained.
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

fn describe_part(loaded: &Loaded, part: Part, labels: &[bool]) -> PartDescription {
    let rows = loaded.part(part);
    let time = |&row: &usize| loaded.times.get(row).copied().flatten();
    let times: Vec<Moment> = rows.iter().filter_map(time).collect();
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
        first_time: times.iter().min().map(ToString::to_string),
        last_time: times.iter().max().map(ToString::to_string),
    }
}
