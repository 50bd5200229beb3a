//! The files of a labelled log, which its manifest names.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

/// The name of the manifest of a labelled log.
pub const MANIFEST: &str = "manifest.json";

/// What is read of a manifest.
#[derive(Deserialize)]
struct Manifest {
    hours: BTreeMap<String, Hour>,
}

#[derive(Deserialize)]
struct Hour {
    complete: bool,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
}

/// The files of the complete hours, in their order.
pub(crate) fn complete_files(manifest: &Path) -> Result<Vec<PathBuf>, String> {
    let text = fs::read_to_string(manifest).map_err(|error| error.to_string())?;
    let read: Manifest = serde_json::from_str(&text)
        .map_err(|error| format!("this is not the manifest of a labelled log: {error}"))?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    let complete = read.hours.values().filter(|hour| hour.complete);
    let files: Vec<PathBuf> = complete
        .flat_map(|hour| &hour.files)
        .map(|file| folder.join(&file.path))
        .collect();
    if files.is_empty() {
        return Err(format!(
            "none of the {} hours of the log is complete; labels are complete when the window and \
             the grace of the join have passed and the log is joined again",
            read.hours.len()
        ));
    }
    Ok(files)
}

/// The kind and side of each feature, as the log states them.
pub(crate) fn features(manifest: &Path) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    struct Features {
        #[serde(default)]
        features: BTreeMap<String, String>,
    }
    let text = fs::read_to_string(manifest).map_err(|error| error.to_string())?;
    let read: Features = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(read.features)
}
