//! Logs with the defects of joins, float rounding and sorting: each is read as intended, or refused
//! with the cause.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common;

use common::{Csv, error, read};
use counterweight_impressions::{Exploration, Log, LogOptions, Summary, UnshownLabels};

const HEADER: &str = "request_id,candidate_id,k,position,p_e,p_b,label_e,label_b";

fn log(rows: &str) -> String {
    format!("{HEADER}\n{rows}")
}

fn summary(text: &str, options: LogOptions) -> Summary {
    let csv = Csv::new(text);
    read(&mut Log::open_files(&[csv.file()], Vec::new(), options).unwrap())
        .unwrap()
        .1
}

#[test]
fn a_label_of_a_candidate_that_was_not_shown_is_refused_with_its_request_and_candidate() {
    let message = error(&log("r1,a,2,1,0.5,0.5,1,0\nr1,b,2,,0.4,0.4,0,\n"));
    assert!(
        message.contains("request \"r1\"") && message.contains("candidate \"b\""),
        "{message}"
    );
    assert!(message.contains("label of `e`"), "{message}");
    assert!(message.contains("--unshown-labels drop"), "{message}");
}

#[test]
fn labels_of_candidates_that_were_not_shown_are_dropped_and_counted_on_request() {
    let options = LogOptions {
        unshown_labels: UnshownLabels::Drop,
        ..LogOptions::default()
    };
    let read = summary(
        &log("r1,a,2,1,0.5,0.5,1,0\nr1,b,2,,0.4,0.4,0,0\n"),
        options.clone(),
    );
    assert_eq!((read.unshown_labels, read.known), (2, vec![1, 1]));
    let gaps = summary(&log("r1,a,2,1,0.5,0.5,1,0\nr1,b,2,,0.4,0.4,,\n"), options);
    assert_eq!((gaps.unshown_labels, gaps.known), (0, vec![1, 1]));
}

#[test]
fn without_positions_every_label_counts() {
    let text = "request_id,candidate_id,k,p_e,p_b,label_e,label_b\n\
                r1,a,2,0.5,0.5,1,0\nr1,b,2,0.4,0.4,0,0\n";
    let read = summary(text, LogOptions::default());
    assert_eq!((read.unshown_labels, read.known), (0, vec![2, 2]));
}

#[test]
fn whole_floats_are_positions() {
    let rows = |first: &str, second: &str| {
        log(&format!(
            "r1,a,2.0,{first},0.5,0.5,1,0\nr1,b,2.0,{second},0.4,0.4,0,1\n"
        ))
    };
    let read = summary(&rows("2.0", "1.0"), LogOptions::default());
    assert_eq!((read.k, read.known), (2, vec![2, 2]));
    let message = error(&rows("1.5", "1.0"));
    assert!(
        message.contains("position \"1.5\" is not a whole number"),
        "{message}"
    );
}

const EXPLORED: &str =
    "request_id,candidate_id,k,position,p_e,p_b,lambda_low,lambda_high,lambda_density";

#[test]
fn rows_of_a_request_that_are_not_adjacent_are_reported_as_the_cause() {
    let row = |request: &str, candidate: &str, position: &str| {
        format!("{request},{candidate},2,{position},0.5,0.5,0,1,uniform\n")
    };
    // The first rows of r1 contain only position 2, which looks like a gap.
    let scattered = [
        row("r1", "a", "2"),
        row("r2", "a", "1"),
        row("r2", "b", "2"),
        row("r1", "b", "1"),
    ];
    let message = error(&format!("{EXPLORED}\n{}", scattered.concat()));
    assert!(
        message.contains("the rows of request \"r1\" are not adjacent"),
        "{message}"
    );
    assert!(message.contains("sort the log by request"), "{message}");
    // If the rows are adjacent, the gap is the error.
    let gap = [row("r1", "a", "2"), row("r1", "b", ""), row("r2", "a", "1")];
    let message = error(&format!("{EXPLORED}\n{}", gap.concat()));
    assert!(
        message.contains("request \"r1\": the positions shown have a gap"),
        "{message}"
    );
}

#[test]
fn probabilities_a_little_outside_are_clamped_and_counted_and_others_are_refused_with_their_row() {
    let read = summary(
        &log("r1,a,2,1,1.0000001,0.5,1,0\nr1,b,2,2,0.4,-0.000001,0,1\n"),
        LogOptions::default(),
    );
    assert_eq!(read.clamped, 2);
    let message = error(&log("r1,a,2,1,0.5,0.5,1,0\nr1,b,2,2,1.0001,0.4,0,1\n"));
    assert!(
        message.contains("row 2, candidate \"b\": p_e is 1.0001; a probability is from 0 to 1"),
        "{message}"
    );
}

#[test]
fn propensities_follow_from_clamped_probabilities_too() {
    let csv = Csv::new(&format!(
        "{EXPLORED}\nr1,a,2,1,0.5,1.0000001,0,1,uniform\nr1,b,2,2,0.4,0.4,0,1,uniform\n"
    ));
    let (requests, summary) = read(&mut csv.open().unwrap()).unwrap();
    assert_eq!(summary.clamped, 1);
    let exploration = &requests[0].logged.as_ref().unwrap().exploration;
    let Exploration::Lambda { swept, .. } = exploration else {
        unreachable!("λ was drawn");
    };
    assert_eq!(swept[..], [1.0, 0.4]);
}

#[test]
fn a_path_with_a_decomposed_accent_is_a_path() {
    // An e and a combining accent, as some file systems return names, and characters that TOML
    // would escape.
    let folder = tempfile::tempdir().unwrap();
    for name in ["cafe\u{301}.csv", "a \"quoted\" name.csv"] {
        let file = folder.path().join(name);
        std::fs::write(&file, log("r1,a,2,1,0.5,0.5,1,0\n")).unwrap();
        let mut log = Log::open_files(&[file], Vec::new(), LogOptions::default()).unwrap();
        assert_eq!(read(&mut log).unwrap().0.len(), 1, "{name}");
    }
}
