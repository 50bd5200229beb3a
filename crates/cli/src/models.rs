//! Loads trained models from the folders that `--models` names.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use counterweight_model::{Artefact, latest, versions};

/// Loads the newest version of each model. A folder is a model folder, a version of one, or contains
/// model folders, which are loaded in the order of their names.
pub(crate) fn load_newest(folders: &[PathBuf]) -> anyhow::Result<Vec<Artefact>> {
    let models = model_folders(folders)?;
    let loaded = models.iter().map(|folder| Ok(Artefact::load(folder)?));
    loaded.collect()
}

/// As [`load_newest`], with every version of each model: a log has those that served it.
pub(crate) fn load_all(folders: &[PathBuf]) -> anyhow::Result<Vec<Artefact>> {
    let mut artefacts: Vec<Artefact> = Vec::new();
    for folder in model_folders(folders)? {
        let versions = match latest(&folder)? {
            Some(_) => versions(&folder)?,
            None => Vec::new(),
        };
        let paths = match versions.is_empty() {
            true => vec![folder],
            false => versions
                .iter()
                .map(|version| folder.join(version))
                .collect(),
        };
        for path in paths {
            let artefact = Artefact::load(&path)?;
            if artefacts.iter().all(|own| own.version != artefact.version) {
                artefacts.push(artefact);
            }
        }
    }
    Ok(artefacts)
}

fn model_folders(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        if is_model(folder) {
            found.push(folder.clone());
            continue;
        }
        let read = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let mut models: Vec<PathBuf> = read
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_model(path))
            .collect();
        models.sort();
        anyhow::ensure!(
            !models.is_empty(),
            "{} is not a model folder and contains none; `counterweight train` writes one",
            folder.display()
        );
        found.extend(models);
    }
    Ok(found)
}

fn is_model(folder: &Path) -> bool {
    ["LATEST", "MANIFEST.json"]
        .iter()
        .any(|name| folder.join(name).exists())
}
