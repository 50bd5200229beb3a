//! Arbitrary bytes in a file never cause a panic, a long message, or one with control characters.

#![expect(clippy::unwrap_used, reason = "a test program")]

use counterweight_dataset::{ParquetRows, describe};
use polars::prelude::*;
use proptest::prelude::*;

use crate::common::{Folder, description, input};

/// Longer than any message should be.
const LONG: usize = 2_000;

/// Reads the bytes in every way. The content decides whether that succeeds.
fn read(file: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let folder = Folder::with(file, bytes);
    let more = "[columns]\ntime = \"t\"\ngroup = \"g\"\n".to_owned()
        + "[[filter]]\ncolumn = \"x\"\nmin = -1e9\n"
        + &input("x", "numeric")
        + &input("l", "list")
        + &input("v", "vector")
        + "dim = 2\n"
        + "[split]\nby = \"time\"\ntrain = 0.5\ntest = 0.5\n";
    let dataset = folder
        .dataset(&description(&format!("[\"{file}\"]"), &more))
        .unwrap();
    let errors = [
        dataset.columns().map(drop).err(),
        dataset.load("bait").map(drop).err(),
        describe(&dataset).map(drop).err(),
    ];
    for error in errors.into_iter().flatten() {
        let message = error.to_string();
        prop_assert!(message.len() < LONG, "{message}");
        prop_assert!(!message.chars().any(char::is_control), "{message:?}");
        prop_assert!(!message.contains("Error("), "{message}");
    }
    Ok(())
}

/// Rows of a text format that are almost valid, with arbitrary bytes in between.
fn nearly(header: &'static str, pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| {
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(pieces.concat());
        bytes
    })
}

const CSV: &[&str] = &[
    ",",
    "\n",
    "\r\n",
    "\"",
    "\"\"",
    "1",
    "0",
    "a",
    "2024-02-03",
    "[\"a\"]",
    "\"[1, 2]\"",
    "1e999",
    "\u{feff}",
    "1,0,2024-02-03,a,[],\"[1, 2]\"\n",
    "2,1,2024-02-04,b,,\n",
];

const NDJSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\"x\":",
    "\"y\":1",
    "\"t\":\"2024-02-03\"",
    "NaN",
    "null",
    "\\ud800",
    "1e400",
    "\"",
    "{\"x\":1,\"y\":0,\"t\":\"2024-02-03\",\"g\":\"a\",\"l\":[\"a\"],\"v\":[1,2]}\n",
    "{\"x\":{\"a\":[1]},\"y\":\"1\",\"t\":5,\"g\":null,\"l\":[[1]],\"v\":[\"a\"]}\n",
];

/// A valid Parquet file.
fn parquet() -> Vec<u8> {
    let lists = Series::new(
        "l".into(),
        [
            Series::new("".into(), ["a"]),
            Series::new("".into(), ["b", "c"]),
        ],
    );
    let vectors = Series::new(
        "v".into(),
        [
            Series::new("".into(), [1.0, 2.0]),
            Series::new("".into(), [3.0, 4.0]),
        ],
    );
    let frame = df!(
        "x" => [1.0, 2.0], "y" => [1, 0], "t" => ["2024-02-03", "2024-02-04"],
        "g" => ["a", "b"], "l" => lists, "v" => vectors,
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut rows = ParquetRows::begin(&mut bytes, frame.schema()).unwrap();
    rows.write(&frame).unwrap();
    rows.finish().unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn csv(bytes in nearly("x,y,t,g,l,v\n", CSV)) {
        read("a.csv", &bytes)?;
    }

    #[test]
    fn ndjson(bytes in nearly("", NDJSON)) {
        read("a.ndjson", &bytes)?;
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 1..400)) {
        for file in ["a.csv", "a.ndjson", "a.parquet"] {
            read(file, &bytes)?;
        }
    }

    #[test]
    fn a_parquet_file_that_was_cut(cut in any::<prop::sample::Index>()) {
        let mut bytes = parquet();
        bytes.truncate(cut.index(bytes.len()).max(1));
        read("a.parquet", &bytes)?;
    }

    #[test]
    fn a_parquet_file_with_wrong_bytes(
        wrong in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = parquet();
        let length = bytes.len();
        wrong.iter().for_each(|(index, byte)| bytes[index.index(length)] = *byte);
        read("a.parquet", &bytes)?;
    }

    #[test]
    fn noise_between_the_marks_of_parquet(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let length = u32::try_from(noise.len()).unwrap().to_le_bytes();
        let bytes = [b"PAR1", noise.as_slice(), &length, b"PAR1"].concat();
        read("a.parquet", &bytes)?;
    }
}
