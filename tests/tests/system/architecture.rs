//! Holds the invariants of ARCHITECTURE.md that a test can hold.

mod imports;
mod shape;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The names of all packages that a package is built from.
fn tree(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn assert_without(arguments: &[&str], unwanted: &[&str]) {
    let packages = tree(arguments);
    assert!(!packages.is_empty());
    for name in unwanted {
        assert!(
            !packages.iter().any(|package| package == name),
            "{arguments:?} is built from {name}"
        );
    }
}

#[test]
fn the_domain_crates_know_no_runtime_no_wire_and_no_data_frames() {
    for package in [
        "counterweight-model",
        "counterweight-ranking",
        "counterweight-statistics",
    ] {
        assert_without(
            &["--package", package],
            &["tokio", "tonic", "polars", "linfa", "counterweight-proto"],
        );
    }
}

#[test]
fn the_lean_binary_compiles_no_polars_and_no_linfa() {
    assert_without(
        &["--package", "counterweight-cli", "--no-default-features"],
        &[
            "polars",
            "linfa",
            "polars-core",
            "async-nats",
            "object_store",
            "reqwest",
        ],
    );
    let serving = [
        "--package",
        "counterweight-cli",
        "--no-default-features",
        "--features",
        "nats",
    ];
    assert_without(&serving, &["polars", "linfa", "polars-core"]);
    assert!(tree(&serving).iter().any(|package| package == "async-nats"));
    assert!(
        tree(&["--package", "counterweight-cli"])
            .iter()
            .any(|package| package == "polars")
    );
}

/// No flag and no file can give the shipped program another clock than the system's.
#[test]
fn the_shipped_program_has_no_driven_clock() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p} {f}", "--package", "counterweight-cli"])
        // Tests may unify the features of all crates; what is shipped is built alone.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let clock = lines.find(|line| line.starts_with("counterweight-clock "));
    assert!(!clock.unwrap().contains("driven"), "{clock:?}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_file_opens_with_why_it_exists() {
    let mut files = Vec::new();
    for folder in ["crates", "tests", "benches", "examples"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} does not open with //!",
            file.display()
        );
    }
}

/// The folders of the source of all crates: what is shipped, tests aside.
fn crate_sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|item| item.unwrap().path().join("src"))
        .filter(|source| source.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "{folders:?}");
    folders
}

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let mut found = String::new();
    for source in crate_sources() {
        let imports = imports::read_crate(&source.join("lib.rs"));
        for circle in imports::circles(&imports) {
            let names: Vec<String> = circle
                .iter()
                .map(|file| file.strip_prefix(root()).unwrap().display().to_string())
                .collect();
            found += &format!("{}\n", names.join(" <-> "));
        }
    }
    assert!(found.is_empty(), "these files import each other:\n{found}");
}

#[test]
fn files_and_functions_stay_short_enough_to_read() {
    const LONGEST_FILE: usize = 400;
    const LONGEST_FUNCTION: usize = 80;
    let mut found = String::new();
    for source in crate_sources() {
        let mut files = Vec::new();
        sources(&source, &mut files);
        // Unit tests in their own files are not read top to bottom.
        files.retain(|file| !file.components().any(|part| part.as_os_str() == "tests"));
        files.retain(|file| {
            !file
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .ends_with("tests")
        });
        for file in files {
            let shape = shape::read_shape(&file);
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            if shape.lines > LONGEST_FILE {
                found += &format!("{name} has {} lines\n", shape.lines);
            }
            for (function, lines) in shape.functions {
                if lines > LONGEST_FUNCTION {
                    found += &format!("{name}: {function} has {lines} lines\n");
                }
            }
        }
    }
    assert!(found.is_empty(), "split these:\n{found}");
}
