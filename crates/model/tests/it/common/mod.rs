//! Shared by several tests: a schema with every kind of input, random columns for it, and a model
//! with arbitrary numbers.
#![allow(dead_code, reason = "each test binary uses some of these")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::borrow::Cow;

use counterweight_model::encoder::text::{
    GramBuffer, GramColumn, GramKind, STATISTICS, StatisticColumn,
};
use counterweight_model::encoder::{
    Boolean, Encoder, MeanTarget, MultiHot, Numeric, OneHot, Standard, Table, Target, Text, Vector,
    hash,
};
use counterweight_model::{
    Calibrator, Column, Encoded, Encoders, Expression, Feature, FeatureEncoder, Input, Kind, Model,
    ModelParts, Schema,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A schema with every kind of input and every expression.
pub(crate) fn every_kind() -> Schema {
    let inputs = vec![
        Input::candidate("number", Kind::Numeric),
        Input::candidate("flag", Kind::Boolean),
        Input::candidate("topic", Kind::Categorical),
        Input::candidate("author", Kind::Categorical),
        Input::candidate("title", Kind::Text),
        Input::candidate("tags", Kind::List),
        Input::candidate("hashtags", Kind::List),
        Input::candidate("embedding", Kind::Vector { dim: 3 }),
        Input::context("hour", Kind::Numeric),
        Input::context("interest", Kind::Categorical),
        Input::context("taste", Kind::Vector { dim: 3 }),
        Input {
            served: Some(1.0),
            ..Input::context("position", Kind::Numeric)
        },
        Input {
            optional: true,
            ..Input::candidate("late", Kind::Numeric)
        },
    ];
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let named = |name: &str, of: Expression| Feature {
        name: name.into(),
        of,
    };
    let ((nu, ho), (to, int), (em, ta)) = (
        pair("number", "hour"),
        pair("topic", "interest"),
        pair("embedding", "taste"),
    );
    let mut features: Vec<Feature> = inputs
        .iter()
        .map(|input| Feature::of_input(&input.name))
        .collect();
    features.extend([
        named(
            "log",
            Expression::Log1p {
                input: "number".into(),
            },
        ),
        named(
            "rate",
            Expression::Ratio {
                numerator: nu.clone(),
                denominator: ho.clone(),
            },
        ),
        named(
            "both",
            Expression::Product {
                left: nu,
                right: ho,
            },
        ),
        named(
            "cross",
            Expression::Pair {
                left: to.clone(),
                right: int.clone(),
            },
        ),
        named(
            "same",
            Expression::Equal {
                left: to,
                right: int.clone(),
            },
        ),
        named(
            "liked",
            Expression::Contains {
                list: "tags".into(),
                item: int,
            },
        ),
        named(
            "fit",
            Expression::Dot {
                left: em,
                right: ta,
            },
        ),
    ]);
    Schema::new(inputs, features, 4096).unwrap()
}

/// Random columns for [`every_kind`] with one value per row and missing values of every kind. The
/// input `late` is absent if `late` is false.
pub(crate) fn columns(seed: u64, rows: usize, late: bool) -> Vec<Option<Column<'static>>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let words = [
        "you", "won't", "believe", "council", "TRAINS", "münchen", "10", "?", "!", "🙂",
    ];
    let mut numbers = |scale: f64, missing: f64| {
        Column::Numeric(
            (0..rows)
                .map(|_| {
                    if rng.random_bool(missing) {
                        f64::NAN
                    } else {
                        rng.random_range(0.0..scale)
                    }
                })
                .collect(),
        )
    };
    let (number, hour, position, late_values) = (
        numbers(50.0, 0.1),
        numbers(24.0, 0.1),
        numbers(9.0, 0.0),
        numbers(1.0, 0.5),
    );
    let flag = Column::Numeric(
        (0..rows)
            .map(|_| [0.0, 1.0, 1.0, f64::NAN][rng.random_range(0..4)])
            .collect(),
    );
    let mut names = |prefix: &str, many: usize| {
        let name = |at: usize| {
            if at == 0 {
                String::new()
            } else {
                format!("{prefix}{at}")
            }
        };
        Column::Text(
            (0..rows)
                .map(|_| Cow::Owned(name(rng.random_range(0..many))))
                .collect(),
        )
    };
    let (topic, author, interest) = (names("t", 6), names("a", 200), names("t", 6));
    let title = (0..rows).map(|_| {
        let count = rng.random_range(0..9);
        (0..count)
            .map(|_| words[rng.random_range(0..words.len())])
            .collect::<Vec<_>>()
            .join(" ")
            .into()
    });
    let title = Column::Text(title.collect());
    let mut lists = |prefix: &str, many: usize| {
        let list = |count: usize, rng: &mut StdRng| {
            (0..count)
                .map(|_| format!("{prefix}{}", rng.random_range(1..many)))
                .collect()
        };
        Column::List(
            (0..rows)
                .map(|_| {
                    let count = rng.random_range(0..4);
                    list(count, &mut rng)
                })
                .collect(),
        )
    };
    let (tags, hashtags) = (lists("t", 6), lists("h", 300));
    let mut vectors = || {
        let mut values: Vec<f32> = (0..rows * 3).map(|_| rng.random_range(-1.0..1.0)).collect();
        values.chunks_mut(3).for_each(|row| {
            if rng.random_bool(0.1) {
                row[1] = f32::NAN;
            }
        });
        Column::Vector { dim: 3, values }
    };
    let (embedding, taste) = (vectors(), vectors());
    let columns = [
        number, flag, topic, author, title, tags, hashtags, embedding, hour, interest, taste,
        position,
    ]
    .into_iter()
    .map(Some);
    columns.chain([late.then_some(late_values)]).collect()
}

pub(crate) fn random_labels(seed: u64, rows: usize) -> Vec<bool> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..rows).map(|_| rng.random_bool(0.4)).collect()
}

pub(crate) fn random_folds(rows: usize, folds: u32) -> Vec<u32> {
    let mut rng = StdRng::seed_from_u64(8);
    (0..rows).map(|_| rng.random_range(0..folds)).collect()
}

/// A model for [`every_kind`] with an encoder of each kind and arbitrary numbers.
pub(crate) fn arbitrary_model() -> Model {
    let schema = every_kind();
    let encoder = |feature: &Feature| FeatureEncoder {
        encoder: arbitrary_encoder(&feature.name, schema.feature_kind(feature).unwrap()),
        notes: vec![],
    };
    let encoders = schema.features().iter().map(encoder).collect();
    model_of(Encoders::new(schema, encoders).unwrap())
}

fn arbitrary_encoder(feature: &str, kind: Kind) -> Encoder {
    let standard = Standard { mean: 0.3, sd: 1.7 };
    let missing = true;
    let topics = || (1..5).map(|at| format!("t{at}"));
    match kind {
        Kind::Numeric => Encoder::Numeric(Numeric {
            standard: Some(standard),
            missing,
        }),
        Kind::Boolean => Encoder::Boolean(Boolean {
            rate: Some(0.4),
            missing,
        }),
        Kind::Categorical if feature == "author" => Encoder::Target(Target {
            standard,
            missing,
            table: table((1..150).map(|at| hash(format!("a{at}").as_bytes()))),
        }),
        Kind::Categorical => Encoder::OneHot(OneHot {
            categories: match feature {
                "cross" => topics()
                    .flat_map(|left| topics().map(move |right| format!("{left}\u{1f}{right}")))
                    .collect(),
                _ => topics().collect(),
            },
            other: true,
            missing,
        }),
        Kind::List if feature == "tags" => Encoder::MultiHot(MultiHot {
            elements: topics().collect(),
            everywhere: vec![],
            other: true,
            empty: true,
        }),
        Kind::List => Encoder::MeanTarget(MeanTarget {
            standard,
            empty: true,
            table: table((1..200).map(|at| hash(format!("h{at}").as_bytes()))),
        }),
        Kind::Vector { dim } => Encoder::Vector(Vector {
            standards: vec![Some(standard); dim],
            missing,
        }),
        Kind::Text => Encoder::Text(arbitrary_text_encoder(standard)),
    }
}

fn arbitrary_text_encoder(standard: Standard) -> Text {
    let score = |name: &str, kinds: &[GramKind]| {
        let mut buffer = GramBuffer::default();
        buffer.read("You won't believe 10 TRAINS! the council münchen", kinds);
        GramColumn {
            name: name.into(),
            kinds: kinds.to_vec(),
            standard,
            table: table(kinds.iter().flat_map(|kind| buffer.grams(*kind)).copied()),
        }
    };
    let statistic = |name: &&str| StatisticColumn {
        name: (*name).into(),
        standard,
    };
    Text {
        statistics: STATISTICS.iter().map(statistic).collect(),
        scores: vec![
            score("characters", &[GramKind::CasedCharacters]),
            score("words and shapes", &[GramKind::Words, GramKind::Shapes]),
        ],
        missing: true,
    }
}

fn table(hashes: impl Iterator<Item = u64>) -> Table {
    let number = |hash: u64| (hash % 1000) as f32 / 500.0 - 1.0;
    Table::new(hashes.map(|hash| (hash, number(hash))).collect())
}

pub(crate) fn model_of(encoders: Encoders) -> Model {
    let mut rng = StdRng::seed_from_u64(5);
    let coefficients = (0..encoders.width())
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    let calibrator = Calibrator::Platt {
        slope: 0.8,
        intercept: -0.1,
    };
    Model::new(ModelParts {
        objective: "engagement".into(),
        encoders,
        coefficients,
        intercept: -0.3,
        prior_correction: None,
        calibrator,
    })
    .unwrap()
}

/// One column of an encoded matrix.
pub(crate) fn column<'e>(encoded: &'e Encoded, name: &str) -> &'e [f64] {
    let at = encoded.names.iter().position(|known| known == name);
    &encoded.columns[at.unwrap_or_else(|| panic!("no column {name} in {:?}", encoded.names))]
}

/// Area under the ROC curve; ties count half.
pub(crate) fn auc(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut wins, mut positives, mut at) = (0.0, 0.0, 0.0, 0);
    while at < order.len() {
        let tied: Vec<usize> = order[at..]
            .iter()
            .copied()
            .take_while(|row| scores[*row] == scores[order[at]])
            .collect();
        let up = tied.iter().filter(|row| labels[**row]).count() as f64;
        let down = tied.len() as f64 - up;
        wins += up * (below + down / 2.0);
        (below, positives, at) = (below + down, positives + up, at + tied.len());
    }
    wins / (below * positives)
}
