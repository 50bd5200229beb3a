//! Why a log cannot be joined.

use std::path::{Path, PathBuf};

use counterweight_config::ConfigError;
use counterweight_dataset::DatasetError;
use counterweight_journal::JournalError;

/// Why a log cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The file of label rules is not valid TOML, or has an unknown key.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A label rule contradicts itself.
    #[error("{origin}: {element}: {problem}")]
    Rule {
        /// The file of the rules.
        origin: String,
        /// The wrong key.
        element: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The folder of a log cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A part cannot be read.
    #[error(transparent)]
    Part(#[from] DatasetError),
    /// A part lacks a column without which its rows mean nothing.
    #[error("{} has no column {column}; write it, or move the part away", file.display())]
    Missing {
        /// The part.
        file: PathBuf,
        /// The column, or the columns of which one is needed.
        column: String,
    },
    /// The rows of a ranking are not adjacent.
    #[error("the rows of ranking {ranking:?} are not adjacent in {}; sort the part by ranking", file.display())]
    Scattered {
        /// The part.
        file: PathBuf,
        /// The ranking.
        ranking: String,
    },
    /// Two parts have a column with different types.
    #[error(
        "column `{column}` is {found} in {} and {earlier_type} in {}; move one of the parts away",
        file.display(),
        earlier.display()
    )]
    Type {
        /// The column.
        column: String,
        /// A part that has it.
        file: PathBuf,
        /// Its type there.
        found: String,
        /// A part of the same hour that has it with another type.
        earlier: PathBuf,
        /// Its type there.
        earlier_type: String,
    },
    /// The output was joined by other rules.
    #[error(
        "{} was joined with other rules: {difference}; write to another folder, or remove this one and join again",
        out.display()
    )]
    OtherRules {
        /// The output.
        out: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The manifest cannot be understood.
    #[error("{}: {problem}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Another run writes into the output.
    #[error("another run writes into {}; wait until it has ended", out.display())]
    Locked {
        /// The output.
        out: PathBuf,
    },
    /// A file of the output cannot be read or written.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system or the writer says.
        problem: String,
    },
}

/// An error about a file of the output.
pub(crate) fn output<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> JoinError + use<E> {
    let path = path.to_owned();
    move |error| JoinError::Output {
        path: path.clone(),
        problem: error.to_string(),
    }
}
