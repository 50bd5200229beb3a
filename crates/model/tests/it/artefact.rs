//! Artefacts: saving is atomic, the same model has the same bytes, and every damage is detected.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::common;

use std::fs;
use std::path::{Path, PathBuf};

use common::arbitrary_model;
use counterweight_model::{
    Artefact, Batch, CalibrationBin, Calibrator, ModelError, ModelParts, PartReport, Report,
    latest, versions,
};
use tempfile::TempDir;

fn report() -> Report {
    let calibration = vec![CalibrationBin {
        lower: 0.1,
        upper: 0.2,
        rows: 3,
        mean_probability: 0.15,
        positive_rate: 1.0 / 3.0,
    }];
    let test = PartReport {
        part: "test".into(),
        rows: 3,
        positives: 1,
        auc: Some(0.1 + 0.2),
        calibration,
        ..PartReport::default()
    };
    Report {
        command: "counterweight train".into(),
        seed: 7,
        parts: vec![test],
        ..Report::default()
    }
}

fn saved(dir: &Path) -> Artefact {
    Artefact::save(arbitrary_model(), report(), "# Card\n", dir).unwrap()
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn a_loaded_model_equals_the_saved_one_bit_for_bit() {
    let dir = TempDir::new().unwrap();
    let artefact = saved(dir.path());
    assert_eq!(artefact.version.len(), 16);
    for place in [dir.path().to_owned(), dir.path().join(&artefact.version)] {
        let loaded = Artefact::load(&place).unwrap();
        assert_eq!(loaded, artefact);
        let batch = Batch::new(loaded.model.schema(), 50, common::columns(9, 50, true)).unwrap();
        assert_eq!(
            loaded.model.score(&batch).unwrap(),
            artefact.model.score(&batch).unwrap()
        );
    }
    assert_eq!(
        versions(dir.path()).unwrap(),
        std::slice::from_ref(&artefact.version)
    );
    assert_eq!(latest(dir.path()).unwrap(), Some(artefact.version));
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "a version and LATEST, nothing temporary"
    );
}

#[test]
fn the_same_model_has_the_same_bytes_and_version() {
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (first, second) = (saved(a.path()), saved(b.path()));
    assert_eq!(first.version, second.version);
    assert_eq!(
        files(&a.path().join(&first.version)),
        files(&b.path().join(&second.version))
    );
    assert_eq!(saved(a.path()).version, first.version);
    assert_eq!(versions(a.path()).unwrap().len(), 1);
    let other = arbitrary_model().with_calibrator(Calibrator::None).unwrap();
    let other = Artefact::save(other, report(), "# Card\n", a.path()).unwrap();
    assert_ne!(other.version, first.version);
    assert_eq!(versions(a.path()).unwrap().len(), 2);
    assert_eq!(Artefact::load(a.path()).unwrap().version, other.version);
    // LATEST names the version that was saved last, even if it existed before.
    saved(a.path());
    assert_eq!(latest(a.path()).unwrap(), Some(first.version));
}

#[test]
fn damage_is_found_and_named() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage, &str); 8] = [
        (
            "model.json",
            |path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            },
            "cut short or edited",
        ),
        (
            "model.json",
            |path| {
                let mut bytes = fs::read(path).unwrap();
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                fs::write(path, bytes).unwrap();
            },
            "cut short or edited",
        ),
        (
            "model.json",
            |path| fs::write(path, "").unwrap(),
            "cut short or edited",
        ),
        (
            "model.json",
            |path| fs::remove_file(path).unwrap(),
            "No such file",
        ),
        (
            "MODEL_CARD.md",
            |path| fs::write(path, "# Another card").unwrap(),
            "cut short or edited",
        ),
        (
            "MANIFEST.json",
            |path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..20]).unwrap();
            },
            "EOF",
        ),
        (
            "MANIFEST.json",
            |path| {
                let text = fs::read_to_string(path).unwrap();
                fs::write(path, text.replace("MODEL_CARD.md", "NO_CARD.md")).unwrap();
            },
            "it was edited",
        ),
        (
            "MANIFEST.json",
            |path| {
                let text = fs::read_to_string(path).unwrap();
                fs::write(
                    path,
                    text.replace("\"format_version\": 1", "\"format_version\": 2"),
                )
                .unwrap();
            },
            "use a newer release",
        ),
    ];
    for (file, damage, expected) in cases {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(saved(dir.path()).version).join(file);
        damage(&path);
        let error = Artefact::load(dir.path()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{file}: {message}");
        assert!(message.contains(file), "{file}: {message}");
        // Saving again repairs it.
        saved(dir.path());
        assert!(Artefact::load(dir.path()).is_ok(), "{file}");
    }
}

#[test]
fn a_folder_without_a_model_is_an_error() {
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("nothing");
    assert!(
        matches!(Artefact::load(&missing), Err(ModelError::NoModel { path, .. }) if path == missing)
    );
    assert!(matches!(
        Artefact::load(dir.path()),
        Err(ModelError::NoModel { .. })
    ));
    assert_eq!(latest(dir.path()).unwrap(), None);
    assert!(versions(dir.path()).unwrap().is_empty());
    assert!(matches!(versions(&missing), Err(ModelError::Io { path, .. }) if path == missing));
    for bad in ["", "../../etc", "0123456789abcde", "0123456789ABCDEF"] {
        fs::write(dir.path().join("LATEST"), bad).unwrap();
        assert!(
            matches!(Artefact::load(dir.path()), Err(ModelError::Corrupt { path, .. }) if path.ends_with("LATEST")),
            "{bad}"
        );
    }
    fs::write(dir.path().join("LATEST"), "0123456789abcdef\n").unwrap();
    let error = Artefact::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("0123456789abcdef/MANIFEST.json"), "{error}");
}

#[test]
fn files_of_an_interrupted_save_are_not_a_model() {
    let dir = TempDir::new().unwrap();
    let artefact = saved(dir.path());
    // A crash before the rename leaves a temporary folder with complete or partly written files.
    let stray = dir.path().join(".tmp-1-0");
    fs::create_dir(&stray).unwrap();
    for (name, bytes) in files(&dir.path().join(&artefact.version)) {
        fs::write(stray.join(name), &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_eq!(
        versions(dir.path()).unwrap(),
        std::slice::from_ref(&artefact.version)
    );
    assert_eq!(Artefact::load(dir.path()).unwrap(), artefact);
    fs::create_dir(dir.path().join("fedcba9876543210")).unwrap();
    assert_eq!(
        versions(dir.path()).unwrap(),
        [artefact.version],
        "an empty folder is not a version"
    );
}

#[test]
fn a_failed_save_does_not_change_the_old_model() {
    let dir = TempDir::new().unwrap();
    let artefact = saved(dir.path());
    // LATEST is a folder with a file in it, so the file LATEST cannot be written.
    fs::remove_file(dir.path().join("LATEST")).unwrap();
    fs::create_dir(dir.path().join("LATEST")).unwrap();
    fs::write(dir.path().join("LATEST").join("x"), "").unwrap();
    let other = arbitrary_model().with_calibrator(Calibrator::None).unwrap();
    let error = Artefact::save(other, report(), "", dir.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("LATEST"), "{error}");
    assert_eq!(
        Artefact::load(&dir.path().join(&artefact.version)).unwrap(),
        artefact
    );
    let temporary = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(".tmp-");
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|entry| temporary(entry.as_ref().unwrap()))
            .count(),
        0
    );
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Artefact::save(arbitrary_model(), report(), "", &file)
        .unwrap_err()
        .to_string();
    assert!(error.contains("file"), "{error}");
}

#[test]
fn an_inconsistent_model_file_is_rejected() {
    let json = serde_json::to_string(&arbitrary_model()).unwrap();
    let parse = |json: &str| {
        serde_json::from_str::<counterweight_model::Model>(json).map_err(|error| error.to_string())
    };
    assert_eq!(parse(&json).unwrap(), arbitrary_model());
    let parts = serde_json::to_value(ModelParts::from(arbitrary_model())).unwrap();
    let edited = |pointer: &str, value: serde_json::Value| {
        let mut parts = parts.clone();
        *parts
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}")) = value;
        parse(&parts.to_string()).unwrap_err()
    };
    assert!(edited("/coefficients", serde_json::json!([1.0])).contains("1 coefficients"));
    assert!(
        edited(
            "/encoders/encoders/0/encoder/numeric/standard/sd",
            serde_json::json!(0.0)
        )
        .contains("feature `number`")
    );
    assert!(
        edited(
            "/encoders/encoders/0/encoder",
            serde_json::json!({"boolean": {"rate": 0.5, "missing": false}})
        )
        .contains("does not accept numeric values")
    );
    assert!(
        edited("/encoders/schema/inputs/0/kind", serde_json::json!("sound"))
            .contains("unknown variant `sound`")
    );
    assert!(
        edited(
            "/calibrator",
            serde_json::json!({"method": "platt", "slope": -1.0, "intercept": 0.0})
        )
        .contains("slope is negative")
    );
}
