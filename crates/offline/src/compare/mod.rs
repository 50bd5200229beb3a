//! Two models and a weighted sum against one model of the combined loss, at the same weights and by the same rules.
//!
//! Both options get the same weights, features, splits, folds, penalties and calibration rows. Weights are chosen on the tune part: of each
//! option those on the hull of its points. The front that is scored is the hull through the test part's values of these; the exact sweep of
//! all weights, which only two models can offer, is drawn and not scored: many points would win by their number alone.

mod hull;
mod judge;
mod models;
mod pages;
mod result;
mod truth;

use std::path::PathBuf;

use counterweight_dataset::Dataset;
use counterweight_ranking::sweep::Discount;
use counterweight_trainer::{Progress, TrainOptions};

use crate::{Draws, Log, LogOptions, OfflineError};
use pages::{Pages, Roles};
use truth::Truth;

pub use models::{Retraining, SetWeights};
pub use result::{Baseline, ComparedPoint, Comparison, Level, OptionFront, Shared, Verdict};

/// The weights that both options get when none are given, as m : n; λ = n/m from 1/8 to 8.
pub const DEFAULT_WEIGHTS: [[u32; 2]; 9] = [
    [8, 1],
    [4, 1],
    [2, 1],
    [3, 2],
    [1, 1],
    [2, 3],
    [1, 2],
    [1, 4],
    [1, 8],
];
/// Rows are copied m + n times.
const MOST_COPIES: u32 = 100;

/// How to compare.
#[derive(Debug, Clone)]
pub struct CompareOptions {
    /// The objective that is gained; `None` is the first.
    pub gained: Option<String>,
    /// The objective that costs; `None` is the first other one.
    pub avoided: Option<String>,
    /// The weights, as whole numbers m : n with α = 1 and β = −n/m; each at least 1.
    pub weights: Vec<[u32; 2]>,
    /// How the log is read.
    pub log: LogOptions,
    /// How the places of a page count.
    pub discount: Discount,
    /// How every model is trained.
    pub training: TrainOptions,
    /// A file with what no real log has: the probability that each label was drawn from, by request and candidate.
    pub truth: Option<PathBuf>,
    /// How intervals are drawn.
    pub draws: Draws,
    /// The folder that the models are written into.
    pub models: PathBuf,
}

/// Trains all models and compares the two options. `progress` is told the model at work and how far it is.
///
/// # Errors
/// [`OfflineError`] for options that are none, for objectives whose labels are not on the same rows or that have other features, and where
/// a page holds every candidate, so that no order could matter.
pub fn compare(
    dataset: &Dataset,
    options: &CompareOptions,
    progress: &mut dyn FnMut(&str, Progress),
) -> Result<Comparison, OfflineError> {
    check(options)?;
    let names = objectives(dataset, options)?;
    let weights = distinct(&options.weights);
    let truth = match &options.truth {
        Some(file) => Some(Truth::read(file, &names)?),
        None => None,
    };
    let trained = models::train_all(dataset, &names, &weights, options, progress)?;
    let mut log = Log::open(dataset.clone(), trained.artefacts, options.log.clone())?;
    let place = |name: &str| {
        let mut all = log.objectives().iter();
        all.position(|own| own.name == name)
            .ok_or_else(|| log.wrong(format!("no model of {name:?} was trained; this is a fault")))
    };
    let roles = Roles {
        gain: place(&names[0])?,
        cost: place(&names[1])?,
        combined: trained
            .combined
            .iter()
            .map(|name| place(name))
            .collect::<Result<_, _>>()?,
        lambdas: weights.iter().map(|[m, n]| lambda(*m, *n)).collect(),
        discount: options.discount,
    };
    let name = log.name().to_owned();
    let mut pages = Pages::new(name, roles, truth, options.log.k);
    let summary = log.read(&mut |_| (), &mut |batch| pages.add(batch))?;
    let tune = pages.tune.finish(&log, "tune")?;
    let test = pages.test.finish(&log, "test")?;
    if !pages.contested {
        return Err(log.wrong(format!(
            "every page of {} places holds all candidates whose labels are known, so that no order matters; ask for fewer places (k){}",
            pages.k,
            if pages.truth.is_none() { ", or give the truth" } else { "" }
        )));
    }
    judge::comparison(judge::Material {
        log: &log,
        names,
        weights,
        pages: &pages,
        tune,
        test,
        summary,
        options,
        retraining: trained.retraining,
        deploy_seconds: trained.deploy_seconds,
    })
}

fn lambda(m: u32, n: u32) -> f64 {
    f64::from(n) / f64::from(m)
}

fn check(options: &CompareOptions) -> Result<(), OfflineError> {
    options.draws.check()?;
    let fits = |[m, n]: &[u32; 2]| *m > 0 && *n > 0 && m.saturating_add(*n) <= MOST_COPIES;
    let refuse = |value: String, expected| {
        Err(OfflineError::Option {
            name: "the weights",
            value,
            expected,
        })
    };
    match options.weights.iter().find(|weight| !fits(weight)) {
        Some([m, n]) => refuse(
            format!("{m}:{n}"),
            "both are whole numbers from 1, at most 100 together, since every row is copied as often",
        ),
        None if distinct(&options.weights).len() < 2 => refuse(
            format!("{:?}", options.weights),
            "a front takes at least two different ones",
        ),
        None => Ok(()),
    }
}

/// In lowest terms, each once, λ ascending.
fn distinct(weights: &[[u32; 2]]) -> Vec<[u32; 2]> {
    fn divisor(a: u32, b: u32) -> u32 {
        if b == 0 { a } else { divisor(b, a % b) }
    }
    let lowest = |[m, n]: &[u32; 2]| {
        let by = divisor(*m, *n).max(1);
        [m / by, n / by]
    };
    let mut all: Vec<[u32; 2]> = weights.iter().map(lowest).collect();
    all.sort_by(|a, b| lambda(a[0], a[1]).total_cmp(&lambda(b[0], b[1])));
    all.dedup();
    all
}

/// The two objectives that are compared.
fn objectives(dataset: &Dataset, options: &CompareOptions) -> Result<[String; 2], OfflineError> {
    let all = dataset.objectives();
    let refuse = |problem: String| OfflineError::Log {
        log: dataset.name().to_owned(),
        problem,
    };
    let find = |asked: &Option<String>, other: Option<&str>| match asked {
        Some(name) if all.contains(&name.as_str()) => Ok(name.clone()),
        Some(name) => Err(refuse(format!(
            "there is no objective {name:?}; there are {}",
            all.join(", ")
        ))),
        None => {
            let mut rest = all.iter().filter(|own| Some(**own) != other);
            let first = rest.next().map(|own| (*own).to_owned());
            first.ok_or_else(|| {
                refuse(format!(
                    "one model against two takes labels of two objectives on the same rows, and there are {}",
                    all.len()
                ))
            })
        }
    };
    let gained = find(&options.gained, options.avoided.as_deref())?;
    let avoided = find(&options.avoided, Some(&gained))?;
    if gained == avoided {
        return Err(refuse(format!(
            "{gained:?} is asked for as what is gained and as what it costs; name two objectives"
        )));
    }
    Ok([gained, avoided])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_in_lowest_terms_and_each_once() {
        assert_eq!(
            distinct(&[[2, 4], [1, 1], [1, 2], [3, 3], [9, 1]]),
            [[9, 1], [1, 1], [1, 2]]
        );
        assert_eq!(distinct(&DEFAULT_WEIGHTS), DEFAULT_WEIGHTS);
    }
}
