//! Finds the files of a description: files, folders, patterns and manifests of labelled logs, their
//! format by the ending of the name, and the columns in their path.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::{
    DatasetError,
    labelled::{MANIFEST, complete_files},
};

/// The folder name that Hive uses for rows without a value of the partition column.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Ndjson,
    Parquet,
}

/// A column from a folder's name, and its value; `None` is a missing value.
pub(crate) type Partition = (String, Option<String>);

/// A file to read.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// The columns from the path: `dt=2024-01-01/part.parquet` has `dt`.
    pub(crate) partitions: Vec<Partition>,
    /// Whether it is a file of a log whose columns are united: one that another file has, but this
    /// one lacks, is missing in all of its rows.
    pub(crate) united: bool,
}

/// The files of all patterns, without duplicates: in the order of the patterns, and sorted by path
/// within a pattern.
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
        let united = Path::new(pattern).file_name() == Some(MANIFEST.as_ref());
        let paths = match united {
            true => complete_files(&folder.join(pattern)),
            false => expand(pattern, folder),
        };
        let paths = paths.map_err(|problem| wrong(pattern, problem))?;
        for path in paths {
            let format = format_of(&path).map_err(|problem| wrong(pattern, problem))?;
            if files.iter().all(|file| file.path != path) {
                // The folders of a labelled log repeat its column `time`.
                let partitions = if united {
                    Vec::new()
                } else {
                    partitions(&path)
                };
                files.push(DataFile {
                    path,
                    format,
                    partitions,
                    united,
                });
            }
        }
    }
    Ok(files)
}

/// The files that one entry of `files` selects. Patterns and folders skip hidden files and markers
/// such as `_SUCCESS`. A file that is named exactly is always read.
fn expand(pattern: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let plain = folder.join(pattern);
    if plain.is_file() {
        return Ok(vec![plain]);
    }
    let (root, rest) = if plain.is_dir() {
        (plain, PathBuf::from("**/*"))
    } else {
        fixed_and_pattern(folder, pattern)
    };
    // The fixed part is not a pattern, even if its name contains pattern characters.
    let escaped = glob::Pattern::escape(&root.to_string_lossy());
    let found = glob::glob(&Path::new(&escaped).join(&rest).to_string_lossy())
        .map_err(|error| format!("this is not a valid pattern: {error}"))?;
    let pattern_names_markers = is_marker(&rest);
    let mut paths = Vec::new();
    for path in found {
        let path = path.map_err(|error| format!("cannot be searched: {error}"))?;
        let below = path.strip_prefix(&root).unwrap_or(&path);
        if path.is_file() && (pattern_names_markers || !is_marker(below)) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let place = match folder.as_os_str().is_empty() {
            true => "the current folder".to_owned(),
            false => folder.display().to_string(),
        };
        return Err(format!(
            "no file found in {place}; give the data's folder if it is elsewhere"
        ));
    }
    Ok(paths)
}

/// Splits a pattern into the folder before its first component with pattern characters, and the
/// rest. Without such characters, the rest is the last component.
fn fixed_and_pattern(folder: &Path, pattern: &str) -> (PathBuf, PathBuf) {
    let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
    let is_pattern = |part: &Component<'_>| {
        let text = part.as_os_str().to_string_lossy();
        text.contains(['*', '?', '[', ']'])
    };
    let last = parts.len().saturating_sub(1);
    let fixed = parts.iter().position(is_pattern).unwrap_or(last);
    let (fixed, rest) = parts.split_at(fixed);
    (
        folder.join(fixed.iter().collect::<PathBuf>()),
        rest.iter().collect(),
    )
}

/// Whether a component of a path below the searched folder begins with a dot or an underscore.
fn is_marker(below: &Path) -> bool {
    below.components().any(|component| match component {
        Component::Normal(name) => name.to_string_lossy().starts_with(['.', '_']),
        _ => false,
    })
}

fn format_of(path: &Path) -> Result<Format, String> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => Ok(Format::Csv),
        // Spark writes NDJSON to files that it calls json.
        Some("ndjson" | "jsonl" | "json") => Ok(Format::Ndjson),
        Some("parquet") => Ok(Format::Parquet),
        _ => Err(format!(
            "cannot determine the format of {}; \
             the name must end in csv, ndjson, jsonl, json or parquet",
            path.display()
        )),
    }
}

/// The columns from the folder names of a path, in the convention of Spark and Hive.
fn partitions(path: &Path) -> Vec<Partition> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let partition = |component: Component<'_>| {
        let Component::Normal(name) = component else {
            return None;
        };
        let (column, value) = name.to_str()?.split_once('=')?;
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let value = (value != NO_VALUE).then(|| decoded(value));
        (!column.is_empty()).then(|| (decoded(column), value))
    };
    folders.filter_map(partition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_columns() {
        let path = Path::new("a/dt=2024-01-01/x%3Dy=1%2F2/=z/c=__HIVE_DEFAULT_PARTITION__/d=4.csv");
        let expected = [
            ("dt", Some("2024-01-01")),
            ("x=y", Some("1/2")),
            ("c", None),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(partitions(path), expected);
    }

    #[test]
    fn markers_and_hidden_files_are_known_by_their_names() {
        for path in [
            "_SUCCESS",
            "dt=1/.part.crc",
            "_temporary/0/part.parquet",
            ".hidden/a.csv",
        ] {
            assert!(is_marker(Path::new(path)), "{path}");
        }
        assert!(!is_marker(Path::new("dt=2024-01-01/part_0.parquet")));
    }
}
