//! The truth follows the law that data/README.md states. The law is recomputed here from the logged
//! columns and the bait columns of the truth file.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use crate::support;

use std::collections::HashMap;

use counterweight_simulator::Config;
use support::Simulated;

/// Half a step of the grid of probabilities, and a rounding error.
const HALF_STEP: f64 = 0.5 / 1_048_576.0 + 1e-9;

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Looks a name up in pairs; 0 if it is not found.
fn level(pairs: &[(&str, f64)], name: Option<&String>) -> f64 {
    pairs
        .iter()
        .find(|(level, _)| name.is_some_and(|name| name == level))
        .map_or(0.0, |pair| pair.1)
}

fn simulated() -> Simulated {
    Simulated::new(&Config {
        requests: 400,
        seed: 9,
        ..Config::default()
    })
}

#[test]
fn the_bait_truth_is_the_stated_law() {
    let simulated = simulated();
    let [strength, reports, strikes, verified, truth] = [
        "bait_strength",
        "user_reports_90d",
        "author_strikes_365d",
        "author_verified",
        "truth_engagement_bait",
    ]
    .map(|name| simulated.numbers(name));
    let category = simulated.texts("bait_category");
    for row in 0..truth.len() {
        let logit = -3.9
            + 6.2 * strength[row].unwrap()
            + 0.4 * (reports[row].unwrap().ln_1p() - 1.0) / 0.7
            + 0.35 * (strikes[row].unwrap().ln_1p() - 0.4) / 0.6
            - 0.3 * verified[row].unwrap_or(0.0)
            + level(
                &[("vote", -0.3), ("share", 0.3), ("tag", 0.1)],
                category[row].as_ref(),
            );
        assert!(
            (sigmoid(logit) - truth[row].unwrap()).abs() < HALF_STEP,
            "row {row}"
        );
    }
}

/// The engagement logit at position 1 without the author's hidden effect, per row.
fn engagement_without_author(simulated: &Simulated) -> Vec<f64> {
    let number = |name: &str| {
        simulated
            .numbers(name)
            .into_iter()
            .map(|x| x.unwrap_or(0.0))
            .collect::<Vec<_>>()
    };
    let mut logit = vec![-1.25; simulated.log.height()];
    let mut add = |values: Vec<f64>| {
        logit
            .iter_mut()
            .zip(values)
            .for_each(|(logit, value)| *logit += value);
    };
    let linear = |name: &str, coefficient: f64, transform: &dyn Fn(f64) -> f64| {
        number(name)
            .into_iter()
            .map(|x| coefficient * transform(x))
            .collect::<Vec<_>>()
    };
    add(linear("user_sessions_7d", 0.45, &|x| {
        (x.ln_1p() - 2.1) / 0.75
    }));
    add(linear("on_wifi", 0.1, &|x| x));
    add(linear("author_followers", 0.2, &|x| {
        (x.ln_1p() - 7.0) / 2.0
    }));
    add(linear("author_verified", 0.2, &|x| x));
    add(linear("post_age_hours", -0.35, &|x| {
        (x.ln_1p() - 2.2) / 0.8
    }));
    add(linear("post_media_count", 0.05, &|x| x - 1.0));
    add(linear("post_has_link", -0.1, &|x| x));
    add(simulated
        .numbers("post_video_seconds")
        .into_iter()
        .map(|x| x.map_or(0.0, |x| -0.2 * (x - 50.0) / 35.0))
        .collect());
    add(number("author_likes_30d")
        .into_iter()
        .zip(number("author_posts_30d"))
        .map(|(likes, posts)| {
            if posts == 0.0 {
                0.0
            } else {
                0.5 * (likes / posts - 23.0) / 14.0
            }
        })
        .collect());
    let levels = |name: &str, pairs: &[(&str, f64)]| {
        simulated
            .texts(name)
            .iter()
            .map(|x| level(pairs, x.as_ref()))
            .collect::<Vec<_>>()
    };
    add(levels(
        "user_device",
        &[("ios", 0.1), ("web", -0.3), ("tablet", -0.1)],
    ));
    add(levels("daypart", &[("night", -0.25), ("evening", 0.25)]));
    add(levels(
        "post_format",
        &[
            ("text", -0.3),
            ("link", -0.4),
            ("album", 0.1),
            ("video", 0.4),
            ("poll", 0.2),
        ],
    ));
    add(levels(
        "bait_category",
        &[
            ("vote", 0.7),
            ("react", 0.8),
            ("share", 0.6),
            ("tag", 0.9),
            ("comment", 1.0),
        ],
    )
    .into_iter()
    .zip(number("bait_strength"))
    .map(|(uplift, strength)| uplift * strength)
    .collect());
    add(crosses(simulated));
    logit
}

/// The terms that depend on lists, vectors, or the user together with the post.
fn crosses(simulated: &Simulated) -> Vec<f64> {
    let (topics, favourites) = (
        simulated.texts("post_topic"),
        simulated.texts("user_favourite_topic"),
    );
    let strings = |series: polars::prelude::Series| {
        series
            .str()
            .unwrap()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let floats = |series: polars::prelude::Series| {
        series
            .f32()
            .unwrap()
            .iter()
            .flatten()
            .map(f64::from)
            .collect::<Vec<_>>()
    };
    let [followed, tags, user, post] = [
        "user_followed_topics",
        "post_hashtags",
        "user_embedding",
        "post_embedding",
    ]
    .map(|name| simulated.lists(name));
    (0..topics.len())
        .map(|row| {
            let dot = post[row].clone().map(floats).map(|post| {
                post.iter()
                    .zip(floats(user[row].clone().unwrap()))
                    .map(|(p, u)| p * u)
                    .sum::<f64>()
            });
            let tags: f64 = strings(tags[row].clone().unwrap())
                .iter()
                .map(|tag| {
                    level(
                        &[
                            ("viral", 0.35),
                            ("breaking", 0.25),
                            ("win", 0.25),
                            ("howto", 0.2),
                            ("follow4follow", -0.4),
                        ],
                        Some(tag),
                    )
                })
                .sum();
            dot.map_or(0.0, |dot| 1.1 * (dot - 0.4))
                + if favourites[row] == topics[row] {
                    0.4
                } else {
                    0.0
                }
                + if strings(followed[row].clone().unwrap()).contains(topics[row].as_ref().unwrap())
                {
                    0.3
                } else {
                    0.0
                }
                + tags
        })
        .collect()
}

#[test]
fn the_engagement_truth_is_the_stated_law_and_one_effect_per_author() {
    let simulated = simulated();
    let [at_first, at_position, position] =
        ["truth_engagement_at_1", "truth_engagement", "position"]
            .map(|name| simulated.numbers(name));
    let authors = simulated.texts("author_id");
    // Per author: the effect in its first row, and the error that the grid of probabilities causes.
    let mut hidden: HashMap<&str, (f64, f64)> = HashMap::new();
    for (row, known) in engagement_without_author(&simulated)
        .into_iter()
        .enumerate()
    {
        let p = at_first[row].unwrap();
        let logit = (p / (1.0 - p)).ln();
        let error = 1.01 * HALF_STEP / (p * (1.0 - p));
        let (effect, its_error) = *hidden
            .entry(authors[row].as_ref().unwrap())
            .or_insert((logit - known, error));
        assert!(effect.abs() < 1.5, "an effect of {effect}");
        assert!(
            (logit - known - effect).abs() < error + its_error,
            "row {row}: {}",
            logit - known - effect
        );
        if let Some(position) = position[row] {
            let expected = sigmoid(logit - 0.35 * position.ln());
            assert!(
                (expected - at_position[row].unwrap()).abs() < HALF_STEP,
                "row {row}"
            );
        }
    }
    let effects: Vec<f64> = hidden.into_values().map(|(effect, _)| effect).collect();
    let sd = (effects.iter().map(|x| x * x).sum::<f64>() / effects.len() as f64).sqrt();
    assert!(
        (0.25..0.35).contains(&sd),
        "{sd} over {} authors",
        effects.len()
    );
}
