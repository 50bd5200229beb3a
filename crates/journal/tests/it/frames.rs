//! Properties of the segment format: what is read back is what was written, or less, never
//! something else.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use counterweight_journal::{Found, Frames, Header, JournalError, Kind, encode_frame};
use proptest::{collection::vec, prelude::*};

fn header() -> Header {
    let run = uuid::Uuid::from_u128(7);
    Header {
        kind: Kind::Requests,
        run,
        hour: 490_000,
    }
}

fn segment(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = header().encode();
    for record in records {
        bytes.extend(encode_frame(record).unwrap());
    }
    bytes
}

fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let found = Frames::new(bytes).filter_map(|found| match found {
        Found::Record(payload) => Some(payload.to_vec()),
        Found::Damaged { .. } => None,
    });
    found.collect()
}

fn some_records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 1..60), 1..12)
}

/// Whether the one is the other with some records left out.
fn is_subsequence(part: &[Vec<u8>], whole: &[Vec<u8>]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|record| whole.any(|other| other == record))
}

proptest! {
    #[test]
    fn records_come_back(written in some_records()) {
        let bytes = segment(&written);
        prop_assert_eq!(Header::decode(Path::new("s"), &bytes).unwrap(), Some(header()));
        let mut frames = Frames::new(&bytes);
        prop_assert_eq!(frames.by_ref().count(), written.len());
        prop_assert_eq!(frames.end(), bytes.len() as u64);
        prop_assert_eq!(records(&bytes), written);
    }

    #[test]
    fn any_truncation_gives_a_prefix(written in some_records(), zeros in 0usize..40) {
        let bytes = segment(&written);
        for length in 0..bytes.len() {
            let mut cut = bytes[..length].to_vec();
            prop_assert!(Header::decode(Path::new("s"), &cut).is_ok());
            prop_assert!(written.starts_with(&records(&cut)));
            // A crash may also leave zeros where bytes were to come.
            cut.resize(length + zeros, 0);
            let found = records(&cut);
            prop_assert!(written.starts_with(&found), "{found:?}");
            let damaged = |found: Found<'_>| matches!(found, Found::Damaged { .. });
            prop_assert!(!Frames::new(&cut).any(damaged));
        }
    }

    #[test]
    fn a_flipped_byte_costs_one_record(written in some_records(), bits in 1u8..) {
        let bytes = segment(&written);
        for at in header().encode().len()..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= bits;
            let found = records(&flipped);
            prop_assert!(is_subsequence(&found, &written));
            prop_assert_eq!(found.len(), written.len() - 1);
        }
    }

    #[test]
    fn a_flipped_header_is_never_another_header(at in 0usize..44, bits in 1u8..) {
        let mut bytes = header().encode();
        bytes[at] ^= bits;
        prop_assert!(Header::decode(Path::new("s"), &bytes).is_err());
    }

    #[test]
    fn noise_is_read_without_panic(noise in vec(any::<u8>(), 0..2000)) {
        let _ = Header::decode(Path::new("s"), &noise);
        let _ = Frames::new(&noise).count();
    }
}

#[test]
fn damage_is_reported_where_it_is() {
    let written = [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
    let mut bytes = segment(&written);
    let second = 44 + 8 + 3;
    bytes[second + 9] ^= 1;
    let found: Vec<_> = Frames::new(&bytes).collect();
    let damaged = Found::Damaged {
        offset: second as u64,
        bytes: 11,
    };
    assert_eq!(
        found,
        [Found::Record(b"one"), damaged, Found::Record(b"three")]
    );
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let mut bytes = header().encode();
    bytes[8] = 2;
    let error = Header::decode(Path::new("wal/a.seg"), &bytes).unwrap_err();
    assert!(matches!(
        error,
        JournalError::NewerVersion {
            found: 2,
            known: 1,
            ..
        }
    ));
    assert!(error.to_string().contains("wal/a.seg"), "{error}");
}

#[test]
fn a_length_is_not_believed() {
    let mut bytes = header().encode();
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend([1; 100]);
    assert_eq!(Frames::new(&bytes).count(), 0);
    assert_eq!(encode_frame(&[]), None);
}
