//! A model on disk. It is written atomically, and a model whose files changed since they were
//! written is not read.
//!
//! A *model folder* contains one folder per version, and a text file `LATEST` that names the
//! version that was saved last. A *version folder* contains `model.json`, `MODEL_CARD.md` and
//! `MANIFEST.json`, which lists the SHA-256 of the other two. The version is a hash of the content,
//! so the same model has the same version wherever and whenever it is written.

use std::collections::BTreeMap;
use std::path::Path;

use counterweight_files::{write_file, write_folder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{ModelError, io_error_at};
use crate::model::Model;
use crate::report::Report;

/// The format that this crate writes, and the newest one that it reads.
pub const FORMAT_VERSION: u64 = 1;

const MODEL: &str = "model.json";
const CARD: &str = "MODEL_CARD.md";
const MANIFEST: &str = "MANIFEST.json";
const LATEST: &str = "LATEST";
/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;

/// A model with its report and its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Artefact {
    /// The model.
    pub model: Model,
    /// How it was trained, and its metrics.
    pub report: Report,
    /// First 16 hexadecimal digits of the SHA-256 over the list of its files and their hashes.
    pub version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile<M, R> {
    format_version: u64,
    model: M,
    report: R,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format_version: u64,
    version: String,
    /// SHA-256 by file name, hexadecimal.
    files: BTreeMap<String, String>,
}

impl Artefact {
    /// Writes a new version into the model folder `dir`, which is created if needed, and then
    /// points `LATEST` to it. Saving the same content again gives the same version and the same
    /// bytes, and replaces a damaged folder of that version.
    ///
    /// # Errors
    /// [`ModelError::Io`] names the file or folder that could not be written. Readers never see a
    /// file or folder that is only partly written.
    pub fn save(model: Model, report: Report, card: &str, dir: &Path) -> Result<Self, ModelError> {
        let content = ModelFile {
            format_version: FORMAT_VERSION,
            model: &model,
            report: &report,
        };
        let mut files = BTreeMap::from([
            (CARD, card.as_bytes().to_vec()),
            (MODEL, to_json(&content, dir)?),
        ]);
        let hashes: BTreeMap<String, String> = files
            .iter()
            .map(|(name, bytes)| ((*name).into(), sha256(bytes)))
            .collect();
        let version = version_of(&hashes);
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            version: version.clone(),
            files: hashes,
        };
        files.insert(MANIFEST, to_json(&manifest, dir)?);

        std::fs::create_dir_all(dir).map_err(io_error_at(dir))?;
        let target = dir.join(&version);
        if Self::load_version(&target).is_err() {
            let files = files.iter().map(|(name, bytes)| (*name, bytes.as_slice()));
            write_folder(&target, files).map_err(io_error_at(&target))?;
        }
        let latest = dir.join(LATEST);
        write_file(&latest, format!("{version}\n").as_bytes()).map_err(io_error_at(&latest))?;
        Ok(Self {
            model,
            report,
            version,
        })
    }

    /// Reads a version folder, or the version that `LATEST` of a model folder names, and checks
    /// every hash.
    ///
    /// # Errors
    /// [`ModelError::NoModel`], [`ModelError::Corrupt`], [`ModelError::NewerFormat`] or
    /// [`ModelError::Io`], each naming the file.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        if dir.join(MANIFEST).exists() {
            return Self::load_version(dir);
        }
        match latest(dir)? {
            Some(version) => Self::load_version(&dir.join(version)),
            None => {
                let problem = format!(
                    "a version folder has the file {MANIFEST}, and a model folder the file {LATEST}"
                );
                Err(ModelError::NoModel {
                    path: dir.into(),
                    problem,
                })
            }
        }
    }

    fn load_version(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join(MANIFEST);
        let manifest: Manifest = from_json(&read(&path)?, &path)?;
        let corrupt = |path: &Path, problem: &str| ModelError::Corrupt {
            path: path.into(),
            problem: problem.into(),
        };
        if manifest.version != version_of(&manifest.files) {
            return Err(corrupt(
                &path,
                "its version does not match the hashes that it lists, so it was edited; train \
                 again or restore the folder from a copy",
            ));
        }
        if !manifest.files.keys().map(String::as_str).eq([CARD, MODEL]) {
            return Err(corrupt(
                &path,
                "it must list exactly MODEL_CARD.md and model.json; train again or restore the \
                 folder from a copy",
            ));
        }
        let mut model = vec![];
        for (name, hash) in &manifest.files {
            let path = dir.join(name);
            let bytes = read(&path)?;
            if sha256(&bytes) != *hash {
                return Err(corrupt(
                    &path,
                    "its SHA-256 differs from that in MANIFEST.json, so it was cut short or \
                     edited; train again or restore the folder from a copy",
                ));
            }
            if name == MODEL {
                model = bytes;
            }
        }
        let ModelFile { model, report, .. } =
            from_json::<ModelFile<Model, Report>>(&model, &dir.join(MODEL))?;
        Ok(Self {
            model,
            report,
            version: manifest.version,
        })
    }
}

/// The versions in a model folder, sorted. Temporary folders and other folders are skipped. The
/// content of the versions is not checked.
///
/// # Errors
/// [`ModelError::Io`] if the folder cannot be listed.
pub fn versions(dir: &Path) -> Result<Vec<String>, ModelError> {
    let mut found = vec![];
    for entry in std::fs::read_dir(dir).map_err(io_error_at(dir))? {
        let entry = entry.map_err(io_error_at(dir))?;
        if let Ok(name) = entry.file_name().into_string()
            && is_version(&name)
            && entry.path().join(MANIFEST).exists()
        {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The version that a model folder's `LATEST` names; `None` if the file does not exist.
///
/// # Errors
/// [`ModelError::Io`], or [`ModelError::Corrupt`] if the file does not name a version.
pub fn latest(dir: &Path) -> Result<Option<String>, ModelError> {
    let path = dir.join(LATEST);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error_at(&path)(error)),
    };
    match text.trim_end() {
        version if is_version(version) => Ok(Some(version.into())),
        _ => Err(ModelError::Corrupt {
            path,
            problem: "it does not name a version; write the name of a version folder (16 \
                      hexadecimal digits) into it"
                .into(),
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(io_error_at(path))
}

fn is_version(name: &str) -> bool {
    name.len() == VERSION_DIGITS
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn version_of(files: &BTreeMap<String, String>) -> String {
    let listing: String = files
        .iter()
        .map(|(name, hash)| format!("{hash}  {name}\n"))
        .collect();
    sha256(listing.as_bytes())[..VERSION_DIGITS].into()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn to_json(value: &impl Serialize, dir: &Path) -> Result<Vec<u8>, ModelError> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| io_error_at(dir)(error.into()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Parses a file that states its format. The format is read first, so that a file of a newer
/// release is reported as newer and not as damaged.
fn from_json<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T, ModelError> {
    #[derive(Deserialize)]
    struct Format {
        format_version: u64,
    }
    let corrupt = |error: serde_json::Error| ModelError::Corrupt {
        path: path.into(),
        problem: error.to_string(),
    };
    let found = serde_json::from_slice::<Format>(bytes)
        .map_err(corrupt)?
        .format_version;
    if found > FORMAT_VERSION {
        return Err(ModelError::NewerFormat {
            path: path.into(),
            found,
            supported: FORMAT_VERSION,
        });
    }
    serde_json::from_slice(bytes).map_err(corrupt)
}
