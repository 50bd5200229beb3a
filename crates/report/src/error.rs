//! The ways in which a report cannot be made.

use std::path::PathBuf;

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The text of a template could not be written.
    #[error("cannot write the report: {0}")]
    Template(#[from] askama::Error),
    /// A file could not be written.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}
