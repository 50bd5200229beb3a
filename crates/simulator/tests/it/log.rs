//! The log is as documented: the order, the positions, the missing values, the draws of λ, and the
//! law of the labels.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support;

use std::fs;

use counterweight_simulator::{Config, IMPRESSIONS_FILE, simulate};
use polars::prelude::ParquetReader;
use polars::prelude::SerReader;
use support::{Simulated, read};

fn small(requests: u64) -> Config {
    Config {
        requests,
        seed: 5,
        ..Config::default()
    }
}

#[test]
fn a_longer_run_begins_with_the_same_requests() {
    let (short, long) = (Simulated::new(&small(60)), Simulated::new(&small(150)));
    let rows = short.log.height();
    assert!(short.log.equals_missing(&long.log.head(Some(rows))));
    assert!(short.truth.equals_missing(&long.truth.head(Some(rows))));
    assert!(
        !short.log.equals_missing(
            &Simulated::new(&Config {
                seed: 6,
                ..small(60)
            })
            .log
        )
    );
}

#[test]
fn the_order_served_is_that_of_the_logged_score_with_ties_by_id() {
    let simulated = Simulated::new(&Config { k: 7, ..small(400) });
    let [e, b, lambda, we, wb, position] = [
        "p_engagement",
        "p_engagement_bait",
        "lambda",
        "w_engagement",
        "w_engagement_bait",
        "position",
    ]
    .map(|name| simulated.numbers(name));
    let ids = simulated.texts("candidate_id");
    for rows in simulated.requests() {
        assert!((20..=30).contains(&rows.len()));
        let mut order: Vec<usize> = rows.clone().collect();
        let score =
            |row: usize| we[row].unwrap() * e[row].unwrap() + wb[row].unwrap() * b[row].unwrap();
        order.sort_by(|&i, &j| {
            score(j)
                .total_cmp(&score(i))
                .then_with(|| ids[i].cmp(&ids[j]))
        });
        for (place, row) in order.into_iter().enumerate() {
            let expected = (place < 7).then_some(place as f64 + 1.0);
            assert_eq!(position[row], expected, "row {row}");
            assert_eq!(
                (we[row], wb[row]),
                (Some(1.0), lambda[row].map(|lambda| -lambda))
            );
        }
        assert!(
            ids[rows].is_sorted(),
            "the order of the rows is that of the ids"
        );
    }
}

#[test]
fn values_are_missing_only_where_the_schema_allows() {
    let simulated = Simulated::new(&small(300));
    let optional = [
        "calibrator_engagement",
        "calibrator_engagement_bait",
        "user_account_days",
        "user_country",
        "user_favourite_topic",
        "on_wifi",
        "post_text",
        "post_video_seconds",
        "post_embedding",
        "author_verified",
    ];
    let when_shown = ["position", "label_engagement", "label_engagement_bait"];
    let unshown = simulated
        .numbers("position")
        .iter()
        .filter(|position| position.is_none())
        .count();
    for column in simulated.log.columns() {
        let name = column.name().as_str();
        if optional.contains(&name) {
            assert!(column.null_count() > 0, "{name} has no missing value");
        } else {
            let expected = if when_shown.contains(&name) {
                unshown
            } else {
                0
            };
            assert_eq!(column.null_count(), expected, "{name}");
        }
    }
    assert_eq!(
        simulated
            .truth
            .column("truth_engagement")
            .unwrap()
            .null_count(),
        unshown
    );
    for row in simulated
        .lists("post_embedding")
        .into_iter()
        .chain(simulated.lists("user_embedding"))
        .flatten()
    {
        assert_eq!(row.len(), 8);
    }
}

#[test]
fn lambda_is_uniform_on_its_logged_range() {
    let simulated = Simulated::new(&Config {
        lambda_low: 0.5,
        lambda_high: 3.0,
        candidates_min: 10,
        candidates_max: 10,
        ..small(3_000)
    });
    let [lambda, low, high] =
        ["lambda", "lambda_low", "lambda_high"].map(|name| simulated.numbers(name));
    let mut units: Vec<f64> = simulated
        .requests()
        .into_iter()
        .map(|rows| {
            assert!(
                lambda[rows.clone()]
                    .iter()
                    .all(|x| *x == lambda[rows.start]),
                "one draw per request"
            );
            (lambda[rows.start].unwrap() - low[rows.start].unwrap())
                / (high[rows.start].unwrap() - low[rows.start].unwrap())
        })
        .collect();
    units.sort_by(f64::total_cmp);
    let n = units.len() as f64;
    // Kolmogorov–Smirnov: by chance, the distance is above 1.95/√n in one of a thousand runs.
    let distance = units
        .iter()
        .enumerate()
        .map(|(i, u)| {
            (u - i as f64 / n)
                .abs()
                .max((u - (i as f64 + 1.0) / n).abs())
        })
        .fold(0.0, f64::max);
    assert!(distance < 1.95 / n.sqrt(), "{distance}");
}

/// Σ over groups of (observed − expected)² / variance, which has a χ² distribution with one degree
/// of freedom per group.
fn chi_squared(
    labels: &[f64],
    truths: &[f64],
    group: impl Fn(usize) -> usize,
    groups: usize,
) -> f64 {
    let mut sums = vec![(0.0, 0.0); groups];
    for (row, (label, p)) in labels.iter().zip(truths).enumerate() {
        let sum = &mut sums[group(row)];
        sum.0 += label - p;
        sum.1 += p * (1.0 - p);
    }
    sums.iter()
        .filter(|sum| sum.1 > 0.0)
        .map(|sum| sum.0 * sum.0 / sum.1)
        .sum()
}

#[test]
fn label_frequencies_agree_with_the_truth() {
    let simulated = Simulated::new(&small(1_500));
    let positions: Vec<usize> = simulated
        .numbers("position")
        .into_iter()
        .flatten()
        .map(|p| p as usize)
        .collect();
    for (label, truth) in [
        ("label_engagement", "truth_engagement"),
        ("label_engagement_bait", "truth_engagement_bait"),
    ] {
        let shown = simulated.numbers(label);
        let truths = simulated.numbers(truth);
        let (labels, truths): (Vec<f64>, Vec<f64>) = shown
            .iter()
            .zip(truths)
            .filter_map(|(y, p)| Some(((*y)?, p?)))
            .unzip();
        assert_eq!(labels.len(), 15_000);
        // With 10 degrees of freedom, χ² is above 29.6 by chance in one of a thousand runs.
        let by_truth = chi_squared(&labels, &truths, |row| (truths[row] * 10.0) as usize, 10);
        let by_position = chi_squared(&labels, &truths, |row| positions[row] - 1, 10);
        assert!(
            by_truth < 29.6 && by_position < 29.6,
            "{label}: {by_truth} {by_position}"
        );
        // With a wrong truth the statistic is large, so the test can fail.
        let wrong: Vec<f64> = truths.iter().map(|p| (p * 1.1).min(0.99)).collect();
        assert!(
            chi_squared(&labels, &wrong, |row| (wrong[row] * 10.0) as usize, 10) > 29.6,
            "{label}"
        );
    }
}

#[test]
fn rows_are_written_in_groups_during_the_simulation() {
    let dir = tempfile::tempdir().unwrap();
    let mut calls = 0;
    let config = Config {
        candidates_min: 200,
        candidates_max: 200,
        ..small(400)
    };
    let summary = simulate(&config, dir.path(), |_| calls += 1).unwrap();
    assert_eq!(summary.rows, 80_000);
    let file = fs::File::open(dir.path().join(IMPRESSIONS_FILE)).unwrap();
    let metadata = ParquetReader::new(file).get_metadata().unwrap().clone();
    let groups: Vec<usize> = metadata
        .row_groups
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(groups.len(), calls);
    assert!(
        groups.len() > 2
            && groups
                .iter()
                .all(|rows| *rows < 32_768 + 200 && rows % 200 == 0),
        "{groups:?}"
    );
    assert_eq!(read(dir.path(), IMPRESSIONS_FILE).height(), 80_000);
}
