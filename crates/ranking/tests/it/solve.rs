//! Solved weights against ranking every request anew in the middle of every interval.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_ranking::{
    RankingError, combine,
    preview::{Preview, Replay},
    solve::{Goal, MIN_WIDTH, Solved, Solver},
    top_k,
};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// One request with its weights; the sought one applies where `free`.
#[derive(Debug, Clone)]
struct Owned {
    columns: Vec<Vec<f64>>,
    weights: Vec<f64>,
    free: bool,
}

#[derive(Debug, Clone)]
struct Problem {
    k: usize,
    swept: usize,
    gain: usize,
    requests: Vec<Owned>,
}

impl Problem {
    fn solver(&self) -> Solver {
        let objectives = self.requests[0].weights.len();
        let mut solver =
            Solver::new(self.k, objectives, self.swept, self.gain).expect("two objectives");
        for request in &self.requests {
            let columns: Vec<&[f64]> = request.columns.iter().map(Vec::as_slice).collect();
            solver
                .push(&columns, &request.weights, request.free)
                .expect("a good request");
        }
        solver
    }

    /// Gain and cost, ranked anew.
    fn at(&self, weight: f64) -> (f64, f64) {
        let n = self.requests.len() as f64;
        let (mut gain, mut cost) = (0.0, 0.0);
        for request in &self.requests {
            let mut weights = request.weights.clone();
            if request.free {
                weights[self.swept] = weight;
            }
            let scores = combine(&weights, &request.columns);
            let ids: Vec<String> = (0..scores.len()).map(|i| format!("{i:04}")).collect();
            let page = top_k(&scores, &ids, self.k);
            let mean =
                |column: &[f64]| page.iter().map(|&i| column[i]).sum::<f64>() / page.len() as f64;
            gain += mean(&request.columns[self.gain]) / n;
            cost += mean(&request.columns[self.swept]) / n;
        }
        (gain, cost)
    }

    /// x of every crossing of two candidates of a free request, with 0.
    fn crossings(&self) -> Vec<f64> {
        let mut all = vec![0.0];
        for request in self.requests.iter().filter(|request| request.free) {
            let mut fixed = request.weights.clone();
            fixed[self.swept] = 0.0;
            let (v, b) = (
                combine(&fixed, &request.columns),
                &request.columns[self.swept],
            );
            for i in 0..v.len() {
                for j in 0..i {
                    all.push((v[i] - v[j]) / (b[i] - b[j]));
                }
            }
        }
        all.retain(|x| x.is_finite() && *x >= 0.0);
        all.sort_unstable_by(f64::total_cmp);
        all.dedup();
        all
    }

    /// The middle of every interval between crossings that is wide enough, 0, and a point beyond
    /// the last, as far as they are within.
    fn points(&self, within: (f64, f64), width: f64) -> Vec<f64> {
        let (least, most) = ((-within.1).max(0.0), -within.0);
        let crossings = self.crossings();
        let mut points = vec![0.0];
        let ends = crossings.iter().skip(1).copied().chain([f64::INFINITY]);
        for (&low, high) in crossings.iter().zip(ends) {
            let (a, b) = (low.max(least), high.min(most).min(3.0 * low + 2.0));
            if b - a > width * b {
                points.push(0.5 * (a + b));
            }
        }
        points.retain(|x| (least..=most).contains(x));
        points
    }
}

fn number(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    range.prop_map(|x| x)
}

fn problem(probability: BoxedStrategy<f64>) -> impl Strategy<Value = Problem> {
    (2_usize..=3).prop_flat_map(move |objectives| {
        let request = (
            (1_usize..10).prop_flat_map({
                let probability = probability.clone();
                move |n| {
                    let column = prop::collection::vec(probability.clone(), n);
                    prop::collection::vec(column, objectives)
                }
            }),
            // A few groups of fixed weights, among them two that differ in the gain's.
            prop::sample::select(vec![0.5, 1.0, 2.0]),
            prop::collection::vec(number(-1.0..1.0), objectives),
            prop::bool::weighted(0.7),
        );
        (
            prop::collection::vec(request, 1..7),
            1_usize..5,
            (0..objectives, 1..objectives),
        )
            .prop_map(move |(requests, k, (swept, further))| {
                let gain = (swept + further) % objectives;
                let requests = requests
                    .into_iter()
                    .map(|(columns, alpha, mut weights, free)| {
                        if free {
                            weights[gain] = alpha;
                            weights[swept] = f64::NAN;
                        }
                        Owned {
                            columns,
                            weights,
                            free,
                        }
                    });
                Problem {
                    k,
                    swept,
                    gain,
                    requests: requests.collect(),
                }
            })
    })
}

/// Many requests under three sets of fixed weights, a tenth of them with their own weight.
fn large(objectives: usize, seed: u64) -> Problem {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let request = |number: usize| {
        let n = rng.random_range(1..80);
        let column = |_| (0..n).map(|_| rng.random()).collect();
        let mut weights = vec![0.25; objectives];
        weights[0] = [1.0, 2.0, 0.7][number % 3];
        weights[1] = -0.3;
        Owned {
            columns: (0..objectives).map(column).collect(),
            weights,
            free: !number.is_multiple_of(10),
        }
    };
    Problem {
        k: 10,
        swept: 1,
        gain: 0,
        requests: (0..400).map(request).collect(),
    }
}

#[test]
fn a_solved_weight_does_to_a_preview_what_it_promises() {
    for objectives in [2, 3] {
        let problem = large(objectives, 3);
        let solver = problem.solver();
        for budget in [0.25, 0.3, 0.35, 0.4, 0.45, 0.5] {
            let solved = solver
                .solve(Goal::Budget(budget), (-50.0, 0.0))
                .expect("within reach");
            let mut preview = Preview::new(problem.k, objectives).expect("places");
            for (request, unit) in problem.requests.iter().zip(0..) {
                let columns: Vec<&[f64]> = request.columns.iter().map(Vec::as_slice).collect();
                let mut after = request.weights.clone();
                if request.free {
                    after[problem.swept] = solved.weight;
                }
                let replay = Replay {
                    unit,
                    probabilities: &columns,
                    before: &request.weights,
                    after: &after,
                };
                preview.push(&replay).expect("a good request");
            }
            let exposures = preview.finish().expect("requests").exposures;
            let (gain, cost) = (exposures[0].after.value, exposures[1].after.value);
            assert!((gain - solved.gain).abs() < 1e-12 && (cost - solved.cost).abs() < 1e-12);
            // Of two objectives the budget is used up but for one change of one page, or no weight
            // is needed. Of three, less cost may go with more gain.
            assert!(cost <= budget, "{cost} of {budget}");
            assert!(
                cost > budget - 1e-3 || solved.weight == 0.0 || objectives > 2,
                "{cost} of {budget}"
            );
        }
    }
}

fn worth(goal: Goal, (gain, cost): (f64, f64), slack: f64) -> Option<f64> {
    match goal {
        Goal::Budget(budget) => (cost <= budget + slack).then_some(gain),
        Goal::AtLeast(least) => (gain >= least - slack).then_some(-cost),
        Goal::Rate(rate) => Some(gain - rate * cost),
    }
}

/// What was promised holds at the weight and all over its range.
fn promised(problem: &Problem, solved: Solved) -> Result<(), TestCaseError> {
    let (low, high) = solved.range;
    let far = if low.is_finite() {
        low
    } else {
        3.0 * high - 2.0
    };
    let share = |s: f64| high + (far - high) * s;
    for weight in [solved.weight, share(0.001), share(0.5), share(0.999)] {
        let (gain, cost) = problem.at(weight);
        prop_assert!(
            (gain - solved.gain).abs() < 1e-12 && (cost - solved.cost).abs() < 1e-12,
            "{} and {} at {}, promised {:?}",
            gain,
            cost,
            weight,
            solved
        );
    }
    Ok(())
}

fn check(problem: &Problem, goal: Goal, within: (f64, f64)) -> Result<(), TestCaseError> {
    let solver = problem.solver();
    let solved = solver.solve(goal, within);
    if problem.requests.iter().all(|request| !request.free) {
        prop_assert_eq!(
            solved,
            Err(RankingError::NothingFree {
                objective: problem.swept
            })
        );
        return Ok(());
    }
    // The solver also takes intervals that brute force finds too narrow, so that it can be better;
    // never worse.
    let all: Vec<(f64, f64)> = problem
        .points(within, 1e-7)
        .into_iter()
        .map(|x| problem.at(-x))
        .collect();
    let best = all
        .iter()
        .filter_map(|&values| worth(goal, values, 1e-13))
        .fold(f64::NEG_INFINITY, f64::max);
    let extreme = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    match solved {
        Ok(solved) => {
            promised(problem, solved)?;
            prop_assert!(
                (within.0..=within.1).contains(&solved.weight),
                "{solved:?} is not within {within:?}"
            );
            prop_assert!(solved.range.0 <= solved.weight && solved.weight <= solved.range.1);
            prop_assert!(
                solved.weight == 0.0
                    || (solved.range.0 < solved.weight && solved.weight < solved.range.1)
            );
            let ours = worth(goal, problem.at(solved.weight), 2e-12);
            prop_assert!(
                ours.is_some_and(|ours| ours >= best - 1e-12),
                "{ours:?} against {best}"
            );
            // Of equal ones the nearest to 0: no wide interval nearer to 0 is as good.
            let nearer = problem
                .points(within, 1e-7)
                .into_iter()
                .filter(|&x| -x > solved.range.1);
            for x in nearer {
                let there = worth(goal, problem.at(-x), 1e-13);
                prop_assert!(there.is_none_or(|there| there < ours.unwrap_or(best) + 1e-12));
            }
        }
        Err(RankingError::BudgetOutOfReach { lowest, weight, .. }) => {
            prop_assert_eq!(best, f64::NEG_INFINITY);
            prop_assert!((problem.at(weight).1 - lowest).abs() < 1e-12);
            prop_assert!(-lowest >= extreme(|values| -values.1) - 1e-12);
        }
        Err(RankingError::GainOutOfReach {
            highest, weight, ..
        }) => {
            prop_assert_eq!(best, f64::NEG_INFINITY);
            prop_assert!((problem.at(weight).0 - highest).abs() < 1e-12);
            prop_assert!(highest >= extreme(|values| values.0) - 1e-12);
        }
        Err(RankingError::NoWeight { .. }) => prop_assert!(all.is_empty()),
        Err(other) => prop_assert!(false, "{other}"),
    }
    Ok(())
}

fn goal() -> impl Strategy<Value = Goal> {
    prop_oneof![
        number(0.0..1.0).prop_map(Goal::Budget),
        number(0.0..1.0).prop_map(Goal::AtLeast),
        number(0.0..3.0).prop_map(Goal::Rate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_weight_does_better(
        problem in problem(number(0.0..1.0).boxed()), goal in goal(), low in -4.0..1.0f64, width in 0.0..8.0f64, bounded in any::<bool>(),
    ) {
        let within = if bounded { (low, low + width) } else { (f64::NEG_INFINITY, f64::INFINITY) };
        check(&problem, goal, within)?;
    }

    /// Quarters are exact and tie often: pages at 0 differ from those right after it, and budgets
    /// are met exactly.
    #[test]
    fn ties_and_limits_that_are_met_exactly(
        problem in problem((0_u8..=4).prop_map(|p| f64::from(p) / 4.0).boxed()), goal in goal(), low in -4.0..1.0f64,
    ) {
        let exact = |value: f64| (value * 16.0).round() / 16.0;
        let goal = match goal {
            Goal::Budget(budget) => Goal::Budget(exact(budget)),
            Goal::AtLeast(gain) => Goal::AtLeast(exact(gain)),
            Goal::Rate(rate) => Goal::Rate(rate),
        };
        // Sums of the fixed weights are exact, and the sought one's contribution comes last: what
        // ties as lines ties as it is served.
        let mut problem = problem;
        let last = problem.requests[0].weights.len() - 1;
        for request in &mut problem.requests {
            request.weights.swap(problem.swept, last);
            request.weights.iter_mut().for_each(|weight| *weight = (*weight * 4.0).round() / 4.0);
        }
        problem.gain = if problem.gain == last { problem.swept } else { problem.gain };
        problem.swept = last;
        check(&problem, goal, (low, 8.0))?;
    }
}

fn one(columns: &[&[f64]], weights: &[f64]) -> Solver {
    let mut solver = Solver::new(1, weights.len(), 1, 0).expect("two objectives");
    solver.push(columns, weights, true).expect("a good request");
    solver
}

#[test]
fn a_budget_that_binds_nothing_is_met_by_zero_and_one_that_is_met_exactly_is_kept() {
    let solver = one(&[&[0.5, 0.375], &[0.75, 0.25]], &[1.0, 9.0]);
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    let free = solver.solve(Goal::Budget(1.0), all).expect("solved");
    assert_eq!(
        (free.weight, free.range, free.gain),
        (0.0, (-0.25, 0.0), 0.5)
    );
    for exact in [0.75, 0.25] {
        let solved = solver.solve(Goal::Budget(exact), all).expect("solved");
        assert_eq!(solved.cost, exact);
    }
    let solved = solver.solve(Goal::Budget(0.5), all).expect("solved");
    assert_eq!(
        (solved.weight, solved.range),
        (-0.5, (f64::NEG_INFINITY, -0.25))
    );
    // A rate of exactly (0.5 − 0.375)/(0.75 − 0.25) is indifferent: nearest to 0.
    assert_eq!(
        solver.solve(Goal::Rate(0.25), all).expect("solved").weight,
        0.0
    );
    assert_eq!(
        solver.solve(Goal::Rate(0.3), all).expect("solved").cost,
        0.25
    );
}

#[test]
fn bounds_cut_intervals_and_may_leave_one_point() {
    let solver = one(&[&[0.5, 0.375], &[0.75, 0.25]], &[1.0, 0.0]);
    let solve = |low, high| solver.solve(Goal::Budget(0.5), (low, high));
    assert_eq!(solve(-0.3, 1.0).expect("solved").range.1, -0.25);
    let weight = solve(-0.3, 1.0).expect("solved").weight;
    assert!((-0.3..-0.25).contains(&weight), "{weight}");
    assert_eq!(solve(-0.7, -0.7).expect("solved").weight, -0.7);
    assert!(matches!(
        solve(-0.2, 1.0),
        Err(RankingError::BudgetOutOfReach {
            lowest: 0.75,
            weight: 0.0,
            ..
        })
    ));
    assert!(matches!(
        solve(0.1, 1.0),
        Err(RankingError::NoWeight {
            low: 0.1,
            high: 1.0
        })
    ));
    // On the crossing itself no weight rests.
    assert!(matches!(
        solve(-0.25, -0.25),
        Err(RankingError::NoWeight { .. })
    ));
    assert!(matches!(
        solve(-0.25 * (1.0 + 0.1 * MIN_WIDTH), -0.25),
        Err(RankingError::NoWeight { .. })
    ));
}

#[test]
fn what_cannot_be_solved_is_refused_by_name() {
    let columns: [&[f64]; 2] = [&[0.5, 0.375], &[0.75, 0.25]];
    let said = |error: RankingError| error.to_string();
    let new = |k, objectives, swept, gain| {
        said(Solver::new(k, objectives, swept, gain).expect_err("refused"))
    };
    assert!(new(0, 2, 1, 0).contains("k is 0"));
    assert!(new(1, 2, 2, 0).contains("the sought weight names objective 2"));
    assert!(new(1, 2, 1, 5).contains("the gain names objective 5"));
    assert!(new(1, 2, 1, 1).contains("both of objective 1"));
    let mut solver = Solver::new(1, 2, 1, 0).expect("good");
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(
        solver.solve(Goal::Budget(0.5), all),
        Err(RankingError::NoRequests)
    );
    assert!(
        said(
            solver
                .push(&columns, &[0.0, 0.0], true)
                .expect_err("refused")
        )
        .contains("request 0: the weight of the gain is 0")
    );
    assert!(
        said(solver.push(&columns, &[1.0], true).expect_err("refused"))
            .contains("1 entries where 2 are due")
    );
    assert!(
        said(
            solver
                .push(&columns, &[1.0, f64::NAN], false)
                .expect_err("refused")
        )
        .contains("finite")
    );
    assert!(
        said(
            solver
                .push(&[&[0.5], &[1.5]], &[1.0, 0.0], true)
                .expect_err("refused")
        )
        .contains("probability of objective 1")
    );
    assert_eq!(solver.requests(), 0);
    solver
        .push(&columns, &[0.0, 0.0], false)
        .expect("a constant request may weigh as it likes");
    assert_eq!(
        solver.solve(Goal::Budget(0.5), all),
        Err(RankingError::NothingFree { objective: 1 })
    );
    solver
        .push(&columns, &[1.0, f64::NAN], true)
        .expect("the sought weight is not read");
    for bad in [
        Goal::Budget(-0.1),
        Goal::Budget(f64::NAN),
        Goal::AtLeast(1.5),
        Goal::Rate(-1.0),
        Goal::Rate(f64::INFINITY),
    ] {
        assert!(
            matches!(solver.solve(bad, all), Err(RankingError::OutOfRange { .. })),
            "{bad:?}"
        );
    }
    assert!(
        said(solver.solve(Goal::AtLeast(0.9), all).expect_err("refused"))
            .contains("the highest is 0.5, at weight 0")
    );
}
