//! What to find and to keep when the files are read once.

use counterweight_model::{Input, Kind};

use crate::{
    Role,
    pieces::{Needed, Shape},
    spec::{Filter, LabelSpec},
    split::Splitter,
};

/// The plan for one pass over the files.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) inputs: Vec<Input>,
    /// Inputs whose column in the files has another name, and that name.
    pub(crate) renamed: Vec<(String, String)>,
    pub(crate) roles: Vec<(Role, String)>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) label: Option<LabelSpec>,
    pub(crate) splitter: Splitter,
    /// The share of training negatives to keep, and the seed of the draw.
    pub(crate) negatives: Option<(f64, u64)>,
    /// Whether to keep the time of each row.
    pub(crate) with_times: bool,
}

impl Plan {
    /// The column in the files of an input.
    pub(crate) fn file_column<'a>(&'a self, input: &'a str) -> &'a str {
        let renamed = self.renamed.iter().find(|(name, _)| name == input);
        renamed.map_or(input, |(_, column)| column)
    }

    /// The columns that the files must have, without duplicates.
    pub(crate) fn needed(&self) -> Vec<Needed> {
        let inputs = self.inputs.iter().map(|input| Needed {
            column: self.file_column(&input.name).to_owned(),
            needed_as: "input".into(),
            optional: input.optional,
            shape: match input.kind {
                Kind::List => Shape::Strings,
                Kind::Vector { .. } => Shape::Numbers,
                _ => Shape::Scalar,
            },
        });
        let roles = self
            .roles
            .iter()
            .map(|(role, column)| scalar(column, role.name()));
        let filters = self.filters.iter().map(Filter::needed);
        let labels = self.label.iter().flat_map(LabelSpec::needed);
        let split = match &self.splitter {
            Splitter::AllTrain => None,
            Splitter::Hash { column, .. } => column.as_ref(),
            Splitter::Time { column, .. } | Splitter::Column(column) => Some(column),
        };
        let split = split.map(|column| scalar(column, "split"));
        let mut needed: Vec<Needed> = Vec::new();
        for column in inputs
            .chain(roles)
            .chain(filters)
            .chain(labels)
            .chain(split)
        {
            match needed
                .iter_mut()
                .find(|earlier| earlier.column == column.column)
            {
                Some(earlier) => earlier.optional &= column.optional,
                None => needed.push(column),
            }
        }
        needed
    }
}

fn scalar(column: &str, needed_as: &str) -> Needed {
    Needed {
        column: column.to_owned(),
        needed_as: needed_as.to_owned(),
        optional: false,
        shape: Shape::Scalar,
    }
}
