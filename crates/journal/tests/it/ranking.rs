//! The rows of a ranking.
#![allow(clippy::unwrap_used)]

use counterweight_journal::{
    Candidates, Columns, LoggedDraw, LoggedFeature, LoggedObjective, RankingRecord, Values,
};
use counterweight_tensor::{
    Datatype, encode_bool, encode_f32, encode_f64, encode_i64, encode_strings,
};
use prost::Message as _;

fn feature(name: &str, kind: &str, datatype: Datatype, contents: bytes::Bytes) -> LoggedFeature {
    LoggedFeature {
        name: name.to_owned(),
        kind: kind.to_owned(),
        side: "candidate".to_owned(),
        datatype: datatype.as_str().to_owned(),
        width: 1,
        candidates: Candidates::Page.into(),
        shared: false,
        contents,
    }
}

/// Three candidates, of which the third and the first are the page.
fn ranking() -> RankingRecord {
    RankingRecord {
        ranking_id: "r".to_owned(),
        request_id: "q".to_owned(),
        unit: "u".to_owned(),
        time_ms: 1_764_000_000_000,
        k: 2,
        profile: "default".to_owned(),
        revision: 7,
        ids: "aäbc".to_owned(),
        id_lengths: vec![1, 2, 2],
        page: vec![2, 0],
        objectives: vec![LoggedObjective {
            name: "engagement".to_owned(),
            weight: -0.5,
            model_version: "v1".to_owned(),
            probabilities: vec![0.1, 0.2, 0.3],
            ..LoggedObjective::default()
        }],
        ..RankingRecord::default()
    }
}

fn rows(record: &RankingRecord) -> Columns {
    RankingRecord::rows(&record.encode_to_vec()).unwrap()
}

fn values(columns: &Columns, name: &str) -> Values {
    let column = columns.0.iter().find(|one| one.name == name);
    column.unwrap().values.to_values()
}

fn texts(texts: &[&'static str]) -> Values {
    let text = |text: &&'static str| (!text.is_empty()).then(|| (*text).into());
    Values::Text(texts.iter().map(text).collect())
}

#[test]
fn a_row_for_each_candidate_says_what_was_ranked_and_where() {
    let columns = rows(&ranking());
    assert_eq!(values(&columns, "candidate_id"), texts(&["a", "ä", "bc"]));
    assert_eq!(values(&columns, "ranking_id"), texts(&["r", "r", "r"]));
    assert_eq!(values(&columns, "segment"), texts(&["", "", ""]));
    let positions = Values::Int32(vec![Some(2), None, Some(1)]);
    assert_eq!(values(&columns, "position"), positions);
    let probabilities = Values::Float64(vec![Some(0.1), Some(0.2), Some(0.3)]);
    assert_eq!(values(&columns, "p_engagement"), probabilities);
    assert_eq!(
        values(&columns, "w_engagement"),
        Values::Float64(vec![Some(-0.5); 3])
    );
    let names: Vec<_> = columns.0.iter().map(|one| &*one.name).collect();
    assert!(
        !names.contains(&"raw_engagement") && !names.contains(&"lambda"),
        "{names:?}"
    );
}

#[test]
fn an_objective_that_was_not_combined_has_its_columns_in_its_place() {
    let mut record = ranking();
    let missing = LoggedObjective {
        name: "bait".to_owned(),
        ..LoggedObjective::default()
    };
    record.objectives.insert(0, missing);
    let columns = rows(&record);
    assert_eq!(values(&columns, "p_bait"), Values::Float64(vec![None; 3]));
    assert_eq!(values(&columns, "w_bait"), Values::Float64(vec![None; 3]));
    let place = |name: &str| columns.0.iter().position(|one| one.name == name);
    assert!(place("p_bait") < place("p_engagement"));
}

#[test]
fn a_draw_and_raw_probabilities_are_there_where_the_ranking_has_them() {
    let mut record = ranking();
    record.objectives[0].raw = vec![0.4, 0.5, 0.6];
    record.draw = Some(LoggedDraw {
        lambda: 0.5,
        low: 0.0,
        high: 1.0,
        density: "uniform".to_owned(),
        seed: 9,
    });
    let columns = rows(&record);
    let raw = Values::Float64(vec![Some(0.4), Some(0.5), Some(0.6)]);
    assert_eq!(values(&columns, "raw_engagement"), raw);
    assert_eq!(
        values(&columns, "lambda"),
        Values::Float64(vec![Some(0.5); 3])
    );
    assert_eq!(
        values(&columns, "lambda_seed"),
        Values::Int64(vec![Some(9); 3])
    );
}

#[test]
fn features_have_the_type_of_their_kind_and_missing_ones_are_null() {
    let mut record = ranking();
    let page = |name, kind, datatype, contents| feature(name, kind, datatype, contents);
    record.features = vec![
        page("age", "numeric", Datatype::Int64, encode_i64(&[3, -1])),
        page(
            "seen",
            "numeric",
            Datatype::Fp32,
            encode_f32(&[f32::NAN, 0.1]),
        ),
        page(
            "link",
            "boolean",
            Datatype::Fp32,
            encode_f32(&[1.0, f32::NAN]),
        ),
        page("topic", "categorical", Datatype::Int64, encode_i64(&[7, 8])),
        page("text", "text", Datatype::Bytes, encode_strings(["x", ""])),
        page(
            "tags",
            "list",
            Datatype::Bytes,
            encode_strings([r#"["a","b"]"#, ""]),
        ),
        page("any", "", Datatype::Bool, encode_bool(&[true, false])),
        LoggedFeature {
            width: 2,
            ..page(
                "at",
                "vector of 2",
                Datatype::Fp32,
                encode_f32(&[1.0, 2.0, 3.0, 4.0]),
            )
        },
        LoggedFeature {
            shared: true,
            candidates: Candidates::All.into(),
            ..page(
                "country",
                "categorical",
                Datatype::Bytes,
                encode_strings(["de"]),
            )
        },
        LoggedFeature {
            shared: true,
            ..page("user", "", Datatype::Fp64, encode_f64(&[0.1]))
        },
        LoggedFeature {
            candidates: Candidates::All.into(),
            ..page(
                "all",
                "numeric",
                Datatype::Fp64,
                encode_f64(&[1.0, 2.0, 3.0]),
            )
        },
        page("time", "numeric", Datatype::Fp64, encode_f64(&[1.0, 2.0])),
    ];
    let columns = rows(&record);
    for (name, expected) in [
        ("age", Values::Float64(vec![Some(-1.0), None, Some(3.0)])),
        (
            "seen",
            Values::Float64(vec![Some(f64::from(0.1_f32)), None, None]),
        ),
        ("link", Values::Bool(vec![None, None, Some(true)])),
        ("topic", texts(&["8", "", "7"])),
        ("text", texts(&["", "", "x"])),
        (
            "tags",
            Values::TextList(vec![
                Some(vec![]),
                None,
                Some(vec!["a".to_owned(), "b".to_owned()]),
            ]),
        ),
        ("any", Values::Bool(vec![Some(false), None, Some(true)])),
        (
            "at",
            Values::FloatList(vec![Some(vec![3.0, 4.0]), None, Some(vec![1.0, 2.0])]),
        ),
        ("country", texts(&["de", "de", "de"])),
        ("user", Values::Float64(vec![Some(0.1), None, Some(0.1)])),
        (
            "all",
            Values::Float64(vec![Some(1.0), Some(2.0), Some(3.0)]),
        ),
        (
            "feature_time",
            Values::Float64(vec![Some(2.0), None, Some(1.0)]),
        ),
    ] {
        assert_eq!(values(&columns, name), expected, "{name}");
    }
    let described = columns.0.iter().find(|one| one.name == "at").unwrap();
    assert_eq!(described.description, "vector of 2 candidate");
}

#[test]
fn features_with_the_names_of_columns_all_have_their_own() {
    let mut record = ranking();
    let values = || encode_f64(&[1.0, 2.0]);
    record.features = ["time", "feature_time", "time"]
        .map(|name| feature(name, "numeric", Datatype::Fp64, values()))
        .into();
    let columns = RankingRecord::rows(&record.encode_to_vec()).unwrap();
    let names: Vec<&str> = columns
        .0
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let features = &names[names.len() - 3..];
    let expected = [
        "feature_time",
        "feature_feature_time",
        "feature_feature_feature_time",
    ];
    assert_eq!(features, expected);
}

#[test]
fn a_record_that_contradicts_itself_has_no_rows() {
    let refused = |change: fn(&mut RankingRecord)| {
        let mut record = ranking();
        change(&mut record);
        RankingRecord::rows(&record.encode_to_vec()).unwrap_err()
    };
    assert!(refused(|record| record.page = vec![3]).contains("page"));
    assert!(refused(|record| record.id_lengths = vec![1, 2, 1]).contains("lengths"));
    assert!(refused(|record| record.id_lengths = vec![2, 1, 2]).contains("lengths"));
    assert!(refused(|record| record.id_lengths = vec![9]).contains("lengths"));
    let short = |record: &mut RankingRecord| {
        let values = encode_f64(&[1.0]);
        record.features = vec![feature("short", "numeric", Datatype::Fp64, values)];
    };
    assert!(refused(short).contains("short"));
    assert!(RankingRecord::rows(b"\xff").is_err());
}
