//! The same rows give the same values in CSV, NDJSON and Parquet, whatever the size of the pieces.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use crate::common;

use std::fs::File;

use common::{Folder, description, input, names};
use counterweight_dataset::{Loaded, Part, Role, describe};
use counterweight_model::Column;
use polars::prelude::*;

const INPUTS: [(&str, &str); 6] = [
    ("title", "text"),
    ("views", "numeric"),
    ("new", "boolean"),
    ("topic", "categorical"),
    ("tags", "list"),
    ("place", "vector"),
];

fn inputs() -> String {
    INPUTS
        .iter()
        .map(|(name, kind)| {
            let dim = if *kind == "vector" { "dim = 2\n" } else { "" };
            input(name, kind) + dim
        })
        .collect()
}

fn described(file: &str) -> String {
    let roles = "[columns]\ncandidate = \"id\"\n";
    description(&format!("[\"{file}\"]"), &(roles.to_owned() + &inputs()))
}

const CSV: &str = "id,title,views,new,topic,tags,place,y\r\n\
    1,\"A, \"\"b\"\"\nc\",1.5,true,7,\"[\"\"x\"\", \"\"a\\\\b\"\"]\",\"[0.5, 1]\",1\r\n\
    2,Größe 5\" or 6\",,,,,,0\r\n\
    \r\n\
    3,c,-2,0,é,[],\"[null, 3]\",1\r\n";

const NDJSON: &str = r#"{"id":1,"title":"A, \"b\"\nc","views":1.5,"new":true,"topic":7,"tags":["x","a\\b"],"place":[0.5,1],"y":1}
{"id":2,"title":"Größe 5\" or 6\"","views":null,"tags":null,"y":0}

{"id":3,"title":"c","views":-2,"new":false,"topic":"é","tags":[],"place":[null,3],"y":true}"#;

fn parquet(folder: &Folder) {
    let list = |values: &[&str]| Series::new("".into(), values);
    let mut frame = df!(
        "id" => [1i64, 2, 3],
        "title" => [Some("A, \"b\"\nc"), Some("Größe 5\" or 6\""), Some("c")],
        "views" => [Some(1.5f32), None, Some(-2.0)],
        "new" => [Some(true), None, Some(false)],
        "topic" => [Some("7"), None, Some("é")],
        "tags" => Series::new("tags".into(), [Some(list(&["x", "a\\b"])), None, Some(list(&[]))]),
        "place" => Series::new("place".into(), [
            Some(Series::new("".into(), [Some(0.5f64), Some(1.0)])),
            None,
            Some(Series::new("".into(), [None, Some(3.0f64)])),
        ]),
        "y" => [1i8, 0, 1],
        "unused" => ["a", "b", "c"],
    )
    .unwrap();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
}

fn check(loaded: &Loaded) {
    let columns: Vec<&Column<'static>> = loaded.rows.columns.iter().flatten().collect();
    let texts = |column: &Column<'static>| match column {
        Column::Text(values) => values.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    assert_eq!(texts(columns[0]), ["A, \"b\"\nc", "Größe 5\" or 6\"", "c"]);
    let Column::Numeric(views) = columns[1] else {
        panic!("views")
    };
    assert!(views[0] == 1.5 && views[1].is_nan() && views[2] == -2.0);
    let Column::Numeric(new) = columns[2] else {
        panic!("new")
    };
    assert!(new[0] == 1.0 && new[1].is_nan() && new[2] == 0.0);
    assert_eq!(texts(columns[3]), ["7", "", "é"]);
    let tags = vec![vec!["x".to_owned(), "a\\b".to_owned()], vec![], vec![]];
    assert_eq!(columns[4], &Column::List(tags));
    let Column::Vector { dim: 2, values } = columns[5] else {
        panic!("place")
    };
    assert_eq!(&values[..2], &[0.5, 1.0]);
    assert!(values[2..5].iter().all(|value| value.is_nan()) && values[5] == 3.0);
    assert_eq!(loaded.rows.id(Role::Candidate).unwrap(), ["1", "2", "3"]);
    assert_eq!(loaded.labels(&[0, 1]).unwrap().values, [true, false, true]);
    assert_eq!(loaded.parts, [Part::Train; 3]);
}

#[test]
fn three_formats_give_the_same_values() {
    let folder = Folder::with("a.csv", CSV);
    folder.write("a.ndjson", NDJSON);
    parquet(&folder);
    let loaded: Vec<Loaded> = ["a.csv", "a.ndjson", "a.parquet"]
        .map(|file| folder.load(&described(file)).unwrap())
        .into();
    loaded.iter().for_each(check);
    assert_eq!(loaded[0].fingerprint, loaded[1].fingerprint);
    assert_eq!(loaded[0].fingerprint, loaded[2].fingerprint);
    assert_eq!(loaded[0].fingerprint.len(), 64);
}

#[test]
fn the_fingerprint_depends_on_the_content_but_not_on_paths_or_pieces() {
    let rows = |range: std::ops::Range<u32>| -> String {
        range.map(|row| format!("t{row},{}\n", row % 2)).collect()
    };
    let text = description("[\"*.csv\"]", &input("t", "text"));
    let one = Folder::with("a.csv", format!("t,y\n{}", rows(0..100)));
    let two = Folder::with("b.csv", format!("t,y\n{}", rows(0..37)));
    two.write(
        "c.csv",
        format!("y,t\n{}", "").replace("y,t", "t,y") + &rows(37..100),
    );
    let changed = Folder::with(
        "a.csv",
        format!("t,y\n{}", rows(0..100)).replace("t99", "t98"),
    );
    let fingerprint = |folder: &Folder| folder.load(&text).unwrap().fingerprint;
    assert_eq!(fingerprint(&one), fingerprint(&two));
    assert_ne!(fingerprint(&one), fingerprint(&changed));
}

/// The text is longer than one block, so that records are divided between blocks.
#[test]
fn csv_and_ndjson_are_read_in_blocks() {
    let long = "x".repeat(1_000_000);
    let mut csv = "id,t,y\n".to_owned();
    let mut ndjson = String::new();
    for row in 0..40 {
        csv += &format!("{row},\"{long}\n{row}\",{}\n", row % 2);
        ndjson += &format!(
            "{{\"id\":{row},\"t\":\"{long}\\n{row}\",\"y\":{}}}\n",
            row % 2
        );
    }
    let folder = Folder::with("a.csv", csv);
    folder.write("a.jsonl", ndjson);
    let more = "[columns]\ncandidate = \"id\"\n".to_owned() + &input("t", "text");
    let csv = folder.load(&description("[\"a.csv\"]", &more)).unwrap();
    let ndjson = folder.load(&description("[\"a.jsonl\"]", &more)).unwrap();
    assert_eq!(csv.rows.len(), 40);
    assert_eq!(csv.fingerprint, ndjson.fingerprint);
    let Some(Column::Text(texts)) = &csv.rows.columns[0] else {
        panic!("no text")
    };
    assert!(texts[39].ends_with("\n39"));

    let dataset = folder.dataset(&description("[\"a.csv\"]", &more)).unwrap();
    let pieces: Vec<_> = dataset
        .inputs(&dataset.schema("bait").unwrap())
        .unwrap()
        .map(|piece| piece.unwrap())
        .collect();
    assert!(pieces.len() > 1);
    let ids = pieces
        .iter()
        .flat_map(|piece| piece.id(Role::Candidate).unwrap());
    assert!(ids.eq(&(0..40).map(|row| row.to_string()).collect::<Vec<_>>()));
}

#[test]
fn parquet_is_read_in_slices_and_only_where_needed() {
    let folder = Folder::new();
    let rows = 300_000u32;
    let mut frame = df!(
        "x" => (0..rows).map(f64::from).collect::<Vec<_>>(),
        "z" => (0..rows).map(|row| i64::from(row) - 5).collect::<Vec<_>>(),
        "y" => (0..rows).map(|row| row % 2 == 0).collect::<Vec<_>>(),
    )
    .unwrap();
    let file = File::create(folder.path().join("a.parquet")).unwrap();
    ParquetWriter::new(file)
        .with_row_group_size(Some(200_000))
        .finish(&mut frame)
        .unwrap();
    let more = "[[filter]]\ncolumn = \"x\"\nnot_between = [10, 299997]\n".to_owned()
        + &input("z", "numeric");
    let loaded = folder.load(&description("[\"a.parquet\"]", &more)).unwrap();
    assert_eq!((loaded.counts.read, loaded.counts.kept), (300_000, 12));
    let expected: Vec<f64> = (0..10)
        .chain(299_998..300_000)
        .map(|row| f64::from(row) - 5.0)
        .collect();
    assert_eq!(loaded.rows.columns[0], Some(Column::Numeric(expected)));
}

#[test]
fn a_byte_order_mark_is_removed_before_anything_is_read() {
    let folder = Folder::with("a.csv", "\u{feff}\"x\",\"y\"\n1,1\n2,0\n");
    folder.write("b.csv", "\u{feff}x,y\n1,1\n2,0\n");
    folder.write("c.ndjson", "\u{feff}{\"x\":1,\"y\":1}\n{\"x\":2,\"y\":0}\n");
    for file in ["a.csv", "b.csv", "c.ndjson"] {
        let text = description(&format!("[\"{file}\"]"), &input("x", "numeric"));
        assert_eq!(folder.load(&text).unwrap().rows.len(), 2, "{file}");
        assert_eq!(
            folder.dataset(&text).unwrap().columns().unwrap(),
            ["x", "y"]
        );
    }
    folder.write("d.csv", b"\xff\xfex\0,\0y\0\n\0");
    let message = folder.error(&description("[\"d.csv\"]", &input("x", "numeric")));
    names(&message, &["d.csv", "save it as UTF-8"]);
}

#[test]
fn positions_that_a_join_made_floats_are_whole_numbers() {
    let folder = Folder::with("a.csv", "x,place,y\n1,8.0,1\n2,,0\n3,2,0\n");
    folder.write(
        "a.ndjson",
        "{\"x\":1,\"place\":8.0,\"y\":1}\n{\"x\":2,\"y\":0}\n{\"x\":3,\"place\":2,\"y\":0}\n",
    );
    let mut frame =
        df!("x" => [1, 2, 3], "place" => [Some(8.0), None, Some(2.0)], "y" => [1, 0, 0]).unwrap();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
    for file in ["a.csv", "a.ndjson", "a.parquet"] {
        let more = "[columns]\nposition = \"place\"\n".to_owned() + &input("x", "numeric");
        let loaded = folder
            .load(&description(&format!("[\"{file}\"]"), &more))
            .unwrap();
        assert_eq!(
            loaded.rows.id(Role::Position).unwrap(),
            ["8", "", "2"],
            "{file}"
        );
    }
}

#[test]
fn broken_utf8_is_replaced_and_its_rows_are_counted() {
    let folder = Folder::with("a.csv", b"t,y\nok,1\nbr\xffken,0\n\xc3,1\n");
    folder.write(
        "a.ndjson",
        b"{\"t\":\"ok\",\"y\":1}\n{\"t\":\"br\xffken\",\"y\":0}\n{\"t\":\"\xc3\",\"y\":1}\n",
    );
    let mut frame = df!(
        "t" => [Some(b"ok".as_slice()), Some(b"br\xffken"), Some(b"\xc3")],
        "y" => [1i64, 0, 1],
    )
    .unwrap();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
    for file in ["a.csv", "a.ndjson", "a.parquet"] {
        let loaded = folder
            .load(&description(&format!("[\"{file}\"]"), &input("t", "text")))
            .unwrap();
        assert_eq!(loaded.lossy_rows, 2, "{file}");
        let Some(Column::Text(texts)) = &loaded.rows.columns[0] else {
            panic!("no text")
        };
        assert_eq!(texts[1], "br\u{fffd}ken", "{file}");
    }
}

#[test]
fn numbers_in_categories_become_their_shortest_decimal_form() {
    let folder = Folder::new();
    let mut frame = df!(
        "whole" => [1i64, -20, 3_000_000_000],
        "float" => [Some(1.0f64), None, Some(0.25)],
        "small" => [0.1f32, 1e10, f32::NAN],
        "flag" => [Some(true), Some(false), None],
        "y" => [1i64, 0, 1],
    )
    .unwrap();
    ParquetWriter::new(File::create(folder.path().join("a.parquet")).unwrap())
        .finish(&mut frame)
        .unwrap();
    let inputs: String = ["whole", "float", "small", "flag"]
        .map(|name| input(name, "categorical"))
        .concat();
    let loaded = folder
        .load(&description("[\"a.parquet\"]", &inputs))
        .unwrap();
    let texts = |index: usize| match &loaded.rows.columns[index] {
        Some(Column::Text(values)) => values.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    assert_eq!(texts(0), ["1", "-20", "3000000000"]);
    assert_eq!(texts(1), ["1", "", "0.25"]);
    assert_eq!(texts(2), ["0.1", "10000000000", ""]);
    assert_eq!(texts(3), ["true", "false", ""]);
}

#[test]
fn an_optional_column_may_be_absent_from_some_or_all_files() {
    let folder = Folder::with("a.csv", "x,y\n1,1\n2,0\n");
    folder.write("b.csv", "x,o,y\n3,30,1\n");
    let optional = |name: &str| input(name, "numeric") + "optional = true\n";
    let more = input("x", "numeric") + &optional("o") + &optional("never");
    let loaded = folder
        .load(&description("[\"a.csv\", \"b.csv\"]", &more))
        .unwrap();
    let Some(Column::Numeric(values)) = &loaded.rows.columns[1] else {
        panic!("no numbers")
    };
    assert!(values[0].is_nan() && values[1].is_nan() && values[2] == 30.0);
    assert_eq!(loaded.rows.columns[2], None);
    assert!(loaded.rows.all().is_ok());
}

#[test]
fn a_description_sums_up_every_column() {
    let folder = Folder::with("a.csv", CSV);
    folder.write("b.csv", CSV.replace("\r\n2,", "\r\n4,"));
    let dataset = folder
        .dataset(&described("*.csv").replace(
            "[[objective]]",
            "[[filter]]\ncolumn = \"id\"\nmin = 2\n[[objective]]",
        ))
        .unwrap();
    let description = describe(&dataset).unwrap();
    assert_eq!(description.files, ["a.csv", "b.csv"]);
    assert_eq!(
        (
            description.rows_read,
            description.rows_filtered,
            description.rows
        ),
        (6, 2, 4)
    );
    assert_eq!(description.duplicates, Some(1));
    assert_eq!(
        description
            .columns
            .iter()
            .map(|column| column.missing)
            .collect::<Vec<_>>(),
        [0, 2, 2, 2, 4, 4]
    );
    let range = description.columns[1].range.unwrap();
    assert_eq!((range.min, range.mean, range.max), (-2.0, -2.0, -2.0));
    assert_eq!(description.columns[3].examples, ["é"]);
    let objective = &description.objectives[0];
    assert_eq!(
        (objective.parts[0].rows, objective.parts[0].positives),
        (4, 2)
    );
    assert!((objective.parts[0].rate - 0.5).abs() < 1e-15);
    let tables = description.tables();
    assert!(
        tables
            .iter()
            .all(|table| table.rows.iter().all(|row| row.len() == table.header.len()))
    );
    names(&tables[2].title, &["bait = y", "4 kept", "2 filtered"]);
}
