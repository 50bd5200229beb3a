//! First descriptions of logs: what is guessed, and that it can be read.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::{fs, path::Path};

use counterweight_dataset::{Dataset, init};

fn describe(name: &str, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    init(path.to_str().unwrap(), Path::new("")).unwrap()
}

/// The kind and side of an input.
fn input<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let (_, rest) = text
        .split_once(&format!("[[input]]\nname = \"{name}\"\n"))
        .unwrap();
    let value = |key: &str| {
        let (_, rest) = rest.split_once(&format!("{key} = \"")).unwrap();
        rest.split_once('"').unwrap().0
    };
    (value("kind"), value("side"))
}

#[test]
fn kinds_sides_roles_and_labels_are_guessed() {
    let mut rows = String::new();
    for row in 0..40 {
        let request = row / 4;
        rows.push_str(&format!(
            "{{\"request_id\":\"r{request}\",\"user_id\":\"u{request}\",\"item_id\":\"i{row}\",\
             \"timestamp\":{},\"country\":\"c{}\",\"age\":{row},\"wifi\":{},\
             \"title\":\"number {row} of some longer titles\",\"tags\":[\"a\",\"b{row}\"],\
             \"place\":[0.5,{row}],\"nested\":{{\"a\":1}},\"empty\":null,\"clicked\":{}}}\n",
            1_767_323_045_678_i64 + row,
            request % 3,
            row % 2 == 0,
            row % 2,
        ));
    }
    let text = describe("log.ndjson", &rows);
    for line in [
        "request = \"request_id\"",
        "user = \"user_id\"",
        "candidate = \"item_id\"",
        "time = \"timestamp\"",
        "group = \"user_id\"",
        "# nested is left out",
        "# empty is left out",
        "name = \"clicked\"\nlabel = { column = \"clicked\" }    # guess",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(input(&text, "country"), ("categorical", "context"));
    assert_eq!(input(&text, "age"), ("numeric", "candidate"));
    assert_eq!(input(&text, "wifi"), ("boolean", "candidate"));
    assert_eq!(input(&text, "title"), ("text", "candidate"));
    assert_eq!(input(&text, "tags"), ("list", "candidate"));
    assert_eq!(input(&text, "place"), ("vector", "candidate"));
}

#[test]
fn what_is_written_can_be_read_whatever_the_names_are() {
    let text = describe("a \"b\" [c].csv", "x\"y,ü é\n1,a\n2,b\n");
    assert!(text.contains("No column looks like a label"), "{text}");
    let dataset = Dataset::parse(&text, "test", Path::new("")).unwrap();
    assert!(dataset.objectives().is_empty());
}

#[test]
fn a_log_without_rows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    fs::write(&path, "a,b\n").unwrap();
    let error = init(path.to_str().unwrap(), Path::new("")).unwrap_err();
    assert!(error.to_string().contains("no rows"), "{error}");
}
