//! Invalid files and values: each error names the column or file and says what to do.

#![expect(clippy::unwrap_used, reason = "a test program")]

use crate::common;

use std::fs::File;

use common::{Folder, description, input, names};
use polars::prelude::*;

fn csv(content: &str, inputs: &str) -> String {
    Folder::with("a.csv", content).error(&description("[\"a.csv\"]", inputs))
}

fn ndjson(content: &str, inputs: &str) -> String {
    Folder::with("a.ndjson", content).error(&description("[\"a.ndjson\"]", inputs))
}

fn parquet(mut frame: DataFrame, inputs: &str) -> String {
    let folder = Folder::new();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
    folder.error(&description("[\"a.parquet\"]", inputs))
}

#[test]
fn a_missing_column_is_named_with_its_file_and_the_most_similar_column() {
    let wanted = input("title", "text");
    for message in [
        csv("titel,y\na,1\n", &wanted),
        ndjson("{\"titel\":\"a\",\"y\":1}\n", &wanted),
        parquet(df!("titel" => ["a"], "y" => [1]).unwrap(), &wanted),
    ] {
        names(
            &message,
            &["\"title\"", "a.", "did you mean \"titel\"?", "input"],
        );
    }
    let message = csv("a,b,y\n1,2,1\n", &wanted);
    names(&message, &["it has a, b, y"]);
    let message = csv("title,label\na,1\n", &wanted);
    names(&message, &["\"y\"", "needed as label"]);
}

#[test]
fn an_error_names_the_file_that_differs_from_the_others() {
    let folder = Folder::with("a.csv", "t,y\na,1\n");
    folder.write("b.csv", "text,y\na,1\n");
    let message = folder.error(&description("[\"*.csv\"]", &input("t", "text")));
    names(&message, &["b.csv", "no column \"t\""]);
}

#[test]
fn a_wrong_value_is_reported_with_its_column_file_and_row() {
    let number = input("x", "numeric");
    names(
        &csv("x,y\n1,1\nabc,0\n", &number),
        &["\"x\"", "a.csv", "row 2", "\"abc\"", "finite number"],
    );
    names(
        &ndjson("{\"x\":1,\"y\":1}\n\n{\"x\":\"abc\",\"y\":0}\n", &number),
        &["row 2", "\"abc\""],
    );
    names(
        &ndjson("{\"x\":[1],\"y\":1}\n", &number),
        &["row 1", "\"[1]\""],
    );
    let lists =
        df!("x" => Series::new("x".into(), [Series::new("".into(), [1i64])]), "y" => [1]).unwrap();
    names(
        &parquet(lists, &number),
        &["\"x\"", "lists of numbers", "expected numbers"],
    );
    let message = csv("x,y\ntrue,1\n2,0\n", &input("x", "boolean"));
    names(&message, &["row 2", "\"2\"", "true, false, 1 or 0"]);
    let long = "a".repeat(100_000);
    assert!(csv(&format!("x,y\n{long},1\n"), &number).len() < 400);
}

#[test]
fn an_infinite_number_is_an_error_in_every_format() {
    let number = input("x", "numeric");
    for value in ["inf", "-Infinity", "1e999"] {
        names(
            &csv(&format!("x,y\n1,1\n{value},0\n"), &number),
            &["\"x\"", "row 2", value],
        );
    }
    names(
        &ndjson("{\"x\":\"-inf\",\"y\":1}\n", &number),
        &["row 1", "-inf"],
    );
    let frame = df!("x" => [1.0, f64::INFINITY], "y" => [1, 0]).unwrap();
    names(&parquet(frame, &number), &["\"x\"", "row 2", "inf"]);
    let vector = Series::new("".into(), [0.0, f64::NEG_INFINITY]);
    let frame = df!("x" => Series::new("x".into(), [vector]), "y" => [1]).unwrap();
    names(
        &parquet(frame, &(input("x", "vector") + "dim = 2\n")),
        &["row 1", "-inf"],
    );
    names(
        &csv(
            "x,y\n\"[1, 1e39]\",1\n",
            &(input("x", "vector") + "dim = 2\n"),
        ),
        &["row 1", "index 1"],
    );
}

#[test]
fn rows_that_a_filter_leaves_out_may_contain_invalid_values() {
    let more = "[[filter]]\ncolumn = \"ok\"\nequals = 1\n".to_owned() + &input("x", "numeric");
    let folder = Folder::with("a.csv", "ok,x,y\n1,1,1\n0,abc,0\n1.0,inf,2\n");
    let message = folder.error(&description("[\"a.csv\"]", &more));
    names(&message, &["row 3", "\"2\"", "\"y\""]);
}

#[test]
fn empty_files_are_named() {
    for file in ["a.csv", "a.ndjson", "a.parquet"] {
        let folder = Folder::with(file, "");
        let message = folder.error(&description(
            &format!("[\"{file}\"]"),
            &input("x", "numeric"),
        ));
        names(&message, &[file, "empty (0 bytes)"]);
    }
    let number = input("x", "numeric");
    names(&csv("x,y\n", &number), &["a.csv", "no row"]);
    names(&csv("\n\n", &number), &["a.csv", "no header"]);
    names(&ndjson("\n  \n", &number), &["a.ndjson", "blank lines"]);
    let frame = df!("x" => Vec::<f64>::new(), "y" => Vec::<i64>::new()).unwrap();
    names(&parquet(frame, &number), &["a.parquet", "no row"]);
}

#[test]
fn a_file_of_another_format_than_its_ending_is_named() {
    let number = input("x", "numeric");
    let folder = Folder::with("a.parquet", "x,y\n1,1\n");
    names(
        &folder.error(&description("[\"a.parquet\"]", &number)),
        &["a.parquet"],
    );
    names(
        &ndjson("x,y\n1,1\n", &number),
        &["a.ndjson", "row 1", "JSON object"],
    );
    names(
        &ndjson("{\"x\":1,\"y\":1}\n{\"x\":2,\n", &number),
        &["row 2"],
    );
    names(&ndjson("3\n", &number), &["row 1", "JSON object"]);
}

#[test]
fn invalid_ndjson_is_reported_with_its_line_and_what_to_write() {
    let number = input("x", "numeric");
    let rows = |x: &str| format!("{{\"x\":1,\"y\":1}}\n{{\"x\":{x},\"y\":0}}\n");
    for literal in ["NaN", "Infinity", "-Infinity"] {
        names(
            &ndjson(&rows(literal), &number),
            &["a.ndjson, row 2", literal, "write null"],
        );
    }
    let array = vec!["{\"x\":1,\"y\":0}"; 100_000];
    for array in [
        format!("[{}]", array.join(", ")),
        "[\n{\"x\":1}\n]".to_owned(),
    ] {
        let message = ndjson(&array, &number);
        names(&message, &["row 1", "JSON array", "jq -c"]);
        assert!(message.len() < 400, "{}", message.len());
    }
    names(
        &ndjson("{\n\"x\": 1\n}\n", &number),
        &["row 1", "on one line"],
    );
}

#[test]
fn no_message_repeats_a_large_file() {
    let long = "a".repeat(1_000_000);
    let number = input("x", "numeric");
    for message in [
        csv(&format!("{long},{long}b\n1,2\n"), &number),
        csv(&format!("x,y\n1,{long}\n"), &number),
        csv(&format!("x,y\n\"{long}\n"), &number),
        csv(&format!("x,y\n{long},1,1\n"), &number),
        ndjson(&format!("{{\"{long}\":1}}\n"), &number),
        ndjson(&format!("{{\"x\":{{\"{long}\":1}},\"y\":1}}\n"), &number),
        ndjson(&format!("[{long}]\n"), &number),
        ndjson(&format!("{{\"x\":1,\"y\":1}} {long}\n"), &number),
    ] {
        assert!(
            message.len() < 1_000,
            "{} bytes: {}",
            message.len(),
            &message[..200]
        );
    }
}

#[test]
fn ragged_rows_and_open_quotes_are_reported_with_their_row() {
    let number = input("x", "numeric");
    names(
        &csv("x,y\n1,1\n1\n", &number),
        &["a.csv, row 2", "1 fields", "header has 2"],
    );
    names(
        &csv("x,y\n1,1,5\n", &number),
        &["row 1", "3 fields", "quotes"],
    );
    names(
        &csv("x,y\n1,1\n\"1,1\n2,0\n", &number),
        &["row 2", "never closed"],
    );
    names(&csv("x,x,y\n1,1,1\n", &number), &["twice", "\"x\""]);
}

#[test]
fn labels_must_be_0_or_1_and_of_two_classes() {
    let number = input("x", "numeric");
    names(
        &csv("x,y\n1,1\n2,0.5\n", &number),
        &["\"y\"", "row 2", "0.5", "true, false, 1 or 0"],
    );
    names(
        &csv("x,y\n1,yes\n", &number),
        &["\"y\"", "row 1", "\"yes\""],
    );
    names(
        &csv("x,y\n1,\n2,\n", &number),
        &["none of the 2 rows", "2 without a label"],
    );
    let folder = Folder::with("a.csv", "x,y\n1,1\n2,1\n");
    let loaded = folder.load(&description("[\"a.csv\"]", &number)).unwrap();
    let message = loaded.labels(&[0, 1]).unwrap_err().to_string();
    names(&message, &["bait", "all 2 training rows", "label 1"]);
    names(
        &loaded.labels(&[]).unwrap_err().to_string(),
        &["training part has no rows"],
    );
}

#[test]
fn missing_labels_are_left_out_and_counted() {
    let folder = Folder::with("a.csv", "x,y\n1,1\n2,\n3,NaN\n4,false\n");
    let loaded = folder
        .load(&description("[\"a.csv\"]", &input("x", "numeric")))
        .unwrap();
    assert_eq!((loaded.counts.unlabelled, loaded.counts.kept), (2, 2));
}

#[test]
fn vectors_and_lists_must_have_their_form() {
    let vector = input("x", "vector") + "dim = 2\n";
    names(
        &csv("x,y\n\"[1]\",1\n", &vector),
        &["\"x\"", "row 1", "list of 1", "list of 2 finite numbers"],
    );
    names(&csv("x,y\n1 2,1\n", &vector), &["row 1", "\"1 2\""]);
    names(
        &ndjson("{\"x\":[1,2],\"y\":1}\n{\"x\":[1,2,3],\"y\":1}\n", &vector),
        &["row 2", "list of 3"],
    );
    names(
        &ndjson("{\"x\":[1,2],\"y\":1}\n{\"x\":\"no\",\"y\":1}\n", &vector),
        &["\"x\"", "row 2", "array of numbers"],
    );
    let list = input("x", "list");
    names(
        &csv("x,y\na|b,1\n", &list),
        &["row 1", "JSON array of strings"],
    );
    names(
        &csv("x,y\n\"[[\"\"a\"\"]]\",1\n", &list),
        &["row 1", "JSON array of strings"],
    );
    names(
        &parquet(df!("x" => [1.0], "y" => [1]).unwrap(), &list),
        &["\"x\"", "numbers", "lists of categories"],
    );
}

#[test]
fn every_kind_accepts_missing_values() {
    let inputs = [
        ("n", "numeric"),
        ("b", "boolean"),
        ("c", "categorical"),
        ("t", "text"),
        ("l", "list"),
    ]
    .map(|(name, kind)| input(name, kind))
    .concat()
        + &input("v", "vector")
        + "dim = 3\n";
    let folder = Folder::with("a.csv", "n,b,c,t,l,v,y\n,,,,,,1\nNaN,nan,,\"\",[],null,0\n");
    folder.write(
        "a.ndjson",
        "{\"y\":1,\"n\":null,\"b\":null}\n{\"y\":0,\"c\":\"\",\"t\":null,\"l\":null,\"v\":null}\n",
    );
    let empty = || Series::new_null("".into(), 2);
    let mut frame = df!(
        "n" => empty(), "b" => empty(), "c" => empty(), "t" => empty(), "l" => empty(),
        "v" => empty(), "y" => [1, 0],
    )
    .unwrap();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
    for file in ["a.csv", "a.ndjson", "a.parquet"] {
        let dataset = folder
            .dataset(&description(&format!("[\"{file}\"]"), &inputs))
            .unwrap();
        let described = counterweight_dataset::describe(&dataset).unwrap();
        assert!(
            described.columns.iter().all(|column| column.missing == 2),
            "{file}: {:?}",
            described.columns
        );
    }
}

#[test]
fn values_that_are_nested_too_deep_are_reported_with_their_row() {
    for depth in [300, 60_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let content = format!("{{\"x\":1,\"y\":1,\"z\":1}}\n{{\"x\":{nested},\"y\":1,\"z\":1}}\n");
        for inputs in [
            input("x", "numeric"),
            input("x", "list"),
            input("z", "numeric"),
        ] {
            let message = ndjson(&content, &inputs);
            names(&message, &["a.ndjson", "row 2", "nested more than 64 deep"]);
        }
        let first = format!("{{\"x\":{nested},\"y\":1}}\n");
        names(&ndjson(&first, &input("x", "text")), &["row 1", "64 deep"]);
    }
}
