//! Propensities against brute force, estimates over a range against estimates at one weight, and
//! estimates against the truth.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_evaluation::ope::{
    Draw, Expected, Explored, Refusal, Sample, Served, Weighting, check_distribution,
};
use counterweight_ranking::{Density, RankingError, sweep::Walk};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn page(fixed: &[f64], swept: &[f64], x: f64, k: usize) -> Vec<usize> {
    let score = |i: usize| fixed[i] - x * swept[i];
    let mut order: Vec<usize> = (0..fixed.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    order.truncate(k);
    order
}

fn density(log: bool, low: f64, width: f64) -> Density {
    if log {
        Density::LogUniform {
            low: low + 0.01,
            high: low + 0.01 + width,
        }
    } else {
        Density::Uniform {
            low,
            high: low + width,
        }
    }
}

fn draw_from(density: Density, uniform: f64) -> f64 {
    match density {
        Density::Uniform { low, high } => low + uniform * (high - low),
        Density::LogUniform { low, high } => low * (high / low).powf(uniform),
    }
}

proptest! {
    #[test]
    fn propensities_are_the_mass_of_where_sorting_shows_it(
        rows in prop::collection::vec((0.0..=1.0f64, 0.0..=1.0f64), 1..12), k in 1usize..5,
        log: bool, low in 0.0..1.0f64, width in 0.05..3.0f64, at in 0.0..1.0f64,
    ) {
        let (fixed, swept): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let density = density(log, low, width);
        let draw = Draw { fixed: &fixed, swept: &swept, density };
        let slate = page(&fixed, &swept, draw_from(density, at), k);
        let ours = draw.propensities(&mut Walk::default(), &slate).expect("a good draw");

        // All crossings of all pairs cut the range; in between nothing changes.
        let (start, end) = density.range();
        let mut cuts = vec![start, end];
        for i in 0..fixed.len() {
            for j in 0..i {
                let x = (fixed[i] - fixed[j]) / (swept[i] - swept[j]);
                if x > start && x < end {
                    cuts.push(x);
                }
            }
        }
        cuts.sort_by(f64::total_cmp);
        let (mut whole, mut prefix, mut position) = (0.0, vec![0.0; slate.len()], vec![0.0; slate.len()]);
        for cut in cuts.windows(2) {
            let mass = density.below(cut[1]) - density.below(cut[0]);
            let shown = page(&fixed, &swept, 0.5 * (cut[0] + cut[1]), k);
            whole += if shown == slate { mass } else { 0.0 };
            for l in 0..slate.len() {
                prefix[l] += if shown[..=l] == slate[..=l] { mass } else { 0.0 };
                position[l] += if shown[l] == slate[l] { mass } else { 0.0 };
            }
        }
        prop_assert!((ours.slate - whole).abs() < 1e-9);
        for l in 0..slate.len() {
            prop_assert!((ours.prefix[l] - prefix[l]).abs() < 1e-9);
            prop_assert!((ours.position[l] - position[l]).abs() < 1e-9);
            prop_assert!(ours.slate <= ours.prefix[l] + 1e-12 && ours.prefix[l] <= ours.position[l] + 1e-12);
        }
    }

    #[test]
    fn marginals_sum_to_one_on_each_place(
        rows in prop::collection::vec((0.0..=1.0f64, 0.0..=1.0f64), 1..60), k in 0usize..12, log: bool, low in 0.0..1.0f64, width in 0.01..9.0f64,
    ) {
        let (fixed, swept): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let draw = Draw { fixed: &fixed, swept: &swept, density: density(log, low, width) };
        let marginals = draw.marginals(&mut Walk::default(), k).expect("a good draw");
        prop_assert_eq!(marginals.len(), if k == 0 { fixed.len() } else { k.min(fixed.len()) });
        for place in &marginals {
            prop_assert!((place.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        for candidate in 0..fixed.len() {
            let anywhere: f64 = marginals.iter().map(|place| place[candidate]).sum();
            prop_assert!(anywhere < 1.0 + 1e-12);
        }
    }
}

/// A request of a simulated feed: users look at each place by itself, and click with a known
/// probability.
struct Simulated {
    fixed: Vec<f64>,
    swept: Vec<f64>,
    truth: Vec<f64>,
    slate: Vec<usize>,
    rewards: Vec<f64>,
}

const K: usize = 4;
const DRAWN: Density = Density::Uniform {
    low: 0.2,
    high: 1.6,
};

fn simulate(rng: &mut impl Rng, requests: usize) -> Vec<Simulated> {
    let one = |rng: &mut dyn Rng| {
        let mut column = || -> Vec<f64> { (0..9).map(|_| rng.random()).collect() };
        let (fixed, swept, noise) = (column(), column(), column());
        let truth: Vec<f64> = fixed
            .iter()
            .zip(&swept)
            .zip(&noise)
            .map(|((e, b), noise)| 0.1 + 0.4 * e * (1.0 - 0.7 * b) + 0.2 * noise)
            .collect();
        let slate = page(&fixed, &swept, draw_from(DRAWN, rng.random()), K);
        let rewards = slate
            .iter()
            .map(|&i| f64::from(u8::from(rng.random::<f64>() < truth[i])))
            .collect();
        Simulated {
            fixed,
            swept,
            truth,
            slate,
            rewards,
        }
    };
    (0..requests).map(|_| one(rng)).collect()
}

fn explored(log: &[Simulated], weighting: Weighting, model: bool) -> Explored {
    let mut explored = Explored::new(weighting);
    for request in log {
        explored
            .push(&served(request, model))
            .expect("a good request");
    }
    explored
}

fn served(request: &Simulated, model: bool) -> Served<'_> {
    Served {
        draw: Draw {
            fixed: &request.fixed,
            swept: &request.swept,
            density: DRAWN,
        },
        slate: &request.slate,
        rewards: &request.rewards,
        expected: model.then_some(&request.fixed),
    }
}

#[test]
fn curves_are_the_estimates_at_each_weight() {
    let log = simulate(&mut ChaCha8Rng::seed_from_u64(1), 60);
    for weighting in [Weighting::Slate, Weighting::Prefix, Weighting::Position] {
        for model in [false, true] {
            let explored = explored(&log, weighting, model);
            let curves = explored.curves().expect("requests");
            assert_eq!((curves.breakpoints[0], curves.high), DRAWN.range());
            let ends = curves.breakpoints.iter().skip(1).chain([&curves.high]);
            for (at, (low, high)) in curves.breakpoints.iter().zip(ends).enumerate() {
                let x = 0.5 * (low + high);
                // By definition, from the propensities and a sort.
                let mut sample = Sample::default();
                for request in &log {
                    let p = served(request, model)
                        .draw
                        .propensities(&mut Walk::default(), &request.slate)
                        .expect("a good draw");
                    let target = page(&request.fixed, &request.swept, x, K);
                    let weights: Vec<f64> = (0..K)
                        .map(|l| match weighting {
                            Weighting::Slate => {
                                f64::from(u8::from(target == request.slate)) / p.slate
                            }
                            Weighting::Prefix => {
                                f64::from(u8::from(target[..=l] == request.slate[..=l]))
                                    / p.prefix[l]
                            }
                            Weighting::Position => {
                                f64::from(u8::from(target[l] == request.slate[l])) / p.position[l]
                            }
                        })
                        .collect();
                    let logged: Vec<f64> =
                        request.slate.iter().map(|&i| request.fixed[i]).collect();
                    let expected = Expected {
                        logged: &logged,
                        target: target.iter().map(|&i| request.fixed[i]).sum(),
                    };
                    sample
                        .push(&request.rewards, &weights, model.then_some(expected))
                        .expect("good rows");
                }
                let again = explored.sample_at(x).expect("requests");
                assert_eq!(
                    again.diagnostics().refusals(),
                    sample.diagnostics().refusals()
                );
                let close = |what: &str, ours: f64, theirs: f64| {
                    assert!(
                        (ours - theirs).abs() < 1e-8 * theirs.abs().max(1.0),
                        "{what} at {x}: {ours} against {theirs}"
                    );
                };
                close("ips", curves.ips[at], sample.ips().value);
                close("ips again", again.ips().value, sample.ips().value);
                close(
                    "ips error",
                    curves.ips_error[at],
                    sample.ips().standard_error,
                );
                close("snips", curves.snips[at], sample.snips().value);
                close(
                    "snips error again",
                    again.snips().standard_error,
                    sample.snips().standard_error,
                );
                close(
                    "effective",
                    curves.effective[at],
                    sample.diagnostics().effective,
                );
            }
        }
    }
}

/// 95 % intervals hold the truth about as often as they say, for every estimator whose assumption
/// holds here (it does for all three).
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let x = 0.9;
    let runs = 200;
    for (weighting, model) in [
        (Weighting::Position, false),
        (Weighting::Position, true),
        (Weighting::Prefix, false),
        (Weighting::Slate, false),
    ] {
        let mut covered = [0; 2];
        for seed in 0..runs {
            let log = simulate(&mut ChaCha8Rng::seed_from_u64(seed), 400);
            let sample = explored(&log, weighting, model)
                .sample_at(x)
                .expect("requests");
            // The truth of the law, by many requests more.
            let truth = truth_at(x);
            for (covered, estimate) in covered.iter_mut().zip([sample.ips(), sample.snips()]) {
                *covered +=
                    usize::from((estimate.value - truth).abs() < 1.96 * estimate.standard_error);
            }
        }
        // 190 expected, with a standard deviation of 3.1.
        assert!(
            covered.iter().all(|covered| (178..=200).contains(covered)),
            "{weighting:?} model {model}: {covered:?} of {runs}"
        );
    }
}

fn truth_at(x: f64) -> f64 {
    use std::sync::OnceLock;
    static TRUTH: OnceLock<f64> = OnceLock::new();
    *TRUTH.get_or_init(|| {
        let log = simulate(&mut ChaCha8Rng::seed_from_u64(99), 100_000);
        let value = |request: &Simulated| {
            page(&request.fixed, &request.swept, x, K)
                .iter()
                .map(|&i| request.truth[i])
                .sum::<f64>()
        };
        log.iter().map(value).sum::<f64>() / log.len() as f64
    })
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let log = simulate(&mut ChaCha8Rng::seed_from_u64(5), 50);
    let all = explored(&log, Weighting::Position, false);
    let outside = all
        .sample_at(3.0)
        .expect("requests")
        .diagnostics()
        .refusals();
    assert!(
        outside.contains(&Refusal::Unsupported { slates: 50 }),
        "{outside:?}"
    );
    assert!(
        outside
            .iter()
            .any(|refusal| refusal.to_string().contains("the range that was explored"))
    );

    let mut never = Explored::new(Weighting::Position);
    let mut wrong = served(&log[0], false);
    let reversed: Vec<usize> = log[0].slate.iter().rev().copied().collect();
    wrong.slate = &reversed;
    assert!(matches!(
        never.push(&wrong),
        Err(RankingError::NeverShown { request: 0, .. })
    ));
    wrong.slate = &[0, 0];
    assert!(matches!(
        never.push(&wrong),
        Err(RankingError::Length { .. })
    ));
    wrong.rewards = &[0.0, f64::NAN];
    assert!(matches!(
        never.push(&wrong),
        Err(RankingError::OutOfRange { .. })
    ));
    wrong.rewards = &[0.0, 1.0];
    assert!(matches!(
        never.push(&wrong),
        Err(RankingError::Slate { candidate: 0, .. })
    ));
    assert_eq!(never.curves(), Err(RankingError::NoRequests));

    let mut apart = Explored::new(Weighting::Slate);
    for (low, high) in [(0.0, 0.5), (0.6, 1.0)] {
        let draw = Draw {
            fixed: &[0.5],
            swept: &[0.1],
            density: Density::Uniform { low, high },
        };
        apart
            .push(&Served {
                draw,
                slate: &[0],
                rewards: &[1.0],
                expected: None,
            })
            .expect("a good request");
    }
    assert_eq!(
        apart.range(),
        Err(RankingError::NoCommonRange {
            low: 0.6,
            high: 0.5
        })
    );
    let none = Density::Uniform {
        low: 0.5,
        high: 0.5,
    };
    let draw = Draw {
        fixed: &[0.5],
        swept: &[0.1],
        density: none,
    };
    assert!(
        draw.marginals(&mut Walk::default(), 1)
            .expect_err("no exploration")
            .to_string()
            .contains("above the lower end")
    );
}

#[test]
fn propensities_that_are_none_are_refused_and_weak_samples_told() {
    let mut sample = Sample::default();
    for logged in [0.0, -0.1, 1.5, f64::NAN] {
        assert!(
            sample
                .push_action(1.0, logged, 0.5, None)
                .expect_err("refused")
                .to_string()
                .contains("a logged propensity")
        );
    }
    assert!(sample.push_action(1.0, 0.5, 1.5, None).is_err());
    assert!(sample.push_action(f64::NAN, 0.5, 0.5, None).is_err());
    assert!(sample.is_empty() && !sample.diagnostics().refusals().is_empty());
    assert!(check_distribution(&[0.5, 0.25, 0.25]).is_ok());
    assert!(
        check_distribution(&[0.5, 0.25])
            .expect_err("refused")
            .to_string()
            .contains("sum")
    );
    assert!(check_distribution(&[1.5, -0.5]).is_err());

    for _ in 0..100 {
        sample.push_action(0.0, 0.5, 0.5, None).expect("a good row");
    }
    assert_eq!(sample.diagnostics().refusals(), []);
    sample
        .push_action(1.0, 0.01, 1.0, None)
        .expect("a good row");
    let refusals = sample.diagnostics().refusals();
    assert!(
        matches!(
            refusals[..],
            [Refusal::FewEffective { .. }, Refusal::OneWeight { .. }]
        ),
        "{refusals:?}"
    );
    let mut low = Sample::default();
    for logged in [0.5, 0.6].repeat(50) {
        low.push_action(0.0, logged, 0.1, None).expect("a good row");
    }
    assert!(matches!(
        low.diagnostics().refusals()[..],
        [Refusal::MeanWeight { .. }]
    ));
}

/// Twice the same slates of the same users are no more evidence: the error stays, where that of
/// independent slates shrinks.
#[test]
fn slates_of_one_user_count_once() {
    let slates = [(1.0, 0.5), (0.0, 2.0), (1.0, 1.5), (0.0, 0.25), (1.0, 0.75)];
    let sample = |times: usize, named: bool| {
        let mut sample = Sample::default();
        for _ in 0..times {
            for (user, (reward, weight)) in (0..).zip(slates) {
                sample.push(&[reward], &[weight], None).unwrap();
                if named {
                    sample.shown_to(user);
                }
            }
        }
        sample
    };
    let error = |times, named| sample(times, named).ips().standard_error;
    assert_eq!(error(1, true).to_bits(), error(1, false).to_bits());
    assert!((error(4, true) - error(1, true)).abs() < 1e-12);
    assert!(error(4, false) < 0.6 * error(1, false));
}
