//! Parts of a log: only the requested parts are checked and passed on, and a missing part is
//! reported at once.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use common::Csv;
use counterweight_dataset::Dataset;
use counterweight_impressions::{Log, LogError, LogOptions, Part, Parts, Request, Summary};

const DESCRIPTION: &str = "name = \"t\"\nfiles = [\"log.csv\"]\n\
    [columns]\nrequest = \"r\"\nuser = \"u\"\n\
    [split]\nby = \"column\"\ncolumn = \"part\"\n";

fn open(csv: &Csv, description: &str, k: Option<usize>) -> Result<Log, LogError> {
    let dataset = Dataset::parse(description, "t.toml", csv.folder()).unwrap();
    let options = LogOptions {
        k,
        ..LogOptions::default()
    };
    Log::open(dataset, Vec::new(), options)
}

fn read(log: &mut Log, parts: Parts) -> Result<(Vec<Request>, Summary), LogError> {
    let mut requests = Vec::new();
    let summary = log.read(parts, &mut |_| (), &mut |batch: &[Request]| {
        requests.extend_from_slice(batch);
        Ok::<(), LogError>(())
    })?;
    Ok((requests, summary))
}

#[test]
fn only_the_requested_parts_are_checked() {
    // The tune part has an invalid probability, which matters only if the part is read.
    let csv =
        Csv::new("r,u,part,p_e\nr1,u1,tune,7\nr2,u2,test,0.5\nr3,u3,test,0.4\nr4,u3,test,0.3\n");
    let mut log = open(&csv, DESCRIPTION, Some(1)).unwrap();
    let (requests, summary) = read(&mut log, Parts::Test).unwrap();
    assert!(requests.iter().all(|request| request.part == Part::Test));
    assert_eq!((requests.len(), summary.candidates), (3, 3));
    assert_eq!((summary.tune, summary.test), (1, 3));
    assert_eq!((summary.tune_users, summary.test_users), (1, 2));
    let error = read(&mut log, Parts::All).unwrap_err().to_string();
    assert!(
        error.contains("row 1") && error.contains("p_e is 7"),
        "{error}"
    );
}

#[test]
fn a_part_that_the_split_leaves_empty_is_reported_before_any_row_is_read() {
    let csv = Csv::new("r,u,p_e\nr1,u1,this is no number\n");
    let hash = |tune: f64, test: f64| {
        let split = format!("by = \"hash\"\ntrain = 0.5\ntune = {tune}\ntest = {test}\n");
        DESCRIPTION.replace("by = \"column\"\ncolumn = \"part\"\n", &split)
    };
    let log = open(&csv, &hash(0.5, 0.0), Some(1)).unwrap();
    let error = log.require(Parts::All).unwrap_err().to_string();
    assert!(error.contains("leaves the test part empty"), "{error}");
    log.require(Parts::Tune).unwrap();
    // Rows on which no model was trained are used to tune as well.
    let log = open(&csv, &hash(0.0, 0.5), Some(1)).unwrap();
    log.require(Parts::All).unwrap();
}

#[test]
fn a_log_without_a_page_length_is_refused_when_it_is_opened() {
    let csv = Csv::new("r,u,part,p_e\nr1,u1,tune,0.5\n");
    let error = open(&csv, DESCRIPTION, None).unwrap_err().to_string();
    assert!(error.contains("no column `k`"), "{error}");
}
