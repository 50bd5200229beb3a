//! Describes files that follow `data/SCHEMA.md` by the names of their columns.

use std::path::PathBuf;

use counterweight_dataset::{Dataset, DatasetBuilder, DatasetError, Role};

use crate::columns;

/// The description of an impression log with these columns.
pub(crate) fn describe(files: &[PathBuf], has: &[String]) -> Result<Dataset, DatasetError> {
    let files = files.iter().map(|file| file.to_string_lossy());
    let mut builder = DatasetBuilder::new("log", files);
    if has.is_empty() {
        return builder.build();
    }
    let has_column = |column: &str| has.iter().any(|own| own == column);
    // A caller may send a request id twice; the ranking's is unique.
    let request = match has_column(columns::RANKING) {
        true => columns::RANKING,
        false => columns::REQUEST,
    };
    // Users may see a candidate elsewhere. Where λ was drawn, the page that the draw gave counts.
    let seen = has_column(columns::SHOWN_POSITION) && !has_column(columns::LAMBDA_LOW);
    let position = match seen {
        true => columns::SHOWN_POSITION,
        false => columns::POSITION,
    };
    let roles = [
        (Role::Request, request),
        (Role::User, columns::USER),
        (Role::Candidate, columns::CANDIDATE),
        (Role::Position, position),
    ];
    for (role, column) in roles {
        // Request and candidate are required: if they are absent, reading reports it.
        if matches!(role, Role::Request | Role::Candidate) || has_column(column) {
            builder = builder.role(role, column);
        }
    }
    for objective in has
        .iter()
        .filter_map(|column| columns::objective_of(column))
    {
        let label = columns::label(objective);
        if has.contains(&label) {
            builder = builder.objective(objective, &label);
        }
    }
    builder.build()
}
