//! A log that somebody moves, removes, replaces, cuts off or writes over while it is open.

use super::*;

/// What a write is refused with; nothing was written.
fn refusal(store: &EmbeddedLog, path: &Path) -> String {
    let before = fs::read(path).ok();
    let next = store.last() + 1;
    let error = store.append_blocking(next, b"anything\n").unwrap_err();
    assert!(matches!(error, StoreError::Displaced { .. }), "{error}");
    assert_eq!(fs::read(path).ok(), before);
    error.to_string()
}

fn log_of_three() -> (TempDir, PathBuf, EmbeddedLog) {
    let (folder, path) = log_of(3);
    let store = open(&path).unwrap();
    (folder, path, store)
}

#[test]
fn a_log_that_was_moved_or_removed_takes_no_entry_until_it_is_back() {
    let (_folder, path, store) = log_of_three();
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    assert!(refusal(&store, &path).contains("it was moved or removed"));
    assert!(!path.exists(), "no new log is begun");
    let health = store.health.as_ref().unwrap();
    assert!(health.down_since().is_some());
    let reason = health.reason().borrow().clone().unwrap();
    assert!(reason.contains("put the file back, or restart"), "{reason}");

    fs::rename(&aside, &path).unwrap();
    assert_eq!(append(&store, 4.0).unwrap(), 4);
    assert!(health.down_since().is_none());
    drop(store);
    assert_eq!(revisions(&path), [1, 2, 3, 4]);
}

#[test]
fn a_log_that_was_replaced_takes_no_entry() {
    let (_folder, path, store) = log_of_three();
    let copy = path.with_extension("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(refusal(&store, &path).contains("another file was put in its place"));
}

#[test]
fn a_log_that_was_cut_off_takes_no_entry_until_it_is_whole() {
    let (_folder, path, store) = log_of_three();
    let whole = fs::read(&path).unwrap();
    for length in [0, 10, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let text = refusal(&store, &path);
        assert!(text.contains(&format!("it has {length} bytes")), "{text}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(append(&store, 4.0).unwrap(), 4);
}

#[test]
fn a_log_that_something_else_wrote_to_takes_no_entry() {
    let (_folder, path, store) = log_of_three();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    assert!(refusal(&store, &path).contains("something else wrote to it"));
    let last = store.index().last_start as usize;
    let mut other = whole.clone();
    other[last] = if other[last] == b'0' { b'1' } else { b'0' };
    fs::write(&path, other).unwrap();
    assert!(refusal(&store, &path).contains("its last entry is another one"));
    fs::write(&path, whole).unwrap();
    assert_eq!(append(&store, 4.0).unwrap(), 4);
}

#[test]
fn a_log_is_locked_under_every_name_that_it_has() {
    let (_folder, path, _store) = log_of_three();
    let (hard, soft) = (path.with_extension("hard"), path.with_extension("soft"));
    fs::hard_link(&path, &hard).unwrap();
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    for name in [&path, &hard, &soft] {
        let error = open(name).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }
}

#[test]
fn a_copy_may_be_moved_since_it_can_be_made_again_but_not_be_cut_off() {
    let (_folder, path) = log_of(3);
    let (store, _) = EmbeddedLog::open_blocking(path.clone(), HORIZON, None).unwrap();
    let aside = path.with_extension("aside");
    fs::rename(&path, &aside).unwrap();
    assert_eq!(append(&store, 4.0).unwrap(), 4);
    fs::write(&aside, b"").unwrap();
    let error = store.append_blocking(5, b"x").unwrap_err();
    assert!(matches!(error, StoreError::Displaced { .. }), "{error}");
}

#[test]
fn a_store_whose_writes_fail_is_tried_until_one_works() {
    let (_folder, path, store) = log_of_three();
    let before = fs::read(&path).unwrap();
    let health = Arc::clone(store.health.as_ref().unwrap());
    store.writer.lock().unwrap().full_after = Some(7);
    append(&store, 4.0).unwrap_err();
    assert!(health.down_since().is_some());
    let try_out = || store.note_health(store.writer.lock().unwrap().try_out());
    try_out().unwrap_err();
    assert!(health.down_since().is_some());
    store.writer.lock().unwrap().full_after = None;
    try_out().unwrap();
    assert!(health.down_since().is_none());
    assert_eq!(fs::read(&path).unwrap(), before, "a trial leaves nothing");
    assert_eq!(append(&store, 4.0).unwrap(), 4);
}
