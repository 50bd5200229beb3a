//! Artefacts with arbitrary bytes: loading returns an error, or a model that can score.
//!
//! Anybody can compute the hashes of a manifest, so a damaged file may have valid ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use counterweight_model::{Artefact, Batch, Column, Kind, Model, Report, latest, versions};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::common::arbitrary_model;

const CARD: &[u8] = b"# Card\n";

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a version folder with this model file and valid hashes.
fn write_version(folder: &Path, model: &[u8]) {
    let files = BTreeMap::from([
        ("MODEL_CARD.md", sha256(CARD)),
        ("model.json", sha256(model)),
    ]);
    let listing: String = files
        .iter()
        .map(|(name, hash)| format!("{hash}  {name}\n"))
        .collect();
    let version = &sha256(listing.as_bytes())[..16];
    let manifest = json!({ "format_version": 1, "version": version, "files": files });
    fs::write(folder.join("MODEL_CARD.md"), CARD).unwrap();
    fs::write(folder.join("model.json"), model).unwrap();
    fs::write(folder.join("MANIFEST.json"), manifest.to_string()).unwrap();
}

/// A batch of two rows for any schema, with all columns or without the optional ones; `None` if the
/// schema does not accept it.
fn any_batch(model: &Model, all: bool) -> Option<Batch<'static>> {
    let column = |kind: Kind| match kind {
        Kind::Numeric => Column::Numeric(vec![1e300, f64::NAN]),
        Kind::Boolean => Column::Numeric(vec![1.0, f64::NAN]),
        Kind::Categorical => Column::Text(vec!["t1".into(), "".into()]),
        Kind::Text => Column::Text(vec!["You won't believe 10 TRAINS!".into(), "".into()]),
        Kind::List => Column::List(vec![vec!["t1".into(), "h7".into()], vec![]]),
        Kind::Vector { dim } => Column::Vector {
            dim,
            values: (0..2 * dim)
                .map(|at| if at < dim { 1.0 } else { f32::NAN })
                .collect(),
        },
    };
    let columns = model.schema().inputs().iter().map(|input| {
        let optional = input.optional || input.served.is_some();
        (all || !optional).then(|| column(input.kind))
    });
    Batch::new(model.schema(), 2, columns.collect()).ok()
}

fn check(model: &Model) -> Result<(), TestCaseError> {
    for batch in [false, true]
        .into_iter()
        .filter_map(|all| any_batch(model, all))
    {
        let scores = model.score(&batch).unwrap();
        prop_assert_eq!(scores.probabilities.len(), 2);
        for p in scores.probabilities {
            // A sum of huge coefficients may be infinity minus infinity.
            prop_assert!(p.is_nan() || (0.0..=1.0).contains(&p), "{p}");
        }
        let contributions = model.contributions(&batch).unwrap();
        prop_assert_eq!(contributions.values.len(), 2 * contributions.features);
        prop_assert_eq!(
            model.encoders().encode(&batch).unwrap().columns.len(),
            model.coefficients().len()
        );
    }
    Ok(())
}

static MODEL_FILE: LazyLock<Value> = LazyLock::new(
    || json!({ "format_version": 1, "model": arbitrary_model(), "report": Report::default() }),
);

/// Collects the JSON pointers to every value of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

static POINTERS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut found = vec![];
    pointers(&MODEL_FILE, "", &mut found);
    found
});

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0_u64), Just(1), Just(u64::MAX), 0_u64..100].prop_map(Value::from),
        prop_oneof![Just(1e308), Just(-1e308), Just(1e-320), any::<f64>()].prop_map(Value::from),
        prop_oneof![
            Just(String::new()),
            Just("AAAAAAAAAAAAAAAAAAAA".to_owned()),
            ".*"
        ]
        .prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "vector": { "dim": 9_000_000_000_u64 } })),
    ]
}

/// A change of one value of a model file.
#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    /// Drops the last item or field.
    Shorten,
    /// Repeats the last item.
    Lengthen,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => any_value().prop_map(Change::Replace),
        1 => Just(Change::Shorten),
        1 => Just(Change::Lengthen),
    ]
}

fn apply(change: Change, value: &mut Value) {
    match (change, value) {
        (Change::Replace(new), value) => *value = new,
        (Change::Shorten, Value::Array(items)) => drop(items.pop()),
        (Change::Shorten, Value::Object(fields)) => {
            if let Some(last) = fields.keys().next_back().cloned() {
                fields.remove(&last);
            }
        }
        (Change::Lengthen, Value::Array(items)) => items.extend(items.last().cloned()),
        _ => {}
    }
}

#[test]
fn the_unchanged_file_loads_and_scores() {
    let folder = tempfile::tempdir().unwrap();
    write_version(folder.path(), MODEL_FILE.to_string().as_bytes());
    let model = Artefact::load(folder.path()).unwrap().model;
    assert_eq!(model, arbitrary_model());
    check(&model).unwrap();
    assert!(any_batch(&model, true).is_some() && any_batch(&model, false).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_values_of_a_model_file(changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..4)) {
        let mut file = MODEL_FILE.clone();
        for (at, change) in changes {
            let pointer: &String = at.get(&POINTERS);
            if let Some(value) = file.pointer_mut(pointer) {
                apply(change, value);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        write_version(folder.path(), file.to_string().as_bytes());
        if let Ok(artefact) = Artefact::load(folder.path()) {
            check(&artefact.model)?;
        }
    }

    #[test]
    fn damaged_bytes_of_a_model_file(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>(), whole in any::<bool>()) {
        let mut bytes = MODEL_FILE.to_string().into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        write_version(folder.path(), &bytes);
        if let Ok(artefact) = Artefact::load(folder.path()) {
            check(&artefact.model)?;
        }
    }

    #[test]
    fn any_bytes_in_any_file(bytes in prop::collection::vec(any::<u8>(), 0..200), file in prop::sample::select(&["MANIFEST.json", "MODEL_CARD.md", "model.json", "LATEST"][..])) {
        let folder = tempfile::tempdir().unwrap();
        let artefact = Artefact::save(arbitrary_model(), Report::default(), "# Card\n", folder.path()).unwrap();
        let version = folder.path().join(&artefact.version);
        let path = if file == "LATEST" { folder.path().join(file) } else { version.join(file) };
        let same = fs::read(&path).unwrap() == bytes;
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(Artefact::load(folder.path()).is_ok(), same);
        if file == "LATEST" {
            prop_assert!(latest(folder.path()).is_err());
        }
        prop_assert_eq!(versions(folder.path()).unwrap(), [artefact.version]);
    }
}
