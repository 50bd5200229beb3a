//! Parquet files of another writer, with that writer's own types: categories, arrays of a fixed
//! length, times with a zone. `fixtures/foreign.py` wrote the files.

use crate::common;

use std::path::Path;

use common::{description, input, names};
use counterweight_dataset::{Dataset, DatasetError, Loaded, Part, Role};
use counterweight_model::Column;

fn load(more: &str) -> Result<Loaded, DatasetError> {
    load_file("foreign.parquet", more)
}

fn load_file(file: &str, more: &str) -> Result<Loaded, DatasetError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let text = description(&format!("[\"{file}\"]"), more);
    Dataset::parse(&text, "test.toml", &folder)?.load("bait")
}

#[test]
fn categories_fixed_lists_and_times_are_read() {
    let more = "[columns]\ntime = \"when\"\n".to_owned()
        + &input("category", "categorical")
        + &input("fixed", "vector")
        + "dim = 2\n"
        + &input("tags", "list")
        + &input("small", "numeric")
        + &input("nothing", "text")
        + "[split]\nby = \"time\"\ntrain = 0.5\ntest = 0.5\n";
    let loaded = load(&more).unwrap();
    let columns = &loaded.rows.columns;
    let Some(Column::Text(categories)) = &columns[0] else {
        panic!("no categories")
    };
    assert_eq!(categories, &["a", "", "b"]);
    let Some(Column::Vector { values, .. }) = &columns[1] else {
        panic!("no vectors")
    };
    assert_eq!(
        (&values[..2], &values[4..]),
        (&[1.0f32, 2.0][..], &[3.0f32, 4.0][..])
    );
    assert!(values[2].is_nan() && values[3].is_nan());
    let tags = vec![vec!["x".to_owned(), "y".to_owned()], vec![], vec![]];
    assert_eq!(columns[2], Some(Column::List(tags)));
    let Some(Column::Numeric(small)) = &columns[3] else {
        panic!("no numbers")
    };
    assert!(small[0] == 1.0 && small[1].is_nan() && small[2] == 255.0);
    assert_eq!(loaded.parts, [Part::Train, Part::Train, Part::Test]);
    assert!(loaded.rows.id(Role::Time).unwrap()[0].starts_with("2024-05-01"));
}

#[test]
fn types_that_cannot_be_features_are_refused_by_name() {
    for (column, kind) in [("clock", "numeric"), ("record", "text")] {
        let message = load(&input(column, kind)).unwrap_err().to_string();
        names(
            &message,
            &[column, "foreign.parquet", "write it as one of these"],
        );
    }
}

#[test]
fn decimals_are_numbers_and_those_without_a_fraction_integers() {
    let more = "[columns]\ncandidate = \"id\"\n".to_owned()
        + "[[filter]]\ncolumn = \"y\"\nin = [0, 1]\n"
        + &input("price", "numeric")
        + &input("small", "numeric")
        + &input("medium", "categorical")
        + &input("large", "text")
        + "column = \"id\"\n";
    let loaded = load_file("decimals.parquet", &more).unwrap();
    let ids = [
        "1577134800018226901",
        "",
        "10000000000000000000000000000000000000",
    ];
    assert_eq!(loaded.rows.id(Role::Candidate).unwrap(), ids);
    for column in &loaded.rows.columns[..2] {
        let Some(Column::Numeric(values)) = column else {
            panic!("no numbers")
        };
        assert!(values[0] == 1.5 && values[1].is_nan() && values[2] == -0.25);
    }
    let Some(Column::Text(medium)) = &loaded.rows.columns[2] else {
        panic!("no categories")
    };
    assert_eq!(medium, &["1.5", "", "-0.25"]);
    assert_eq!(loaded.labels(&[0, 1]).unwrap().values, [true, false, true]);
    let loaded = load(&input("price", "numeric")).unwrap();
    assert_eq!(loaded.rows.columns[0], Some(Column::Numeric(vec![1.5; 3])));
    let message = load_file("decimals.parquet", &input("wide", "numeric")).unwrap_err();
    names(
        &message.to_string(),
        &["wide", "Decimal", "write it as one of these"],
    );
}
