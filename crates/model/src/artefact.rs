//! A model on disk: written whole or not at all, and read only when every byte is as it was written.
//!
//! A *model folder* holds one folder per version and a text file `LATEST` that names the newest. A *version folder* holds
//! `model.json`, `MODEL_CARD.md` and `MANIFEST.json`, which has the SHA-256 of the others. The version is a hash of the content.

use std::path::Path;

use crate::{Model, ModelError, Report};

/// Newest format this crate writes and reads.
pub const FORMAT_VERSION: u64 = 1;

/// A model with its report and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Artefact {
    /// The model.
    pub model: Model,
    /// How it was trained and how well it does.
    pub report: Report,
    /// First 16 hexadecimal digits of the SHA-256 of its content.
    pub version: String,
}

impl Artefact {
    /// Writes a new version into the model folder `dir` (made if need be) and then points `LATEST` to it. Saving the same content
    /// again gives the same version and the same bytes.
    ///
    /// # Errors
    /// [`ModelError::Io`] names the file or folder that could not be written; nothing half-written is visible then.
    pub fn save(
        _model: Model,
        _report: Report,
        _card: &str,
        _dir: &Path,
    ) -> Result<Self, ModelError> {
        todo!()
    }

    /// Reads a version folder, or the latest version of a model folder, and checks every hash.
    ///
    /// # Errors
    /// [`ModelError::NoModel`], [`ModelError::Corrupt`], [`ModelError::NewerFormat`] or [`ModelError::Io`], each naming the file.
    pub fn load(_dir: &Path) -> Result<Self, ModelError> {
        todo!()
    }
}

/// Versions in a model folder, sorted; temporary and foreign folders are passed over. Their content is not checked.
///
/// # Errors
/// [`ModelError::Io`] when the folder cannot be listed.
pub fn versions(_dir: &Path) -> Result<Vec<String>, ModelError> {
    todo!()
}

/// The version that a model folder's `LATEST` names; `None` when there is no such file.
///
/// # Errors
/// [`ModelError::Io`] or, for a file that names no version, [`ModelError::Corrupt`].
pub fn latest(_dir: &Path) -> Result<Option<String>, ModelError> {
    todo!()
}
