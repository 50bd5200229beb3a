//! Folders as Spark and Hive write them: data files in folders whose names are columns, with
//! marker files next to them.

#![expect(clippy::unwrap_used, reason = "a test program")]

use std::fs::{self, File};

use counterweight_dataset::{Loaded, Part, describe};
use counterweight_model::Column;
use polars::prelude::*;

use crate::common::{Folder, description, input, names};

/// Two days of two rows each, with the additional files that Spark writes.
fn spark() -> Folder {
    let folder = Folder::new();
    for (day, x) in [("2024-01-02", 3.0), ("2024-01-01", 1.0)] {
        let part = folder.path().join(format!("log/dt={day}/hour=0%3A30"));
        fs::create_dir_all(&part).unwrap();
        let mut frame = df!("x" => [x, x + 1.0], "y" => [1, 0]).unwrap();
        ParquetWriter::new(File::create(part.join("part-0.snappy.parquet")).unwrap())
            .finish(&mut frame)
            .unwrap();
        fs::write(part.join(".part-0.snappy.parquet.crc"), "crc").unwrap();
    }
    fs::write(folder.path().join("log/_SUCCESS"), "").unwrap();
    fs::create_dir_all(folder.path().join("log/_temporary/0")).unwrap();
    fs::write(
        folder.path().join("log/_temporary/0/part-1.parquet"),
        "half",
    )
    .unwrap();
    folder
}

fn numbers(loaded: &Loaded) -> Vec<f64> {
    match &loaded.rows.columns[0] {
        Some(Column::Numeric(values)) => values.clone(),
        _ => Vec::new(),
    }
}

#[test]
fn a_folder_is_read_whole_without_its_markers() {
    let folder = spark();
    for files in ["log", "log/**/*.parquet", "log/*/*/*", "log/dt=*/**/part-*"] {
        let loaded = folder.load(&description(
            &format!("[\"{files}\"]"),
            &input("x", "numeric"),
        ));
        assert_eq!(numbers(&loaded.unwrap()), [1.0, 2.0, 3.0, 4.0], "{files}");
    }
    let one = "[\"log/dt=2024-01-02/hour=0%3A30/part-0.snappy.parquet\"]";
    let loaded = folder.load(&description(one, &input("x", "numeric")));
    assert_eq!(numbers(&loaded.unwrap()), [3.0, 4.0]);
}

#[test]
fn the_names_of_folders_are_columns() {
    let folder = spark();
    let more = "[columns]\ntime = \"dt\"\n".to_owned()
        + &input("x", "numeric")
        + &input("dt", "categorical")
        + &input("hour", "text")
        + "[split]\nby = \"time\"\ntrain = 0.5\ntest = 0.5\n";
    let text = description("[\"log\"]", &more);
    let loaded = folder.load(&text).unwrap();
    let texts = |index: usize| match &loaded.rows.columns[index] {
        Some(Column::Text(values)) => values.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    assert_eq!(
        texts(1),
        ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"]
    );
    assert_eq!(texts(2), ["0:30"; 4]);
    let (train, test) = (Part::Train, Part::Test);
    assert_eq!(loaded.parts, [train, train, test, test]);
    let dataset = folder.dataset(&text).unwrap();
    assert_eq!(dataset.columns().unwrap(), ["x", "y", "dt", "hour"]);
    let described = describe(&dataset).unwrap();
    assert_eq!(described.columns[1].distinct, Some(2));
}

#[test]
fn every_format_has_the_columns_of_its_path() {
    let folder = Folder::new();
    for (day, file, content) in [
        ("1", "a.csv", "x,y\n1,1\n"),
        ("2", "a.json", "{\"x\":2,\"y\":0}\n"),
        ("__HIVE_DEFAULT_PARTITION__", "a.csv", "x,y\n3,1\n"),
    ] {
        let part = folder.path().join(format!("log/day={day}"));
        fs::create_dir_all(&part).unwrap();
        fs::write(part.join(file), content).unwrap();
    }
    let loaded = folder
        .load(&description("[\"log\"]", &input("day", "numeric")))
        .unwrap();
    let days = numbers(&loaded);
    assert!(
        days[0] == 1.0 && days[1] == 2.0 && days[2].is_nan(),
        "{days:?}"
    );
}

#[test]
fn a_column_of_the_file_itself_comes_first() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join("day=1")).unwrap();
    folder.write("day=1/a.csv", "day,y\n7,1\n");
    let text = description("[\"day=1\"]", &input("day", "numeric"));
    assert_eq!(numbers(&folder.load(&text).unwrap()), [7.0]);
}

#[test]
fn a_file_that_is_named_exactly_is_always_read() {
    let folder = Folder::with("_a.csv", "x,y\n1,1\n");
    for files in ["_a.csv", "_*.csv"] {
        let text = description(&format!("[\"{files}\"]"), &input("x", "numeric"));
        assert_eq!(numbers(&folder.load(&text).unwrap()), [1.0]);
    }
    names(
        &folder.error(&description("[\"*.csv\"]", &input("x", "numeric"))),
        &["no file found"],
    );
    fs::create_dir(folder.path().join("empty")).unwrap();
    names(
        &folder.error(&description("[\"empty\"]", &input("x", "numeric"))),
        &["\"empty\"", "no file found"],
    );
}
