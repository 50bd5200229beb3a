//! Time columns: text is compared as instants and never as text. Times that cannot be compared are
//! rejected.

#![expect(clippy::unwrap_used, reason = "a test program")]

use std::fs::File;

use counterweight_dataset::{Loaded, Part, describe};
use polars::prelude::*;

use crate::common::{Folder, description, input, names};

const ROLES: &str = "[columns]\ntime = \"when\"\n";

fn by_time(files: &str) -> String {
    description(files, &(ROLES.to_owned() + &input("x", "numeric")))
        + "[split]\nby = \"time\"\ntrain = 0.5\ntest = 0.5\n"
}

fn csv(times: &[&str]) -> Folder {
    let rows = times.iter().enumerate();
    let rows: String = rows
        .map(|(row, time)| format!("{row},{},{time}\n", row % 2))
        .collect();
    Folder::with("a.csv", format!("x,y,when\n{rows}"))
}

fn load(times: &[&str]) -> Loaded {
    csv(times).load(&by_time("[\"a.csv\"]")).unwrap()
}

fn refused(times: &[&str]) -> String {
    csv(times).error(&by_time("[\"a.csv\"]"))
}

#[test]
fn instants_are_ordered_whatever_their_offsets_and_forms() {
    let loaded = load(&[
        "2024-02-03T23:30:00-05:00", // the 4th in UTC: the last
        "2024-02-04T01:00:00+02:00", // still the 3rd in UTC
        "2024-02-03T23:15:00.5Z",
        "2024-02-03",
    ]);
    assert_eq!(
        loaded.parts,
        [Part::Test, Part::Train, Part::Test, Part::Train]
    );
}

#[test]
fn the_training_part_is_the_past() {
    // As text, the days would be ordered by their first digit.
    let message = refused(&["03/02/2024 00:00", "05/11/2023 00:00"]);
    names(
        &message,
        &["\"when\"", "a.csv", "row 1", "03/02/2024", "ISO 8601"],
    );
    let message = refused(&["2024-02-03", "2023-11-5"]);
    names(&message, &["row 2", "2023-11-5", "ISO 8601"]);
}

#[test]
fn a_missing_time_is_refused_only_in_a_split_by_time() {
    names(
        &refused(&["2024-02-03", ""]),
        &["row 2", "needs one in every row"],
    );
    let text = description("[\"a.csv\"]", &(ROLES.to_owned() + &input("x", "numeric")));
    let folder = csv(&["2024-02-03", "", "2024-02-01"]);
    let described = describe(&folder.dataset(&text).unwrap()).unwrap();
    let part = &described.objectives[0].parts[0];
    assert_eq!(part.first_time.as_deref(), Some("2024-02-01T00:00:00Z"));
    assert_eq!(part.last_time.as_deref(), Some("2024-02-03T00:00:00Z"));
}

#[test]
fn all_rows_must_have_one_form_and_one_unit() {
    names(
        &refused(&["1706918400", "2024-02-03"]),
        &["row 2", "2024-02-03", "like those before"],
    );
    let message = refused(&["1706918400", "1706918401", "1706918402000"]);
    names(
        &message,
        &["row 3", "1706918402000", "seconds", "milliseconds", "row 1"],
    );
    let message = refused(&["1706918402000000000", "1706918400000000"]);
    names(&message, &["row 2", "nanoseconds", "microseconds"]);
    // A count since a start passes through all magnitudes.
    let count = ["1", "2000000000", "100000000000", "2000000000000"];
    assert_eq!(
        load(&count).parts,
        [Part::Train, Part::Train, Part::Test, Part::Test]
    );
    names(&refused(&["1", "inf"]), &["row 2", "inf"]);
}

#[test]
fn units_are_compared_over_files_too() {
    let folder = Folder::with("a.csv", "x,y,when\n1,1,1706918400\n2,0,1706918401\n");
    folder.write("b.csv", "x,y,when\n1,1,1706918402000\n");
    let message = folder.error(&by_time("[\"*.csv\"]"));
    names(&message, &["b.csv", "row 1", "milliseconds", "a.csv"]);
}

#[test]
fn typed_times_of_every_unit_are_instants() {
    let folder = Folder::new();
    let write = |name: &str, when: Series| {
        let mut frame = df!("x" => [1.0, 2.0], "y" => [1, 0]).unwrap();
        frame.with_column(when.into_column()).unwrap();
        ParquetWriter::new(File::create(folder.path().join(name)).unwrap())
            .finish(&mut frame)
            .unwrap();
    };
    let second = 1_706_918_400i64; // 2024-02-03T00:00:00Z
    let times = |unit, factor: i64, after: i64| {
        let counts = [(second + after) * factor, (second + after + 1) * factor];
        let counts = Series::new("when".into(), counts);
        counts.cast(&DataType::Datetime(unit, None)).unwrap()
    };
    write("a.parquet", times(TimeUnit::Nanoseconds, 1_000_000_000, 20));
    write("b.parquet", times(TimeUnit::Milliseconds, 1_000, 30));
    write("c.parquet", times(TimeUnit::Microseconds, 1_000_000, 10));
    let days = Series::new("when".into(), [19_756i32, 19_757]);
    write("d.parquet", days.cast(&DataType::Date).unwrap());
    folder.write(
        "e.csv",
        "x,y,when\n1,1,2024-02-03T00:00:40Z\n2,0,2024-02-03T02:00:41+02:00\n",
    );
    let text = by_time("[\"*.parquet\", \"e.csv\"]");
    let loaded = folder.load(&text).unwrap();
    let (train, test) = (Part::Train, Part::Test);
    // In time order, the first and the last of the ten rows are in d.
    let expected = [
        train, train, test, test, train, train, train, test, test, test,
    ];
    assert_eq!(loaded.parts, expected);
    let described = describe(&folder.dataset(&text).unwrap()).unwrap();
    let parts = &described.objectives[0].parts;
    assert_eq!(parts[0].first_time.as_deref(), Some("2024-02-03T00:00:00Z"));
    assert_eq!(parts[0].last_time.as_deref(), Some("2024-02-03T00:00:21Z"));
    assert_eq!(parts[1].first_time.as_deref(), Some("2024-02-03T00:00:30Z"));
    assert_eq!(parts[1].last_time.as_deref(), Some("2024-02-04T00:00:00Z"));
}

#[test]
fn a_description_shows_the_times_of_each_part() {
    let folder = csv(&["30", "10", "20", "40"]);
    let dataset = folder.dataset(&by_time("[\"a.csv\"]")).unwrap();
    let tables = describe(&dataset).unwrap().tables();
    let objective = tables.last().unwrap();
    let shown = |row: usize| objective.rows[row][5..].join(" to ");
    assert_eq!(objective.header[5..], ["first time", "last time"]);
    assert_eq!([shown(0), shown(1)], ["10 to 20", "30 to 40"]);
}
