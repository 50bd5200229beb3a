//! The exact curves against sorting every page anew, at the middle of every interval.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_ranking::{
    RankingError,
    sweep::{Curves, Discount, Metric, Plan, Request, Sign, Sweep},
};
use proptest::prelude::*;

/// A request that owns its columns.
#[derive(Debug, Clone)]
struct Owned {
    unit: u64,
    probabilities: Vec<Vec<f64>>,
    realised: Vec<Vec<f64>>,
}

impl Owned {
    fn with<T>(requests: &[Self], act: impl FnOnce(&[Request<'_>]) -> T) -> T {
        let slices = |of: fn(&Self) -> &[Vec<f64>]| -> Vec<Vec<&[f64]>> {
            let columns = |request| of(request).iter().map(Vec::as_slice).collect();
            requests.iter().map(columns).collect()
        };
        let probabilities = slices(|request| &request.probabilities);
        let realised = slices(|request| &request.realised);
        let borrowed: Vec<Request<'_>> = requests
            .iter()
            .zip(probabilities.iter().zip(&realised))
            .map(|(request, (probabilities, realised))| Request {
                unit: request.unit,
                probabilities,
                realised,
            })
            .collect();
        act(&borrowed)
    }
}

const OBJECTIVES: usize = 3;

fn metrics() -> Vec<Metric> {
    let mut metrics = vec![Metric::ChangedOrder, Metric::ChangedSet];
    for objective in 0..OBJECTIVES {
        for discount in [Discount::Log2, Discount::Flat] {
            metrics.push(Metric::Predicted {
                objective,
                discount,
            });
            metrics.push(Metric::Realised {
                objective,
                discount,
            });
            metrics.push(Metric::Coverage {
                objective,
                discount,
            });
        }
        metrics.push(Metric::Ndcg { objective });
    }
    metrics
}

fn swept_weight(plan: &Plan, x: f64) -> f64 {
    match plan.sign {
        Sign::Negative => -x,
        Sign::Positive => x,
    }
}

/// The page at x, by sorting.
fn page(plan: &Plan, request: &Owned, x: f64) -> Vec<usize> {
    let n = request.probabilities[0].len();
    let score = |i: usize| {
        let fixed: f64 = (0..OBJECTIVES)
            .filter(|&m| m != plan.swept)
            .fold(0.0, |sum, m| {
                sum + plan.weights[m] * request.probabilities[m][i]
            });
        fixed + swept_weight(plan, x) * request.probabilities[plan.swept][i]
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    order.truncate(plan.k);
    order
}

fn discounts(discount: Discount, places: usize) -> Vec<f64> {
    (1..=places)
        .map(|p| match discount {
            Discount::Flat => 1.0,
            Discount::Log2 => 1.0 / (p as f64 + 1.0).log2(),
        })
        .collect()
}

/// A metric at x, as its definition reads.
fn brute(plan: &Plan, requests: &[Owned], metric: Metric, x: f64) -> f64 {
    let (mut above, mut below) = (0.0, 0.0);
    for request in requests {
        let page = page(plan, request, x);
        let exposure = |discount, value: &dyn Fn(usize) -> f64| {
            let d = discounts(discount, page.len());
            page.iter().zip(&d).map(|(&i, d)| d * value(i)).sum::<f64>() / d.iter().sum::<f64>()
        };
        let label = |objective: usize, i: usize| request.realised[objective][i];
        let (up, down) = match metric {
            Metric::Predicted {
                objective,
                discount,
            } => (
                exposure(discount, &|i| request.probabilities[objective][i]),
                1.0,
            ),
            Metric::Realised {
                objective,
                discount,
            } => (
                exposure(discount, &|i| {
                    Some(label(objective, i))
                        .filter(|y| !y.is_nan())
                        .unwrap_or(0.0)
                }),
                exposure(discount, &|i| {
                    if label(objective, i).is_nan() {
                        0.0
                    } else {
                        1.0
                    }
                }),
            ),
            Metric::Coverage {
                objective,
                discount,
            } => (
                exposure(discount, &|i| {
                    if label(objective, i).is_nan() {
                        0.0
                    } else {
                        1.0
                    }
                }),
                1.0,
            ),
            Metric::Ndcg { objective } => {
                let labels = &request.realised[objective];
                if labels.iter().all(|y| y.is_nan()) {
                    continue;
                }
                let gain: Vec<f64> = labels
                    .iter()
                    .map(|y| if y.is_nan() { 0.0 } else { *y })
                    .collect();
                let d = discounts(Discount::Log2, page.len());
                let mut best = gain.clone();
                best.sort_by(|a, b| b.total_cmp(a));
                let ideal: f64 = best.iter().zip(&d).map(|(g, d)| g * d).sum();
                let dcg: f64 = page.iter().zip(&d).map(|(&i, d)| gain[i] * d).sum();
                (if ideal > 0.0 { dcg / ideal } else { 0.0 }, 1.0)
            }
            Metric::ChangedOrder => (
                f64::from(u8::from(page != self::page(plan, request, plan.reference))),
                1.0,
            ),
            Metric::ChangedSet => {
                let (mut now, mut then) = (page.clone(), self::page(plan, request, plan.reference));
                now.sort_unstable();
                then.sort_unstable();
                (f64::from(u8::from(now != then)), 1.0)
            }
        };
        above += up;
        below += down;
    }
    above / below
}

fn curves(plan: &Plan, requests: &[Owned]) -> Result<Curves, RankingError> {
    let mut sweep = Sweep::new(plan.clone())?;
    Owned::with(requests, |requests| sweep.extend(requests))?;
    sweep.curves()
}

fn check(plan: &Plan, requests: &[Owned]) -> Result<(), TestCaseError> {
    let curves = curves(plan, requests).expect("a good log");
    for step in 0..=curves.breakpoints().len() {
        let Some(x) = curves.midpoint(step, 1e-9) else {
            continue;
        };
        prop_assert_eq!(curves.step_at(x), step);
        for (at, &metric) in plan.metrics.iter().enumerate() {
            let (ours, theirs) = (curves.value_at(at, x), brute(plan, requests, metric, x));
            prop_assert!(
                (ours - theirs).abs() < 1e-9 || (ours.is_nan() && theirs.is_nan()),
                "{metric:?} at {x}: {ours} against {theirs}"
            );
        }
    }
    Ok(())
}

fn requests(
    probability: impl Strategy<Value = f64> + Clone + 'static,
    label: impl Strategy<Value = f64> + Clone + 'static,
) -> impl Strategy<Value = Vec<Owned>> {
    let request = (1usize..25).prop_flat_map(move |n| {
        let columns = |values| prop::collection::vec(values, OBJECTIVES);
        (
            columns(prop::collection::vec(probability.clone(), n).boxed()),
            columns(prop::collection::vec(label.clone(), n).boxed()),
        )
    });
    prop::collection::vec(request, 1..9).prop_map(|requests| {
        let owned = |(unit, (probabilities, realised))| Owned {
            unit,
            probabilities,
            realised,
        };
        (0..).zip(requests).map(owned).collect()
    })
}

fn any_label() -> impl Strategy<Value = f64> + Clone {
    prop::sample::select(vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.25, f64::NAN])
}

fn plan(k: usize, swept: usize, positive: bool, weights: Vec<f64>, reference: f64) -> Plan {
    let sign = if positive {
        Sign::Positive
    } else {
        Sign::Negative
    };
    Plan {
        k,
        weights,
        swept,
        sign,
        reference,
        metrics: metrics(),
    }
}

proptest! {
    #[test]
    fn curves_agree_with_sorting(
        log in requests(0.0..=1.0f64, any_label()), k in 1usize..12, swept in 0..OBJECTIVES, positive: bool,
        weights in prop::collection::vec(-2.0..2.0f64, OBJECTIVES), reference in 0.0..2.0f64,
    ) {
        check(&plan(k, swept, positive, weights, reference), &log)?;
    }

    /// Quarters are exact in every sum: lines meet in one point, and candidates are the same.
    #[test]
    fn curves_agree_with_sorting_on_ties_and_duplicates(
        log in requests((0u8..=4).prop_map(|p| f64::from(p) / 4.0), any_label()), k in 1usize..6, swept in 0..OBJECTIVES, positive: bool,
        weights in prop::collection::vec((-2i8..=2).prop_map(|w| f64::from(w) / 2.0), OBJECTIVES), reference in (0u8..3).prop_map(f64::from),
    ) {
        let plan = plan(k, swept, positive, weights, reference);
        prop_assume!(plan.weights.iter().enumerate().any(|(m, &w)| m != swept && w != 0.0));
        check(&plan, &log)?;
    }

    #[test]
    fn the_number_of_threads_and_the_way_of_feeding_change_no_bit(log in requests(0.0..=1.0f64, any_label()), repeat in 1usize..90) {
        let log: Vec<Owned> = log.iter().cycle().take(log.len() * repeat).cloned().collect();
        let plan = plan(5, 1, false, vec![1.0, 0.0, 0.5], 0.3);
        let bits = |curves: &Curves| -> Vec<u64> {
            let values = (0..plan.metrics.len()).flat_map(|metric| curves.values(metric));
            curves.breakpoints().iter().chain(values).map(|value| value.to_bits()).collect()
        };
        let one_by_one = {
            let mut sweep = Sweep::new(plan.clone()).expect("a good plan");
            Owned::with(&log, |requests| requests.iter().try_for_each(|request| sweep.push(request))).expect("a good log");
            bits(&sweep.curves().expect("requests"))
        };
        for threads in [1, 2, 3, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let threaded = pool.install(|| curves(&plan, &log)).expect("a good log");
            prop_assert_eq!(&bits(&threaded), &one_by_one, "{} threads", threads);
        }
    }
}

fn owned(columns: &[&[f64]]) -> Owned {
    Owned {
        unit: 0,
        probabilities: columns.iter().map(|column| column.to_vec()).collect(),
        realised: columns
            .iter()
            .map(|column| vec![f64::NAN; column.len()])
            .collect(),
    }
}

#[test]
fn predicted_engagement_and_bait_never_rise_with_the_weight_on_bait() {
    let plan = Plan {
        metrics: vec![
            Metric::Predicted {
                objective: 0,
                discount: Discount::Log2,
            },
            Metric::Predicted {
                objective: 1,
                discount: Discount::Log2,
            },
        ],
        ..plan(3, 1, false, vec![1.0, 0.0, 0.0], 0.0)
    };
    let curves = curves(&plan, &users(3, 1, 50, 3)).expect("a good log");
    assert!(curves.breakpoints().len() > 20);
    for metric in 0..2 {
        assert!(
            curves
                .values(metric)
                .windows(2)
                .all(|pair| pair[1] <= pair[0] + 1e-12)
        );
    }
}

#[test]
fn few_candidates_one_candidate_and_equal_scores_have_curves() {
    let plan = plan(10, 1, false, vec![1.0, 0.0, 0.0], 0.0);
    let flat = |n| owned(&[&vec![0.5; n], &vec![0.25; n], &vec![0.0; n]]);
    for n in [1, 2, 40] {
        let curves = curves(&plan, &[flat(n)]).expect("a good log");
        assert_eq!(curves.breakpoints(), [0.0]);
        let at = |metric| {
            curves.value_at(
                plan.metrics
                    .iter()
                    .position(|m| *m == metric)
                    .expect("there"),
                3.0,
            )
        };
        assert!(
            (at(Metric::Predicted {
                objective: 0,
                discount: Discount::Flat
            }) - 0.5)
                .abs()
                < 1e-15
        );
        assert_eq!(at(Metric::ChangedOrder), 0.0);
        assert_eq!(
            at(Metric::Coverage {
                objective: 0,
                discount: Discount::Flat
            }),
            0.0
        );
        assert!(
            at(Metric::Realised {
                objective: 0,
                discount: Discount::Flat
            })
            .is_nan()
        );
        assert!(at(Metric::Ndcg { objective: 0 }).is_nan());
    }
}

/// Known places come and go as the weight grows; where none is left, nothing may remain of them.
#[test]
fn realised_metrics_are_undefined_where_no_known_place_is_left() {
    let plan = plan(3, 1, true, vec![1.0, 0.0, 0.0], 0.0);
    let at = |metric| {
        let there = plan.metrics.iter().position(|m| *m == metric);
        there.expect("there")
    };
    let (mut seen, mut unseen) = (0, 0);
    for mut request in users(20, 1, 12, 8) {
        for (candidate, label) in request.realised[0].iter_mut().enumerate() {
            *label = if candidate % 6 == 0 { 1.0 } else { f64::NAN };
        }
        let curves = curves(&plan, &[request]).expect("a good log");
        for discount in [Discount::Flat, Discount::Log2] {
            let coverage = at(Metric::Coverage {
                objective: 0,
                discount,
            });
            let realised = at(Metric::Realised {
                objective: 0,
                discount,
            });
            for (coverage, realised) in curves.values(coverage).iter().zip(curves.values(realised))
            {
                if *coverage == 0.0 {
                    assert!(realised.is_nan());
                    unseen += 1;
                } else {
                    assert!(*coverage > 0.1 && (realised - 1.0).abs() < 1e-12);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 20 && unseen > 20, "{seen} {unseen}");
}

#[test]
fn what_cannot_be_measured_is_refused_by_name() {
    let good = plan(2, 1, false, vec![1.0, 0.0, 0.0], 0.0);
    let refused = |plan: Plan| Sweep::new(plan).expect_err("refused").to_string();
    assert!(
        refused(Plan {
            k: 0,
            ..good.clone()
        })
        .contains("k is 0")
    );
    assert!(
        refused(Plan {
            swept: 3,
            ..good.clone()
        })
        .contains("`swept` names objective 3")
    );
    assert!(
        refused(Plan {
            reference: f64::NAN,
            ..good.clone()
        })
        .contains("`reference`")
    );
    assert!(
        refused(Plan {
            weights: vec![0.0; 3],
            ..good.clone()
        })
        .contains("fixed weights")
    );
    assert!(
        refused(Plan {
            metrics: vec![Metric::Ndcg { objective: 9 }],
            ..good.clone()
        })
        .contains("objective 9")
    );

    let fine = owned(&[&[0.1, 0.2], &[0.3, 0.4], &[0.5, 0.6]]);
    let edit = |edit: &dyn Fn(&mut Owned)| {
        let mut bad = fine.clone();
        edit(&mut bad);
        let error = curves(&good, &[fine.clone(), bad.clone()]).expect_err("refused");
        let mut sweep = Sweep::new(good.clone()).expect("a good plan");
        let pushed = Owned::with(&[fine.clone(), bad], |requests| {
            requests.iter().try_for_each(|request| sweep.push(request))
        });
        assert_eq!(pushed.expect_err("refused").to_string(), error.to_string());
        assert_eq!(sweep.requests(), 1);
        error.to_string()
    };
    for bad in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        assert!(
            edit(&|r| r.probabilities[2][1] = bad)
                .starts_with("request 1, candidate 1: the probability of objective 2")
        );
    }
    for bad in [-1.0, 2.0, f64::INFINITY] {
        assert!(
            edit(&|r| r.realised[0][0] = bad)
                .starts_with("request 1, candidate 0: the label of objective 0")
        );
    }
    assert!(edit(&|r| r.probabilities[1].truncate(1)).contains("1 entries where 2 are due"));
    assert!(edit(&|r| r.realised.truncate(1)).contains("`realised`"));
    assert!(edit(&|r| r.probabilities.iter_mut().for_each(Vec::clear)).contains("no candidates"));
    assert_eq!(curves(&good, &[]), Err(RankingError::NoRequests));
}

/// Many users, with some requests each.
fn users(users: u64, requests_each: usize, candidates: usize, seed: u64) -> Vec<Owned> {
    let mut state = seed;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut log = Vec::new();
    for unit in 0..users {
        for _ in 0..requests_each {
            let probabilities: Vec<Vec<f64>> = (0..OBJECTIVES)
                .map(|_| (0..candidates).map(|_| random()).collect())
                .collect();
            let realised = probabilities
                .iter()
                .map(|column| {
                    column
                        .iter()
                        .map(|&p| f64::from(u8::from(random() < p)))
                        .collect()
                })
                .collect();
            log.push(Owned {
                unit,
                probabilities,
                realised,
            });
        }
    }
    log
}

#[test]
fn replicates_are_paired_exact_and_independent_of_threads() {
    let plan = plan(3, 1, false, vec![1.0, 0.0, 0.25], 0.5);
    let log = users(40, 2, 12, 5);
    let sweep = |log: &[Owned]| {
        let mut sweep = Sweep::new(plan.clone()).expect("a good plan");
        Owned::with(log, |requests| sweep.extend(requests)).expect("a good log");
        sweep
    };
    let sweep_all = sweep(&log);
    let curves = sweep_all.curves().expect("requests");
    let mut at = curves.grid(60, 1e-9);
    assert!(at.len() > 40 && at[0] == 0.0);
    at.reverse();
    let replicates = sweep_all.bootstrap(&at, 20, 9).expect("good points");
    for metric in 0..plan.metrics.len() {
        for (point, &x) in at.iter().enumerate() {
            assert_eq!(
                replicates.estimate(metric)[point],
                curves.value_at(metric, x)
            );
        }
    }
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        assert_eq!(
            pool.install(|| sweep_all.bootstrap(&at, 20, 9)).as_ref(),
            Ok(&replicates)
        );
    }
    let nothing = replicates.minus(&replicates).expect("paired");
    assert!(nothing.band(0, 0.95).high.iter().all(|&high| high == 0.0));
    assert!(
        replicates
            .minus(&sweep_all.bootstrap(&at, 20, 8).expect("good points"))
            .is_err()
    );
    assert!(
        replicates
            .minus(&sweep(&log[2..]).bootstrap(&at, 20, 9).expect("good points"))
            .is_err()
    );
    assert!(sweep_all.bootstrap(&[f64::NAN], 2, 0).is_err());
}

/// The band must hold the whole true curve as often as it says; here the truth is a much larger log
/// of the same law.
#[test]
fn bands_hold_the_whole_curve_as_often_as_they_say() {
    let metric = Metric::Realised {
        objective: 0,
        discount: Discount::Flat,
    };
    let plan = Plan {
        metrics: vec![metric],
        ..plan(2, 1, false, vec![1.0, 0.0, 0.0], 0.0)
    };
    let at: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.2).collect();
    let sweep = |log: &[Owned]| {
        let mut sweep = Sweep::new(plan.clone()).expect("a good plan");
        Owned::with(log, |requests| sweep.extend(requests)).expect("a good log");
        sweep
    };
    let truth = sweep(&users(30_000, 1, 8, 1)).curves().expect("requests");
    let runs = 200;
    let covered = (0..runs)
        .filter(|run| {
            let band = sweep(&users(60, 2, 8, 1000 + run))
                .bootstrap(&at, 150, *run)
                .expect("good points")
                .band(0, 0.9);
            at.iter()
                .zip(band.low.iter().zip(&band.high))
                .all(|(&x, (low, high))| (*low..=*high).contains(&truth.value_at(0, x)))
        })
        .count();
    // 0.9 of 200 is 180, with a standard deviation of 4.2; small samples make bootstrap bands a
    // little narrow.
    assert!((164..=196).contains(&covered), "{covered} of {runs}");
}
