//! The users of a population react by the law of the labels, and their events are delayed, repeated
//! and late as data/README.md says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use counterweight_model::Column;
use counterweight_simulator::{Config, Happening, Population, Reaction, SimulatorError, Visit};

const HOUR_MS: f64 = 3_600_000.0;

fn population(requests: u64) -> Population {
    let config = Config {
        requests,
        seed: 7,
        ..Config::default()
    };
    Population::new(config).unwrap()
}

/// The first candidates of the visit as its page.
fn page(visit: &Visit) -> Vec<&str> {
    visit.candidate_ids().take(10).collect()
}

fn reactions(requests: u64) -> Vec<Reaction> {
    let mut population = population(requests);
    let visits = (0..requests).map(|number| population.visit(number));
    visits
        .flat_map(|visit| visit.reactions(page(&visit)).unwrap())
        .collect()
}

/// Every event with its objective: 0 and 1, and 2 for `seen`.
fn happenings(reactions: &[Reaction]) -> Vec<(usize, &Reaction, Happening)> {
    let all = reactions.iter().flat_map(|reaction| {
        let [first, second] = reaction.reacted;
        let all = [first, second, Some(reaction.seen)];
        let all = all.into_iter().enumerate();
        all.filter_map(move |(at, happening)| Some((at, reaction, happening?)))
    });
    all.collect()
}

fn share(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn labels_are_drawn_from_the_truth_at_the_place() {
    let reactions = reactions(2_000);
    assert_eq!(reactions.len(), 20_000);
    for objective in [0, 1] {
        for places in [1..=1, 2..=5, 6..=10] {
            let there = reactions
                .iter()
                .filter(|one| places.contains(&one.position));
            let (mut sum, mut expected, mut variance) = (0.0, 0.0, 0.0);
            for one in there {
                let p = one.truth[objective];
                sum += f64::from(u8::from(one.labels[objective]));
                expected += p;
                variance += p * (1.0 - p);
            }
            let sigmas = (sum - expected) / f64::sqrt(variance);
            assert!(sigmas.abs() < 4.0, "{objective} at {places:?}: {sigmas}");
        }
    }
    for one in &reactions {
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let effect = logit(one.truth[0]) - logit(one.engagement_at_1);
        let known = -0.35 * f64::from(one.position).ln();
        assert!((effect - known).abs() < 0.01, "{effect} and {known}");
        for objective in [0, 1] {
            let reacted = one.reacted[objective].is_some();
            assert_eq!(reacted, one.labels[objective]);
        }
    }
}

#[test]
fn events_come_late_and_twice_as_often_as_documented() {
    let reactions = reactions(2_000);
    let all = happenings(&reactions);
    let repeated = all.iter().filter(|(.., one)| one.sent_again_ms.is_some());
    assert!((share(repeated.count(), all.len()) - 0.03).abs() < 0.005);
    let offline = |one: &Happening| one.sent_ms - one.at_ms > 3_600_000;
    let held = all.iter().filter(|(.., one)| offline(one));
    assert!((share(held.count(), all.len()) - 0.03).abs() < 0.005);
    let labels: Vec<_> = all.iter().filter(|(at, ..)| *at < 2).collect();
    let late = labels.iter().filter(|(.., one)| one.is_after_window());
    assert!((share(late.count(), labels.len()) - 0.02).abs() < 0.005);
    for (at, reaction, one) in &all {
        assert!(one.at_ms > 0 && one.sent_ms >= one.at_ms);
        assert!(one.sent_again_ms.is_none_or(|again| again >= one.sent_ms));
        let hours = one.at_ms as f64 / HOUR_MS;
        assert!(hours < 23.5 || (25.0..=48.0).contains(&hours), "{hours}");
        let after = one.at_ms - reaction.seen.at_ms;
        assert!(*at == 2 || after >= 0, "the reaction is before the sight");
    }
    for (objective, minutes) in [(0, 10.0), (1, 60.0)] {
        let delays = labels
            .iter()
            .filter(|(at, _, one)| *at == objective && !one.is_after_window());
        let delays = delays.map(|(_, reaction, one)| (one.at_ms - reaction.seen.at_ms) as f64);
        let median = median(delays.collect()) / 60_000.0;
        assert!((0.9..1.1).contains(&(median / minutes)), "{median}");
    }
    let pages = reactions.chunks(10);
    let mut seen = pages.map(|page| page.iter().map(|one| one.seen.at_ms));
    assert!(
        seen.all(|page| page.is_sorted()),
        "places are seen in order"
    );
}

#[test]
fn a_reaction_depends_on_the_candidate_and_its_place_alone() {
    let mut first = population(50);
    let mut again = population(60);
    let late = again.visit(49);
    let visit = first.visit(49);
    assert_eq!(
        visit.reactions(page(&visit)).unwrap(),
        late.reactions(page(&late)).unwrap()
    );
    // With other candidates around it, only the time of the sight moves.
    let mut other = page(&visit);
    other.swap(0, 1);
    let (one, two) = (
        visit.reactions(page(&visit)).unwrap(),
        visit.reactions(other).unwrap(),
    );
    assert_eq!(
        (&one[5].labels, one[5].truth),
        (&two[5].labels, two[5].truth)
    );
    let between = |one: &Reaction| one.reacted.map(|at| at.map(|at| at.at_ms - one.seen.at_ms));
    let close = between(&one[5]).into_iter().zip(between(&two[5]));
    for (one, two) in close.filter_map(|(one, two)| Some((one?, two?))) {
        assert!(
            (one - two).abs() <= 1 || one > 24 * 3_600_000 - 600_000,
            "{one} and {two}"
        );
    }
    let refused = visit.reactions(["p00000000"]);
    assert!(matches!(
        refused,
        Err(SimulatorError::UnknownCandidate { .. })
    ));
}

#[test]
fn a_visit_has_every_feature_of_the_dataset() {
    let mut population = population(1);
    let visit = population.visit(0);
    let rows = visit.candidate_ids().count();
    let features = visit.features().unwrap();
    let dataset = include_str!("../../src/dataset.toml");
    for feature in &features {
        assert!(
            dataset.contains(&format!("name = \"{}\"", feature.name)),
            "{}",
            feature.name
        );
        let expected = if feature.context { 1 } else { rows };
        assert_eq!(feature.column.rows(), expected, "{}", feature.name);
    }
    // The position is an input too, which is known only after the ranking.
    let inputs = dataset.matches("[[input]]").count();
    assert_eq!(features.len(), inputs - 1);
    let column = |name: &str| &features.iter().find(|one| one.name == name).unwrap().column;
    assert!(matches!(column("on_wifi"), Column::Numeric(_)));
    assert!(matches!(column("post_text"), Column::Text(_)));
    assert!(matches!(column("post_hashtags"), Column::List(_)));
    assert!(matches!(
        column("post_embedding"),
        Column::Vector { dim: 8, .. }
    ));
}

#[test]
fn days_have_their_visits() {
    let config = Config::of_days(3, 40, 1);
    let mut population = Population::new(config).unwrap();
    assert_eq!(population.visits(), 120);
    for number in 0..120 {
        let since = population.visit(number).time_ms() - population.start_ms();
        assert_eq!(since / (24 * 3_600_000), (number / 40).cast_signed());
    }
}
