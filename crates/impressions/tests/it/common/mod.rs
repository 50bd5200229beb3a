//! Logs in a temporary folder.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test programs, each of which uses a part"
)]

use std::path::{Path, PathBuf};

use counterweight_impressions::{Log, LogError, LogOptions, Parts, Request, Summary};
use tempfile::TempDir;

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// The log of the shipped sample.
pub fn sample() -> Log {
    let file = root().join("data/sample/impressions.parquet");
    Log::open_files(&[file], Vec::new(), LogOptions::default()).unwrap()
}

/// An impression log written as CSV.
pub struct Csv(TempDir);

impl Csv {
    pub fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log.csv"), text).unwrap();
        Self(folder)
    }

    pub fn file(&self) -> PathBuf {
        self.0.path().join("log.csv")
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn open(&self) -> Result<Log, LogError> {
        Log::open_files(&[self.file()], Vec::new(), LogOptions::default())
    }
}

/// All requests of a log.
pub fn read(log: &mut Log) -> Result<(Vec<Request>, Summary), LogError> {
    let mut requests = Vec::new();
    let summary = log.read(Parts::All, &mut |_| (), &mut |batch: &[Request]| {
        requests.extend_from_slice(batch);
        Ok::<(), LogError>(())
    })?;
    Ok((requests, summary))
}

/// The message of the error with which reading an impression log of this text fails.
pub fn error(text: &str) -> String {
    let csv = Csv::new(text);
    let result = csv.open().and_then(|mut log| read(&mut log));
    match result {
        Ok((requests, _)) => panic!("no error, but {} requests", requests.len()),
        Err(error) => error.to_string(),
    }
}
