//! Descriptions that contradict themselves: each error names the key and says what to do.

#![expect(clippy::panic, reason = "a test program")]

use crate::common;

use common::{Folder, description, input, names};

fn refused(text: &str) -> String {
    match Folder::new().dataset(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

/// A description with one numeric input `x`, and more text.
fn with(more: &str) -> String {
    description("[\"a.csv\"]", &(more.to_owned() + &input("x", "numeric")))
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    names(
        &refused(&with("[columns]\ncandidat = \"id\"\n")),
        &["test.toml:4", "candidat", "did you mean \"candidate\""],
    );
    names(
        &refused(&with("[[filter]]\ncolumn = \"x\"\nminimum = 1\n")),
        &["minimum"],
    );
    names(
        &refused(&with("").replace("numeric", "numerical")),
        &["numerical", "did you mean \"numeric\""],
    );
    names(&refused("name = \"a\"\n"), &["files"]);
}

#[test]
fn roles_exclude_one_another() {
    let message = refused(&with("[columns]\nrequest = \"id\"\ncandidate = \"id\"\n"));
    names(&message, &["columns", "\"id\"", "request", "candidate"]);
    assert!(
        Folder::new()
            .dataset(&with("[columns]\nuser = \"id\"\ngroup = \"id\"\n"))
            .is_ok()
    );
}

#[test]
fn a_label_that_is_also_an_input_is_refused_unless_its_feature_is_left_out() {
    let message = refused(&description(
        "[\"a.csv\"]",
        &(input("y", "numeric") + &input("x", "text")),
    ));
    names(
        &message,
        &["objective `bait`", "\"y\"", "read its own label"],
    );
    let chosen = description(
        "[\"a.csv\"]",
        &(input("y", "numeric") + &input("x", "text")),
    ) + "features = [\"x\"]\n";
    let dataset = Folder::new().dataset(&chosen).unwrap();
    assert_eq!(dataset.schema("bait").unwrap().inputs().len(), 1);
}

#[test]
fn features_must_refer_to_existing_inputs() {
    names(
        &refused(&with("[[feature]]\nname = \"f\"\nlog1p = \"xx\"\n")),
        &["f", "xx"],
    );
    names(
        &refused(&with("[[feature]]\nname = \"f\"\n")),
        &["feature `f`", "exactly one of"],
    );
    names(
        &refused(&with(
            "[[feature]]\nname = \"f\"\nlog1p = \"x\"\nratio = [\"x\", \"x\"]\n",
        )),
        &["exactly one of"],
    );
    names(
        &refused(&with("[[feature]]\nname = \"x\"\nlog1p = \"x\"\n")),
        &["`x`"],
    );
    names(
        &refused(&(with("") + "features = [\"xs\"]\n")),
        &["objective `bait`", "\"xs\"", "did you mean \"x\""],
    );
    names(
        &refused(&(with("") + "features = []\n")),
        &["name at least one"],
    );
    // A log for evaluation needs no features. Training on it is refused.
    let bare = Folder::new().dataset(&description("[\"a.csv\"]", ""));
    names(
        &bare.unwrap().load("bait").unwrap_err().to_string(),
        &["features"],
    );
    names(&refused(&with(&input("x", "text"))), &["`x`"]);
    names(
        &refused(&with(&input("v", "vector"))),
        &["input `v`", "`dim`"],
    );
    names(
        &refused(&with(&(input("n", "numeric") + "dim = 3\n"))),
        &["input `n`", "only to vectors"],
    );
}

#[test]
fn filters_test_something_that_can_pass() {
    let filter = |tests: &str| refused(&with(&format!("[[filter]]\ncolumn = \"x\"\n{tests}\n")));
    names(&filter(""), &["filter on \"x\"", "at least one of"]);
    names(&filter("min = 2\nmax = 1"), &["min is above max"]);
    names(&filter("not_missing = false"), &["tests nothing"]);
    names(&filter("not_between = [2, 1]"), &["lower bound first"]);
    names(&filter("min = nan"), &["NaN"]);
}

#[test]
fn splits_have_what_they_need_and_at_most_all_rows() {
    let split = |split: &str| refused(&(with("") + "[split]\n" + split));
    names(
        &split("by = \"hash\"\ntrain = 0.9\ntest = 0.2\n"),
        &["split", "1.1", "exceed 1"],
    );
    names(&split("by = \"hash\"\ntrain = -0.1\n"), &["from 0 to 1"]);
    names(&split("by = \"hash\"\ntest = 0.5\n"), &["`train`"]);
    names(
        &split("by = \"group\"\ntrain = 1.0\n"),
        &["`group` in [columns]"],
    );
    names(
        &split("by = \"time\"\ntrain = 1.0\n"),
        &["`time` in [columns]"],
    );
    names(&split("by = \"column\"\n"), &["`column`"]);
    names(
        &split("by = \"column\"\ncolumn = \"p\"\ntrain = 0.5\n"),
        &["no fractions"],
    );
    names(
        &split("by = \"hash\"\ncolumn = \"p\"\ntrain = 0.5\n"),
        &["leave it out"],
    );
}

#[test]
fn label_rules_are_one_of_three() {
    let label = |label: &str| refused(&with("").replace("{ column = \"y\" }", label));
    names(&label("{}"), &["either `column` or `ratio"]);
    names(
        &label("{ column = \"y\", ratio = [\"a\", \"b\"] }"),
        &["either `column` or `ratio"],
    );
    names(&label("{ ratio = [\"a\", \"b\"] }"), &["needs `above`"]);
    names(
        &label("{ column = \"y\", above = \"median\" }"),
        &["\"median\"", "training median"],
    );
    names(&label("{ column = \"y\", above = inf }"), &["finite"]);
    let median = with("").replace(
        "{ column = \"y\" }",
        "{ column = \"y\", above = \"training median\" }",
    );
    names(
        &refused(&(median + "sample_negatives = 0.1\n")),
        &["sample_negatives", "training median"],
    );
    names(
        &refused(&(with("") + "sample_negatives = 0.0\n")),
        &["above 0"],
    );
    let twice = with("") + "[[objective]]\nname = \"bait\"\nlabel = { column = \"z\" }\n";
    names(&refused(&twice), &["objective `bait`", "its own name"]);
}

#[test]
fn files_are_found_or_named() {
    let folder = Folder::with("a.txt", "x,y\n1,1\n");
    let files = |pattern: &str| {
        folder.error(&description(
            &format!("[\"{pattern}\"]"),
            &input("x", "numeric"),
        ))
    };
    names(&files("*.csv"), &["\"*.csv\"", "no file found"]);
    names(
        &files("a.txt"),
        &["a.txt", "csv, ndjson, jsonl, json or parquet"],
    );
    names(&files("[.csv"), &["not a valid pattern"]);
    names(
        &refused(&description("[]", &input("x", "numeric"))),
        &["files", "at least one"],
    );
    let folder = Folder::with("a[1].csv", "x,y\n1,1\n");
    assert!(
        folder
            .load(&description(
                "[\"a[1].csv\", \"*.csv\"]",
                &input("x", "numeric")
            ))
            .is_ok_and(|loaded| loaded.rows.len() == 1)
    );
}

#[test]
fn an_unknown_objective_is_reported_with_the_most_similar_name() {
    let dataset = Folder::new().dataset(&with("")).unwrap();
    let message = dataset.load("bat").unwrap_err().to_string();
    names(
        &message,
        &["\"bat\"", "did you mean \"bait\"", "it has bait"],
    );
}

#[test]
fn what_only_the_benchmark_reads_is_checked_too() {
    names(
        &refused(&with(
            "[columns]\nrequest = \"r\"\n[requests]\ncandidates = 3\n",
        )),
        &["requests", "already names a `request` column"],
    );
    names(
        &refused(&with("[requests]\ncandidates = 0\n")),
        &["requests", "at least 1"],
    );
    let outcome = "outcome = { column = \"y\", ratio = [\"y\", \"y\"] }\n";
    names(
        &refused(&(with("") + outcome)),
        &["outcome", "either `column` or `ratio"],
    );
    let renamed = input("z", "numeric") + "column = \"y\"\n";
    names(
        &refused(&description("[\"a.csv\"]", &renamed)),
        &["\"y\"", "read its own label"],
    );
}
