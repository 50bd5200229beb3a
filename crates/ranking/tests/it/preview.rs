//! Previews against ranking every request anew, and against SciPy and statsmodels on the cases that
//! `reference/preview.py` makes.
#![allow(clippy::expect_used)] // helpers of a test

use counterweight_ranking::{
    RankingError, combine,
    preview::{Estimate, Preview, Replay, Summary},
    stability, top_k,
};
use proptest::prelude::*;
use serde_json::Value;

#[derive(Debug, Clone)]
struct Owned {
    unit: u64,
    columns: Vec<Vec<f64>>,
    before: Vec<f64>,
    after: Vec<f64>,
}

fn preview(k: usize, requests: &[Owned]) -> Result<Summary, RankingError> {
    let mut preview = Preview::new(k, requests.first().map_or(2, |r| r.columns.len()))?;
    for request in requests {
        let columns: Vec<&[f64]> = request.columns.iter().map(Vec::as_slice).collect();
        preview.push(&Replay {
            unit: request.unit,
            probabilities: &columns,
            before: &request.before,
            after: &request.after,
        })?;
    }
    preview.finish()
}

/// All candidates, best first, as Rank orders them.
fn order(weights: &[f64], columns: &[Vec<f64>]) -> Vec<usize> {
    let ids: Vec<String> = (0..columns[0].len()).map(|i| format!("{i:04}")).collect();
    top_k(&combine(weights, columns), &ids, 0)
}

fn page(weights: &[f64], columns: &[Vec<f64>], k: usize) -> Vec<usize> {
    let mut page = order(weights, columns);
    page.truncate(k);
    page
}

fn near(ours: f64, expected: f64) -> Result<(), TestCaseError> {
    prop_assert!((ours - expected).abs() < 1e-12, "{ours} against {expected}");
    Ok(())
}

fn ranked_anew(k: usize, requests: &[Owned]) -> Result<(), TestCaseError> {
    let summary = preview(k, requests).expect("good requests");
    let count = requests.len() as f64;
    let (mut sets, mut orders, mut taus, mut moves) = (0.0, 0.0, Vec::new(), Vec::new());
    let mut exposures = vec![[0.0; 2]; requests[0].columns.len()];
    for (number, request) in requests.iter().enumerate() {
        let n = request.columns[0].len();
        let [old, new] = [&request.before, &request.after].map(|w| order(w, &request.columns));
        let place = |order: &[usize], i: usize| order.iter().position(|&c| c == i).expect("there");
        let places = k.min(n);
        for (at, order) in [&old, &new].into_iter().enumerate() {
            for (exposure, column) in exposures.iter_mut().zip(&request.columns) {
                let sum: f64 = order[..places].iter().map(|&i| column[i]).sum();
                exposure[at] += sum / places as f64 / count;
            }
        }
        let shown = |i: &usize| old[..places].contains(i) || new[..places].contains(i);
        sets += f64::from(u8::from(
            new[..places].iter().any(|i| !old[..places].contains(i)),
        ));
        orders += f64::from(u8::from(old[..places] != new[..places]));
        let pairs: Vec<f64> = (0..n)
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .map(|(a, b)| {
                let alike = (place(&old, a) < place(&old, b)) == (place(&new, a) < place(&new, b));
                if alike { 1.0 } else { -1.0 }
            })
            .collect();
        if n > 1 {
            taus.push(pairs.iter().sum::<f64>() / pairs.len() as f64);
        }
        for candidate in (0..n).filter(shown) {
            let (from, to) = (place(&old, candidate), place(&new, candidate));
            if from != to {
                moves.push((from.abs_diff(to), number, candidate, from + 1, to + 1));
            }
        }
    }
    prop_assert_eq!(summary.requests, requests.len());
    prop_assert_eq!(
        summary.candidates,
        requests.iter().map(|r| r.columns[0].len()).sum::<usize>()
    );
    near(summary.changed_set, sets / count)?;
    near(summary.changed_order, orders / count)?;
    near(
        summary.rank_correlation,
        if taus.is_empty() {
            1.0
        } else {
            taus.iter().sum::<f64>() / taus.len() as f64
        },
    )?;
    for (ours, [before, after]) in summary.exposures.iter().zip(exposures) {
        near(ours.before.value, before)?;
        near(ours.after.value, after)?;
        near(ours.change.value, after - before)?;
    }
    moves.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
    moves.truncate(10);
    let ours = summary.moves.iter().map(|m| {
        (
            m.from.abs_diff(m.to) as usize,
            m.request,
            m.candidate,
            m.from as usize,
            m.to as usize,
        )
    });
    prop_assert!(ours.eq(moves));
    Ok(())
}

/// Whether some page differs while one weight goes from `low` to `high`: at both ends, and between
/// each two crossings.
fn changes_somewhere(
    weights: &[f64],
    objective: usize,
    columns: &[Vec<f64>],
    k: usize,
    (low, high): (f64, f64),
) -> bool {
    let at = |w: f64| {
        let mut weights = weights.to_vec();
        weights[objective] = w;
        page(&weights, columns, k)
    };
    let now = page(weights, columns, k);
    let scores = combine(weights, columns);
    let n = scores.len();
    let mut cuts: Vec<f64> = (0..n)
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .map(|(a, b)| {
            weights[objective]
                - (scores[a] - scores[b]) / (columns[objective][a] - columns[objective][b])
        })
        .filter(|w| low < *w && *w < high)
        .chain([low, high])
        .collect();
    cuts.sort_unstable_by(f64::total_cmp);
    let between = cuts.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]));
    between.chain([low, high]).any(|w| at(w) != now)
}

fn firmness(request: &Owned, k: usize, exact: bool) -> Result<(), TestCaseError> {
    let summary = preview(k, std::slice::from_ref(request)).expect("a good request");
    let (weights, columns) = (&request.after, &request.columns);
    let served = page(weights, columns, k);
    let ranges = stability::ranges(weights, columns, &served);
    for (objective, &w) in weights.iter().enumerate() {
        for (share, ours) in [
            (0.01, &summary.within_1_percent),
            (0.1, &summary.within_10_percent),
        ] {
            let ends = |share: f64| {
                let reach = (w * share).abs();
                (w - reach, w + reach)
            };
            let changes = |share| changes_somewhere(weights, objective, columns, k, ends(share));
            if exact {
                prop_assert_eq!(
                    ours[objective] == 1.0,
                    changes(share),
                    "objective {} at {}",
                    objective,
                    share
                );
                continue;
            }
            // A crossing within 1e-9 of an end is rounding's to place.
            let (least, most) = (share * (1.0 - 1e-9), share * (1.0 + 1e-9));
            let holds = |share: f64| {
                let (low, high) = ends(share);
                ranges[objective].contains(low) && ranges[objective].contains(high)
            };
            if ours[objective] == 1.0 {
                prop_assert!(
                    changes(most) && !holds(most),
                    "objective {objective} at {share}"
                );
            } else {
                prop_assert!(
                    !changes(least) && holds(least),
                    "objective {objective} at {share}"
                );
            }
        }
    }
    Ok(())
}

fn request(
    probability: BoxedStrategy<f64>,
    weight: BoxedStrategy<f64>,
    objectives: usize,
    most: usize,
) -> impl Strategy<Value = Owned> {
    let weights = prop::collection::vec(weight, objectives);
    let columns = (1..=most).prop_flat_map(move |n| {
        prop::collection::vec(prop::collection::vec(probability.clone(), n), objectives)
    });
    (
        0_u64..5,
        columns,
        weights.clone(),
        weights,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(unit, columns, before, after, same)| Owned {
            unit,
            columns,
            after: if same { before.clone() } else { after },
            before,
        })
}

fn anything() -> (BoxedStrategy<f64>, BoxedStrategy<f64>) {
    ((0.0..1.0f64).boxed(), (-2.0..2.0f64).boxed())
}

/// Sixteenths, and weights of which 1 % and 10 % are exact, too: candidates tie, and cross right at
/// the ends.
fn exact() -> (BoxedStrategy<f64>, BoxedStrategy<f64>) {
    let weights = prop::sample::select(vec![0.0, 50.0, -50.0, 500.0, -500.0]);
    (
        (0_u8..=16).prop_map(|p| f64::from(p) / 16.0).boxed(),
        weights.boxed(),
    )
}

proptest! {
    #[test]
    fn a_preview_is_what_ranking_anew_gives(
        requests in (2_usize..=3).prop_flat_map(|m| prop::collection::vec(request(anything().0, anything().1, m, 90), 1..8)), k in 1_usize..14,
    ) {
        ranked_anew(k, &requests)?;
    }

    #[test]
    fn with_ties_too(
        requests in (2_usize..=3).prop_flat_map(|m| prop::collection::vec(request(exact().0, exact().1, m, 90), 1..8)), k in 1_usize..14,
    ) {
        ranked_anew(k, &requests)?;
    }

    #[test]
    fn a_page_is_as_firm_as_its_crossings_say(
        request in (2_usize..=3).prop_flat_map(|m| request(anything().0, anything().1, m, 14)), k in 1_usize..6,
    ) {
        firmness(&request, k, false)?;
    }

    #[test]
    fn crossings_at_the_very_ends_count_as_they_are_served(
        request in (2_usize..=3).prop_flat_map(|m| request(exact().0, exact().1, m, 14)), k in 1_usize..6,
    ) {
        firmness(&request, k, true)?;
    }
}

#[test]
fn clustered_intervals_and_rank_correlations_are_those_of_others() {
    let all: Value = serde_json::from_str(include_str!("../reference/preview.json")).expect("JSON");
    let numbers = |value: &Value| -> Vec<f64> {
        let numbers = value.as_array().expect("an array").iter();
        numbers.map(|v| v.as_f64().expect("a number")).collect()
    };
    for case in all.as_array().expect("cases") {
        let requests: Vec<Owned> = case["requests"]
            .as_array()
            .expect("requests")
            .iter()
            .map(|request| Owned {
                unit: request["unit"]
                    .as_u64()
                    .expect("a number")
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15),
                columns: request["probabilities"]
                    .as_array()
                    .expect("columns")
                    .iter()
                    .map(numbers)
                    .collect(),
                before: numbers(&request["before"]),
                after: numbers(&request["after"]),
            })
            .collect();
        let k = usize::try_from(case["k"].as_u64().expect("k")).expect("small");
        let summary = preview(k, &requests).expect("good requests");
        let close = |ours: f64, theirs: &Value, what: &str| {
            let theirs = theirs.as_f64().expect("a number");
            assert!(
                (ours - theirs).abs() < 1e-12,
                "{} {what}: {ours} against {theirs}",
                case["name"]
            );
        };
        for what in ["changed_set", "changed_order", "rank_correlation"] {
            let ours = match what {
                "changed_set" => summary.changed_set,
                "changed_order" => summary.changed_order,
                _ => summary.rank_correlation,
            };
            close(ours, &case[what], what);
        }
        assert_eq!(summary.units as u64, case["units"].as_u64().expect("units"));
        for (ours, theirs) in summary
            .exposures
            .iter()
            .zip(case["exposures"].as_array().expect("exposures"))
        {
            for (what, Estimate { value, low, high }) in [
                ("before", ours.before),
                ("after", ours.after),
                ("change", ours.change),
            ] {
                close(value, &theirs[what][0], what);
                close(low, &theirs[what][1], what);
                close(high, &theirs[what][2], what);
            }
        }
    }
}

#[test]
fn one_unit_says_nothing_of_its_sampling_and_no_change_is_certain() {
    let request = |unit| Owned {
        unit,
        columns: vec![vec![0.5, 0.375], vec![0.75, 0.25]],
        before: vec![1.0, -0.25],
        after: vec![1.0, -0.25],
    };
    let one = preview(1, &[request(3), request(3)]).expect("good");
    let change = one.exposures[0].change;
    assert_eq!(
        (one.units, change.value, change.low, change.high),
        (1, 0.0, f64::NEG_INFINITY, f64::INFINITY)
    );
    let two = preview(1, &[request(3), request(4)]).expect("good");
    let change = two.exposures[0].change;
    assert_eq!(
        (two.units, change.value, change.low, change.high),
        (2, 0.0, 0.0, 0.0)
    );
    assert_eq!((two.rank_correlation, two.moves.len()), (1.0, 0));
}

#[test]
fn what_cannot_be_replayed_is_refused_by_name() {
    let good = Owned {
        unit: 1,
        columns: vec![vec![0.5, 0.375], vec![0.75, 0.25]],
        before: vec![1.0, 0.0],
        after: vec![1.0, -1.0],
    };
    let refused = |edit: &dyn Fn(&mut Owned)| {
        let mut bad = good.clone();
        edit(&mut bad);
        preview(1, &[good.clone(), bad])
            .expect_err("refused")
            .to_string()
    };
    assert!(
        refused(&|r| r.columns[1][0] = f64::NAN)
            .starts_with("request 1, candidate 0: the probability of objective 1")
    );
    assert!(refused(&|r| r.columns[1].truncate(1)).contains("1 entries where 2 are due"));
    assert!(refused(&|r| r.columns.iter_mut().for_each(Vec::clear)).contains("no candidates"));
    assert!(refused(&|r| r.before.truncate(1)).contains("`before`"));
    assert!(refused(&|r| r.after.push(1.0)).contains("`after`"));
    assert!(refused(&|r| r.after[0] = f64::INFINITY).contains("finite"));
    assert_eq!(preview(0, &[]), Err(RankingError::NoPlaces));
    assert_eq!(preview(1, &[]), Err(RankingError::NoRequests));
}
