//! Request logs with features: probabilities are computed again to the bit, what cannot be is
//! counted, and a ranking is found and explained.
#![allow(clippy::unwrap_used)]

use std::{fs::File, path::PathBuf};

use counterweight_impressions::{
    Explained, FoundRanking, NotExplained, Rescored, find_ranking, nearest_ranking, read_ranking,
    replay,
};
use counterweight_model::{
    Artefact, Batch, Calibrator, Column, DEFAULT_MAX_TEXT_BYTES, Encoders, Feature, FeatureEncoder,
    Input, Kind, Model, ModelParts, Report, Schema,
    encoder::{Encoder, MultiHot, Numeric, OneHot, Standard, Vector},
};
use polars::prelude::{DataFrame, IntoColumn, NamedFrom, ParquetWriter, Series, df};
use tempfile::TempDir;

const RANKING: &str = "0189b5f4-a900-7000-8000-000000000000";
const LATER: &str = "0189b5f5-a900-7000-8000-000000000000";

/// A model with an input of each kind. One has the name of a column of the log, one is not sent
/// when serving, and one need not be sent.
fn artefact() -> (TempDir, Artefact) {
    let inputs = vec![
        Input::candidate("time", Kind::Numeric),
        Input::candidate("topic", Kind::Categorical),
        Input::candidate("tags", Kind::List),
        Input::candidate("embedding", Kind::Vector { dim: 2 }),
        Input::context("flag", Kind::Boolean),
        Input {
            served: Some(1.0),
            ..Input::candidate("position", Kind::Numeric)
        },
        Input {
            optional: true,
            ..Input::candidate("late", Kind::Numeric)
        },
    ];
    let features = inputs.iter().map(|input| Feature::of_input(&input.name));
    let schema = Schema::new(inputs.clone(), features.collect(), DEFAULT_MAX_TEXT_BYTES).unwrap();
    let standard = Standard { mean: 0.3, sd: 1.7 };
    let missing = true;
    let number = || {
        Encoder::Numeric(Numeric {
            standard: Some(standard),
            missing,
        })
    };
    let encoder = |input: &Input| match input.kind {
        Kind::Categorical => Encoder::OneHot(OneHot {
            categories: vec!["music".into(), "news".into()],
            other: true,
            missing,
        }),
        Kind::List => Encoder::MultiHot(MultiHot {
            elements: vec!["a".into(), "b".into()],
            everywhere: vec![],
            other: true,
            empty: true,
        }),
        Kind::Vector { dim } => Encoder::Vector(Vector {
            standards: vec![Some(standard); dim],
            missing,
        }),
        Kind::Boolean => Encoder::Boolean(counterweight_model::encoder::Boolean {
            rate: Some(0.4),
            missing,
        }),
        _ => number(),
    };
    let encoders = inputs.iter().map(|input| FeatureEncoder {
        encoder: encoder(input),
        notes: vec![],
    });
    let encoders = Encoders::new(schema, encoders.collect()).unwrap();
    let coefficients = (0..encoders.width()).map(|at| 0.7 - 0.13 * at as f64);
    let model = Model::new(ModelParts {
        objective: "engagement".into(),
        coefficients: coefficients.collect(),
        encoders,
        intercept: -0.3,
        prior_correction: None,
        calibrator: Calibrator::Platt {
            slope: 0.8,
            intercept: -0.1,
        },
    });
    let folder = tempfile::tempdir().unwrap();
    let saved = Artefact::save(model.unwrap(), Report::default(), "#\n", folder.path()).unwrap();
    (folder, saved)
}

/// What the model answers for the features of the log: everything once present and once missing.
fn answers(artefact: &Artefact) -> [f64; 2] {
    let columns = vec![
        Some(Column::Numeric(vec![7.25, f64::NAN])),
        Some(Column::Text(vec!["music".into(), "".into()])),
        Some(Column::List(vec![vec!["a".into(), "x".into()], vec![]])),
        Some(Column::Vector {
            dim: 2,
            values: vec![0.1, -0.7, f32::NAN, 0.5],
        }),
        Some(Column::Numeric(vec![1.0])),
        None,
        Some(Column::Numeric(vec![2.0, 3.0])),
    ];
    let batch = Batch::new(artefact.model.schema(), 2, columns).unwrap();
    let answers = artefact.model.score(&batch).unwrap().probabilities;
    [answers[0], answers[1]].map(|answer| f64::from(answer as f32))
}

/// A part with one ranking of three candidates and a page of two, and a later one of one candidate
/// without features.
fn part(artefact: &Artefact, change: impl FnOnce(&mut DataFrame)) -> (TempDir, PathBuf) {
    let [first, second] = answers(artefact);
    let model = artefact.version.as_str();
    let mut frame = df!(
        "ranking_id" => [RANKING, RANKING, RANKING, LATER],
        "request_id" => ["r", "r", "r", "s"],
        "user_id" => [Some("u"), Some("u"), Some("u"), None],
        "candidate_id" => ["a", "b", "c", "a"],
        "time" => [1_000_i64, 1_000, 1_000, 9_000],
        "k" => [2_i32, 2, 2, 1],
        "position" => [Some(1_i32), Some(2), None, Some(1)],
        "profile" => ["default"; 4],
        "revision" => [3_i64; 4],
        "segment" => [Some("de"), Some("de"), Some("de"), None],
        "p_engagement" => [0.9, 0.8, 0.7, 0.6],
        "w_engagement" => [2.0; 4],
        // The combiner calibrated the model's answers in the first ranking.
        "raw_engagement" => [Some(first), Some(second), Some(0.5), None],
        "model_engagement" => [model; 4],
        "p_bait" => [Some(0.25), Some(0.5), Some(0.75), None],
        "w_bait" => [Some(-1.0), Some(-1.0), Some(-1.0), None],
        "feature_time" => [Some(7.25), None, None, None],
        "topic" => [Some("music"), None, None, None],
        "flag" => [Some(true), Some(true), Some(true), Some(false)],
        "late" => [Some(2.0), Some(3.0), None, None],
    )
    .unwrap();
    let texts = |row: &[&str]| Series::new("".into(), row.to_vec());
    let tags = [texts(&["a", "x"]), texts(&[]), texts(&[]), texts(&[])];
    let floats = |row: &[f32]| Series::new("".into(), row.to_vec());
    let embeddings = [
        floats(&[0.1, -0.7]),
        floats(&[f32::NAN, 0.5]),
        floats(&[]),
        floats(&[]),
    ];
    for (name, lists) in [("tags", tags), ("embedding", embeddings)] {
        let column = Series::new(name.into(), lists).into_column();
        frame.with_column(column).unwrap();
    }
    change(&mut frame);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.parquet");
    ParquetWriter::new(File::create(&path).unwrap())
        .finish(&mut frame)
        .unwrap();
    (folder, path)
}

fn rescored(change: impl FnOnce(&mut DataFrame)) -> Rescored {
    let (_folder, artefact) = artefact();
    let (_part, path) = part(&artefact, change);
    let replayed = replay([path.as_path()], &[artefact]).unwrap();
    replayed.probabilities.unwrap()
}

fn drop(frame: &mut DataFrame, columns: &[&str]) {
    for column in columns {
        frame.drop_in_place(column).unwrap();
    }
}

#[test]
fn logged_features_give_the_logged_probabilities_to_the_bit() {
    let rescored = rescored(|_| {});
    assert_eq!((rescored.compared, rescored.differing), (2, 0));
    // The third candidate was not shown, and the second ranking has no features.
    assert_eq!(rescored.without_features, 2);
    assert_eq!(
        rescored.without_model, 3,
        "bait was a column of the request"
    );
    assert!(rescored.not_at_hand.is_empty() && rescored.not_logged.is_empty());
    assert!(rescored.without_optional.is_empty());
}

#[test]
fn one_bit_is_a_difference() {
    let rescored = rescored(|frame| {
        let raw = frame.column("raw_engagement").unwrap().f64().unwrap();
        let mut raw: Vec<_> = raw.iter().collect();
        raw[1] = raw[1].map(f64::next_up);
        let raw = Series::new("raw_engagement".into(), raw);
        frame.replace("raw_engagement", raw.into()).unwrap();
    });
    assert_eq!((rescored.compared, rescored.differing), (2, 1));
    let difference = &rescored.differences[0];
    assert_eq!(
        (difference.ranking.as_str(), difference.candidate.as_str()),
        (RANKING, "b")
    );
    assert_eq!(difference.objective, "engagement");
    assert_eq!(difference.logged, difference.computed.next_up());
}

#[test]
fn without_a_calibrator_of_the_combiner_its_probability_is_compared() {
    let rescored = rescored(|frame| drop(frame, &["raw_engagement"]));
    assert_eq!((rescored.compared, rescored.differing), (2, 2));
    assert_eq!(rescored.differences[0].logged, 0.9);
}

#[test]
fn what_cannot_be_computed_again_is_counted() {
    // The feature is configured with `log = false`.
    let unlogged = rescored(|frame| drop(frame, &["topic"]));
    assert_eq!(unlogged.compared, 0);
    assert_eq!(unlogged.not_logged[0].features, ["topic"]);
    assert_eq!(unlogged.not_logged[0].probabilities, 4);

    // The log has the attributes of requests alone.
    let candidates = ["feature_time", "topic", "tags", "embedding", "late"];
    let none = rescored(|frame| drop(frame, &candidates));
    assert_eq!((none.compared, none.without_features), (0, 4));
    assert!(none.not_logged.is_empty());

    let other = rescored(|frame| {
        let models = Series::new("model_engagement".into(), ["v1", "v1", "v2", "v2"]);
        frame.replace("model_engagement", models.into()).unwrap();
    });
    assert_eq!(other.compared, 0);
    let versions = other.not_at_hand.iter();
    let versions: Vec<_> = versions
        .map(|one| (one.version.as_str(), one.probabilities))
        .collect();
    assert_eq!(versions, [("v1", 2), ("v2", 2)]);

    let optional = rescored(|frame| drop(frame, &["late"]));
    assert_eq!(optional.without_optional[0].features, ["late"]);
    assert_eq!((optional.compared, optional.differing), (2, 2));
}

#[test]
fn a_column_of_the_log_is_not_taken_for_a_feature_of_its_name() {
    // Without `feature_time` the log does not have the feature `time`, although it has that column.
    let rescored = rescored(|frame| drop(frame, &["feature_time"]));
    assert_eq!(rescored.not_logged[0].features, ["time"]);
}

#[test]
fn a_ranking_is_found_by_its_id_and_by_its_unit_and_time() {
    let (_folder, artefact) = artefact();
    let (_part, path) = part(&artefact, |_| {});
    let found = FoundRanking {
        part: path.clone(),
        ranking: RANKING.to_owned(),
        time_ms: 1_000,
    };
    let parts = [path];
    assert_eq!(find_ranking(&parts, RANKING).unwrap(), Some(found.clone()));
    assert_eq!(find_ranking(&parts, "0189").unwrap(), None);
    let units = ["hash".to_owned(), "u".to_owned()];
    assert_eq!(nearest_ranking(&parts, &units, 8_000).unwrap(), Some(found));
    assert_eq!(nearest_ranking(&parts, &units[..1], 8_000).unwrap(), None);
}

#[test]
fn a_ranking_is_read_whole_and_its_logits_are_sums_of_their_terms() {
    let (_folder, artefact) = artefact();
    let (_part, path) = part(&artefact, |_| {});
    let found = find_ranking(&[path], RANKING).unwrap().unwrap();
    let artefacts = [artefact];
    let ranking = read_ranking(&found, &artefacts).unwrap();
    let request = &ranking.request;
    assert_eq!(request.candidates, ["a", "b", "c"]);
    assert_eq!((request.page.as_slice(), request.k), (&[0, 1][..], 2));
    assert_eq!((request.revision, request.time_ms), (3, 1_000));
    assert_eq!(request.segment.as_deref(), Some("de"));
    assert_eq!(
        ranking.scores(),
        [2.0 * 0.9 - 0.25, 2.0 * 0.8 - 0.5, 2.0 * 0.7 - 0.75]
    );
    assert_eq!(ranking.page_at(&[0.0, 1.0]), [2, 1]);
    assert_eq!(ranking.explained[1], Explained::Not(NotExplained::NoModel));
    let Explained::Candidates(rows) = &ranking.explained[0] else {
        unreachable!("{:?}", ranking.explained)
    };
    assert_eq!(
        rows.iter().map(|row| row.candidate).collect::<Vec<_>>(),
        [0, 1]
    );
    let expected = answers(&artefacts[0]);
    for (row, expected) in rows.iter().zip(expected) {
        assert_eq!(row.probability, expected);
        let terms = row.features.iter().flat_map(|feature| &feature.terms);
        let sum = terms.fold(row.offset, |sum, term| sum + term.term);
        assert_eq!(sum.to_bits(), row.logit.to_bits());
        assert_eq!(row.features.last().unwrap().logit_after, row.logit);
    }
    let value = |row: usize, feature: &str| {
        let mut features = rows[row].features.iter();
        let found = features.find(|own| own.feature == feature).unwrap();
        found.inputs[0].value.clone()
    };
    assert_eq!(value(0, "tags").as_deref(), Some("a, x"));
    assert_eq!(value(0, "time").as_deref(), Some("7.25"));
    assert_eq!(value(0, "flag").as_deref(), Some("true"));
    assert_eq!((value(1, "topic"), value(1, "time")), (None, None));
    assert_eq!(
        value(0, "position").as_deref(),
        Some("1"),
        "the served value"
    );

    // The other ranking was combined without bait, and has no features.
    let found = FoundRanking {
        ranking: LATER.to_owned(),
        ..found
    };
    let ranking = read_ranking(&found, &artefacts).unwrap();
    assert_eq!(ranking.not_combined, ["bait"]);
    assert_eq!(ranking.scores(), [1.2]);
    assert_eq!(
        ranking.explained,
        [Explained::Not(NotExplained::WithoutFeatures)]
    );
    let ranking = read_ranking(&found, &[]).unwrap();
    assert_eq!(ranking.explained, [Explained::Not(NotExplained::NotAtHand)]);
}
