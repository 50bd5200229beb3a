//! Files and folders that are written atomically.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, io::Write as _, path::Path};

use counterweight_files::{AtomicFile, parent_folder, write_file, write_folder};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_takes_its_name_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    file.commit().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(folder.path()), ["a.csv"]);
}

#[test]
fn a_dropped_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    drop(file);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_folder_replaces_the_old_one_with_all_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("version");
    write_folder(&path, [("a", &b"1"[..]), ("b", b"2")]).unwrap();
    assert_eq!(names(&path), ["a", "b"]);
    write_folder(&path, [("c", &b"3"[..])]).unwrap();
    assert_eq!(names(&path), ["c"]);
    assert_eq!(fs::read(path.join("c")).unwrap(), b"3");
    assert_eq!(names(folder.path()), ["version"]);
}

#[test]
fn a_folder_is_not_replaced_by_a_file_nor_a_file_written_into_a_missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_file(folder.path(), b"").unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    assert!(write_file(&folder.path().join("none").join("a"), b"").is_err());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_folder_of_a_bare_name_is_the_current_one() {
    assert_eq!(parent_folder(Path::new("a.csv")), Path::new("."));
    assert_eq!(parent_folder(Path::new("x/a.csv")), Path::new("x"));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn permissions_are_those_of_any_new_file_or_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, new) = (folder.path().join("plain"), folder.path().join("new"));
        fs::write(&plain, "").unwrap();
        write_file(&new, b"").unwrap();
        assert_eq!(mode(&new), mode(&plain));
        fs::set_permissions(&plain, fs::Permissions::from_mode(0o640)).unwrap();
        write_file(&plain, b"x").unwrap();
        assert_eq!(mode(&plain), 0o640);

        let (made, written) = (folder.path().join("made"), folder.path().join("written"));
        fs::create_dir(&made).unwrap();
        write_folder(&written, []).unwrap();
        assert_eq!(mode(&written), mode(&made));
    }

    #[test]
    fn a_link_is_followed_and_a_device_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        write_file(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let error = write_file(Path::new("/dev/null"), b"x").unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
}
