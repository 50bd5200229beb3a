//! Which files a description means: patterns against a folder, and the format by the ending.

use std::path::{Path, PathBuf};

use crate::DatasetError;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Ndjson,
    Parquet,
}

/// A file to read.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
}

/// The files of all patterns: patterns in their order, the files of one pattern sorted by path, each file once.
pub(crate) fn resolve(
    patterns: &[String],
    folder: &Path,
    origin: &str,
) -> Result<Vec<DataFile>, DatasetError> {
    let wrong = |pattern: &str, problem: String| DatasetError::Description {
        origin: origin.to_owned(),
        element: format!("files, {pattern:?}"),
        problem,
    };
    let mut files: Vec<DataFile> = Vec::new();
    for pattern in patterns {
        let paths = expand(pattern, folder).map_err(|problem| wrong(pattern, problem))?;
        for path in paths {
            let format = format_of(&path).map_err(|problem| wrong(pattern, problem))?;
            if files.iter().all(|file| file.path != path) {
                files.push(DataFile { path, format });
            }
        }
    }
    Ok(files)
}

fn expand(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let plain = folder.join(pattern);
    if plain.is_file() {
        return Ok(vec![plain]);
    }
    // The folder itself is no pattern, whatever characters it has; an absolute pattern stands alone.
    let absolute = if Path::new(pattern).is_absolute() {
        pattern.to_owned()
    } else {
        Path::new(&glob::Pattern::escape(&folder.to_string_lossy()))
            .join(pattern)
            .to_string_lossy()
            .into_owned()
    };
    let found = glob::glob(&absolute).map_err(|error| format!("is no valid pattern: {error}"))?;
    let mut paths = Vec::new();
    for path in found {
        let path = path.map_err(|error| format!("cannot be searched: {error}"))?;
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(format!(
            "no file found in {}; give the data's folder if it is elsewhere",
            folder.display()
        ));
    }
    Ok(paths)
}

fn format_of(path: &Path) -> Result<Format, String> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(format!(
            "cannot tell the format of {}; the ending must be csv, ndjson, jsonl or parquet",
            path.display()
        )),
    }
}
