//! Descriptions and files in a temporary folder.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test programs, each of which uses a part"
)]

use std::path::Path;

use counterweight_dataset::{Dataset, DatasetError, Loaded};
use tempfile::TempDir;

/// A folder of files that a description refers to.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with one file.
    pub fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        folder.write(name, content);
        folder
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn dataset(&self, description: &str) -> Result<Dataset, DatasetError> {
        Dataset::parse(description, "test.toml", self.path())
    }

    /// Loads the objective `bait`.
    pub fn load(&self, description: &str) -> Result<Loaded, DatasetError> {
        self.dataset(description)?.load("bait")
    }

    /// The message of the error with which loading fails.
    pub fn error(&self, description: &str) -> String {
        match self.load(description) {
            Ok(loaded) => panic!("no error, but {:?}", loaded.counts),
            Err(error) => error.to_string(),
        }
    }
}

/// A description of `files` with the objective `bait` from the column `y`, and more text at its
/// end.
pub fn description(files: &str, more: &str) -> String {
    format!(
        "name = \"test\"\nfiles = {files}\n{more}\n\
         [[objective]]\nname = \"bait\"\nlabel = {{ column = \"y\" }}\n"
    )
}

/// One candidate input.
pub fn input(name: &str, kind: &str) -> String {
    format!("[[input]]\nname = \"{name}\"\nkind = \"{kind}\"\n")
}

/// Asserts that a message contains all parts.
#[track_caller]
pub fn names(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(
            message.contains(part),
            "{part:?} is not in the message: {message}"
        );
    }
}
