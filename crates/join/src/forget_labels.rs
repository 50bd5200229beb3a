//! Removes what must be forgotten from a labelled log, at once: its files are rewritten.

use std::{fs, path::Path};

use counterweight_dataset::ParquetFrames;
use counterweight_files::parent_folder;
use counterweight_journal::Forgotten;
use uuid::Uuid;

use crate::{
    error::{JoinError, output},
    forget::in_rankings,
    lock::lock,
    manifest::{LabelledFile, Manifest},
    output_file::Unfinished,
};

/// Rewrites the files of a labelled log that have rows to forget. Returns how many rows were removed or
/// lost their candidate.
///
/// # Errors
/// See [`JoinError`]. Files that were rewritten before the error stay so.
pub fn forget_labels(out: &Path, forgotten: &Forgotten) -> Result<u64, JoinError> {
    let _lock = lock(out)?;
    let Some(mut manifest) = Manifest::read(out)? else {
        return Ok(0);
    };
    // Files that an earlier run replaced have the same rows.
    manifest.remove_others(out)?;
    let mut changed = 0;
    let hours: Vec<String> = manifest.hours.keys().cloned().collect();
    for hour in hours {
        for at in 0..manifest.hours[&hour].files.len() {
            let old = manifest.hours[&hour].files[at].clone();
            let (rows, new) = rewrite(out, &old, forgotten)?;
            if rows == 0 {
                continue;
            }
            changed += rows;
            if let Some(own) = manifest.hours.get_mut(&hour) {
                own.files[at] = new;
            }
            manifest.write(out)?;
            let old = out.join(old.path);
            fs::remove_file(&old).map_err(output(&old))?;
        }
    }
    Ok(changed)
}

/// Writes the rows of a file without what must be forgotten. Returns how many rows changed; if none
/// did, there is no new file.
fn rewrite(
    out: &Path,
    old: &LabelledFile,
    forgotten: &Forgotten,
) -> Result<(u64, LabelledFile), JoinError> {
    let path = out.join(&old.path);
    let mut changed = 0;
    for frame in ParquetFrames::open(&path, None)? {
        let (_, forgotten) = in_rankings(frame?, forgotten).map_err(output(&path))?;
        changed += forgotten;
    }
    if changed == 0 {
        return Ok((0, old.clone()));
    }
    let name = format!("part-{}.parquet", Uuid::now_v7());
    let new = parent_folder(&path).join(&name);
    let mut file: Option<Unfinished> = None;
    for frame in ParquetFrames::open(&path, None)? {
        let (rows, _) = in_rankings(frame?, forgotten).map_err(output(&path))?;
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(Unfinished::create(&new, &rows)?),
        };
        file.add(rows).map_err(output(&new))?;
    }
    let (rows, bytes) = match file {
        Some(file) => file.finish(&[]).map_err(output(&new))?,
        None => (0, 0),
    };
    let folder = Path::new(&old.path).parent().unwrap_or(Path::new(""));
    let new = LabelledFile {
        path: folder.join(name).to_string_lossy().into_owned(),
        rows,
        bytes,
    };
    Ok((changed, new))
}
