//! Checks the attributes that segments may use although no model accepts them.

use std::collections::HashSet;

use super::problem::{Checked, problem};
use crate::config::types::{Objective, Source};

pub(in crate::config) fn attributes(
    attributes: &[String],
    objectives: &[Objective],
) -> Checked<()> {
    let mut names = HashSet::new();
    for (index, name) in attributes.iter().enumerate() {
        let key = format!("attributes[{index}]");
        if name.is_empty() {
            return problem(key, "is empty; name a tensor of the request");
        }
        if !names.insert(name) {
            return problem(key, format!("{name:?} is listed twice"));
        }
        let column = objectives.iter().find(
            |objective| matches!(&objective.source, Source::Column { name: column } if column == name),
        );
        if let Some(objective) = column {
            return problem(
                key,
                format!(
                    "{name:?} is the column of objective {:?} and cannot be an attribute too; leave it out",
                    objective.name
                ),
            );
        }
    }
    Ok(())
}
