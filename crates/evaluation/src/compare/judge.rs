//! Compares pages, with paired intervals: every replicate draws the users once for
//! all orders.

use counterweight_impressions::{Log, Summary};
use counterweight_ranking::{solve::MIN_WIDTH, sweep::Discount};
use counterweight_statistics::{deviation, normal_quantile};
use rayon::prelude::*;

use super::{
    hull::Hull,
    options::{CompareOptions, lambda},
    pages::{Order, Pages, Sums},
    result::{
        Baseline, ComparedPoint, Comparison, Level, OptionFront, Retraining, Shared, Verdict,
    },
};
use crate::{
    draws::{Draws, count},
    error::{EvaluationError, wrong},
    front::{FrontPoint, Point, igd},
    interval::Interval,
};

/// Where in the shared range the options are shown at equal cost; not at its very ends, which half
/// of the replicates do not reach.
const LEVELS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Points of the sweep that are drawn.
const DRAWN: usize = 200;

/// All that the comparison is made of.
pub(super) struct Material<'a> {
    pub(super) log: &'a Log,
    pub(super) names: [String; 2],
    pub(super) weights: Vec<[u32; 2]>,
    pub(super) pages: &'a Pages,
    pub(super) tune: &'a Sums,
    pub(super) test: &'a Sums,
    pub(super) summary: Summary,
    pub(super) options: &'a CompareOptions,
    pub(super) retraining: Vec<Retraining>,
    pub(super) deploy_seconds: f64,
}

/// Gain and cost of every order, on the part as it is and in each replicate.
struct Drawn {
    estimate: Vec<[f64; 2]>,
    replicates: Vec<Vec<[f64; 2]>>,
    z: f64,
}

impl Drawn {
    fn interval(&self, of: impl Fn(&[[f64; 2]]) -> f64) -> Interval {
        let value = of(&self.estimate);
        // A replicate whose hull does not reach this cost has no value there.
        let draws = self.replicates.iter().map(|all| of(all));
        let draws: Vec<f64> = draws.filter(|draw| draw.is_finite()).collect();
        let half = self.z * deviation(draws.iter().copied());
        Interval {
            value,
            low: value - half,
            high: value + half,
        }
    }
}

pub(super) fn comparison(material: Material<'_>) -> Result<Comparison, EvaluationError> {
    let Material {
        log,
        names,
        weights,
        pages,
        tune,
        test,
        summary,
        options,
        retraining,
        deploy_seconds,
    } = material;
    let orders = &pages.orders;
    let tuned = means(tune, |_| 1.0);
    let drawn = draw(test, options.draws);
    let at = |order: Order| orders.iter().position(|own| *own == order);
    let option = |name: &str, of: fn(usize) -> Order| {
        let places: Option<Vec<usize>> = (0..weights.len()).map(|i| at(of(i))).collect();
        places.map(|places| points(name, &weights, &places, &tuned, &drawn))
    };
    let missing = || log.wrong("an order was not judged; this is a fault");
    let mut two = option("two models", Order::Sum).ok_or_else(missing)?;
    let mut one = option("one model", Order::Combined).ok_or_else(missing)?;
    let oracle = option("oracle", Order::Oracle);
    let chosen = |front: &OptionFront, of: fn(usize) -> Order| -> Vec<usize> {
        (0..weights.len())
            .filter(|&i| front.points[i].chosen)
            .filter_map(|i| at(of(i)))
            .collect()
    };
    let places = [chosen(&two, Order::Sum), chosen(&one, Order::Combined)];
    let shared = share(&places, &drawn, [&mut two, &mut one]);
    let (sweep, breakpoints) = swept(log, pages)?;
    Ok(Comparison {
        log: log.name().to_owned(),
        verdict: verdict(shared.as_ref()),
        k: pages.k,
        discounted: pages.roles.discount == Discount::Log2,
        truth: pages.truth.is_some(),
        requests: [tune.requests, test.requests],
        users: [tune.users.len(), test.users.len()],
        unlabelled: pages.unlabelled,
        unjudged: pages.unjudged,
        read: summary,
        models: log
            .objectives()
            .iter()
            .filter(|objective| objective.model.is_some())
            .cloned()
            .collect(),
        two,
        one,
        oracle,
        shared,
        baselines: baselines(&names, orders, &drawn),
        sweep,
        breakpoints,
        retraining,
        deploy_seconds,
        set_weights: None,
        draws: options.draws,
        objectives: names,
    })
}

/// Each objective alone, and a random order.
fn baselines(names: &[String; 2], orders: &[Order], drawn: &Drawn) -> Vec<Baseline> {
    let baselines = [
        (format!("highest P({})", names[0]), Order::Gain),
        (format!("lowest P({})", names[1]), Order::Cost),
        ("random".to_owned(), Order::Random),
    ];
    let baseline = |(words, order)| {
        let place = orders.iter().position(|own| *own == order);
        let place = place.unwrap_or_default();
        Baseline {
            order: words,
            gain: drawn.interval(|all| all[place][0]),
            cost: drawn.interval(|all| all[place][1]),
        }
    };
    baselines.into_iter().map(baseline).collect()
}

fn verdict(shared: Option<&Shared>) -> Verdict {
    let Some(shared) = shared else {
        return Verdict::Incomparable;
    };
    let Interval { low, high, .. } = shared.mean_change;
    match (low > 0.0, high < 0.0, shared.other_way().next()) {
        (false, false, _) => Verdict::NoDifference,
        (_, _, Some(_)) => Verdict::Mixed,
        (true, _, None) => Verdict::TwoBetter,
        (_, true, None) => Verdict::TwoWorse,
    }
}

/// Mean gain and cost of every order over requests, users weighted.
fn means(sums: &Sums, weight: impl Fn(u64) -> f64) -> Vec<[f64; 2]> {
    let orders = sums.users.values().next().map_or(0, |(_, all)| all.len());
    let (mut requests, mut totals) = (0.0, vec![[0.0; 2]; orders]);
    for (user, (count, all)) in &sums.users {
        let weight = weight(*user);
        requests += weight * count;
        for (total, own) in totals.iter_mut().zip(all) {
            total[0] += weight * own[0];
            total[1] += weight * own[1];
        }
    }
    totals
        .into_iter()
        .map(|total| total.map(|sum| sum / requests))
        .collect()
}

fn draw(test: &Sums, draws: Draws) -> Drawn {
    let replicates: Vec<u64> = (0..draws.replicates as u64).collect();
    Drawn {
        estimate: means(test, |_| 1.0),
        replicates: replicates
            .par_iter()
            .map(|replicate| {
                let seed = draws.replicate_seed(*replicate);
                means(test, |user| count(seed, user))
            })
            // A draw without any user says nothing.
            .filter(|all| all.iter().flatten().all(|mean| mean.is_finite()))
            .collect(),
        z: normal_quantile(draws.level),
    }
}

/// The points of an option; `places` says where each weight's order stands.
fn points(
    name: &str,
    weights: &[[u32; 2]],
    places: &[usize],
    tuned: &[[f64; 2]],
    drawn: &Drawn,
) -> OptionFront {
    let point = |(i, at): (usize, &usize)| Point {
        gain: tuned[*at][0],
        cost: tuned[*at][1],
        x: i as f64,
    };
    let hull = Hull::new(places.iter().enumerate().map(point).collect());
    let chosen = |i: usize| hull.0.iter().any(|point| point.x == i as f64);
    let each = weights.iter().zip(places).enumerate();
    OptionFront {
        name: name.to_owned(),
        points: each
            .map(|(i, (&weight, &at))| ComparedPoint {
                weight,
                lambda: lambda(weight[0], weight[1]),
                tune: tuned[at],
                gain: drawn.interval(|all| all[at][0]),
                cost: drawn.interval(|all| all[at][1]),
                chosen: chosen(i),
            })
            .collect(),
        hull: {
            let chosen = (0..places.len()).filter(|&i| chosen(i));
            let points = chosen.map(|i| {
                let [gain, cost] = drawn.estimate[places[i]];
                let x = lambda(weights[i][0], weights[i][1]);
                Point { gain, cost, x }
            });
            let hull = Hull::new(points.collect()).0;
            hull.iter()
                .map(|point| FrontPoint {
                    lambda: point.x,
                    gain: point.gain,
                    cost: point.cost,
                })
                .collect()
        },
        hypervolume: None,
        igd: None,
    }
}

/// The hull through some orders' points.
fn hull_of(places: &[usize], all: &[[f64; 2]]) -> Hull {
    let point = |&at: &usize| Point {
        gain: all[at][0],
        cost: all[at][1],
        x: 0.0,
    };
    Hull::new(places.iter().map(point).collect())
}

/// Compares the hulls over the costs that both reach, and notes each option's hypervolume and IGD.
fn share(
    places: &[Vec<usize>; 2],
    drawn: &Drawn,
    options: [&mut OptionFront; 2],
) -> Option<Shared> {
    let hulls = |all: &[[f64; 2]]| [hull_of(&places[0], all), hull_of(&places[1], all)];
    let [two, one] = hulls(&drawn.estimate);
    let (low, high) = two.shared(&one)?;
    let least = two.gain(low).min(one.gain(low));
    let both: Vec<usize> = places.iter().flatten().copied().collect();
    let best = hull_of(&both, &drawn.estimate).levels(low, high);
    for (option, hull) in options.into_iter().zip([&two, &one]) {
        option.hypervolume = Some(hull.area(low, high) - least * (high - low));
        option.igd = igd(&hull.levels(low, high), &best);
    }
    let compared = |of: &dyn Fn(&Hull, &Hull) -> f64| {
        drawn.interval(|all| {
            let [two, one] = hulls(all);
            of(&two, &one)
        })
    };
    let level = |at: &f64| {
        let cost = low + (high - low) * at;
        Level {
            cost,
            two: two.gain(cost),
            one: one.gain(cost),
            change: compared(&|two, one| two.gain(cost) - one.gain(cost)),
        }
    };
    let mean = compared(&|two, one| two.mean_lead(one, (low, high)));
    let area = |mean: f64| mean * (high - low);
    Some(Shared {
        costs: [low, high],
        reference: [least, high],
        hypervolume_change: Interval {
            value: area(mean.value),
            low: area(mean.low),
            high: area(mean.high),
        },
        mean_change: mean,
        levels: LEVELS.iter().map(level).collect(),
    })
}

/// Points of the exact sweep of two models, for drawing.
fn swept(log: &Log, pages: &Pages) -> Result<(Vec<FrontPoint>, usize), EvaluationError> {
    let Some(sweep) = &pages.sweep else {
        return Ok((Vec::new(), 0));
    };
    let curves = sweep.curves().map_err(|source| wrong(log.name(), source))?;
    let point = |lambda: f64| FrontPoint {
        lambda,
        gain: curves.value_at(0, lambda),
        cost: curves.value_at(1, lambda),
    };
    let grid = curves.grid(DRAWN, MIN_WIDTH);
    Ok((
        grid.into_iter().map(point).collect(),
        curves.breakpoints().len() - 1,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(users: &[[[f64; 2]; 4]]) -> Sums {
        Sums {
            users: users
                .iter()
                .zip(1..)
                .map(|(all, user)| (user, (1.0, all.to_vec())))
                .collect(),
            requests: users.len() as u64,
        }
    }

    /// Orders 0 and 1 are of two models, 2 and 3 of one; where the two options are the same orders,
    /// nothing differs in any replicate.
    #[test]
    fn equal_options_differ_by_nothing_and_a_better_one_by_its_lead() {
        let mut users = Vec::new();
        for user in 0..50 {
            let shake = 0.01 * f64::from(user % 7);
            users.push([
                [0.4 + shake, 0.1],
                [0.6 + shake, 0.3 + shake],
                [0.4 + shake, 0.1],
                [0.6 + shake, 0.3 + shake],
            ]);
        }
        let weights = [[2, 1], [1, 2]];
        let draws = Draws {
            replicates: 50,
            ..Draws::default()
        };
        let compared = |users: &[[[f64; 2]; 4]]| {
            let all = sums(users);
            let (tuned, drawn) = (means(&all, |_| 1.0), draw(&all, draws));
            let mut two = points("two", &weights, &[0, 1], &tuned, &drawn);
            let mut one = points("one", &weights, &[2, 3], &tuned, &drawn);
            let shared = share(&[vec![0, 1], vec![2, 3]], &drawn, [&mut two, &mut one]);
            (shared.unwrap(), two, one)
        };
        let (shared, two, one) = compared(&users);
        assert_eq!(
            shared.mean_change,
            Interval {
                value: 0.0,
                low: 0.0,
                high: 0.0
            }
        );
        assert_eq!(verdict(Some(&shared)), Verdict::NoDifference);
        assert_eq!((two.igd, two.hypervolume), (one.igd, one.hypervolume));
        assert_eq!(two.igd, Some(0.0));
        // Two models gain 0.05 more everywhere.
        for all in &mut users {
            all[0][0] += 0.05;
            all[1][0] += 0.05;
        }
        let (shared, two, one) = compared(&users);
        assert!((shared.mean_change.value - 0.05).abs() < 1e-12);
        assert!(
            shared
                .levels
                .iter()
                .all(|level| (level.change.value - 0.05).abs() < 1e-12)
        );
        assert_eq!(verdict(Some(&shared)), Verdict::TwoBetter);
        let mut turned = shared.clone();
        turned.levels[4].change = Interval {
            value: -0.02,
            low: -0.03,
            high: -0.01,
        };
        assert_eq!(verdict(Some(&turned)), Verdict::Mixed);
        let width = shared.costs[1] - shared.costs[0];
        assert!((shared.hypervolume_change.value - 0.05 * width).abs() < 1e-12);
        let lead = two.hypervolume.unwrap() - one.hypervolume.unwrap();
        assert!((lead - shared.hypervolume_change.value).abs() < 1e-12);
        assert!(one.igd.unwrap() > two.igd.unwrap());
    }
}
