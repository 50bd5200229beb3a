//! The options of a comparison, and the checks whether it can be made.

use std::path::PathBuf;

use counterweight_dataset::{Dataset, Part};
use counterweight_impressions::{LogError, LogOptions, columns};
use counterweight_ranking::sweep::Discount;

use crate::{draws::Draws, error::EvaluationError};

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
    /// A file with what no real log has: the probability that each label was drawn from, by request
    /// and candidate.
    pub truth: Option<PathBuf>,
    /// How intervals are drawn.
    pub draws: Draws,
}

/// λ of a weight m : n.
pub(super) fn lambda(m: u32, n: u32) -> f64 {
    f64::from(n) / f64::from(m)
}

pub(super) fn check(options: &CompareOptions) -> Result<(), EvaluationError> {
    options.draws.check()?;
    let fits = |[m, n]: &[u32; 2]| *m > 0 && *n > 0 && m.saturating_add(*n) <= MOST_COPIES;
    let refuse = |value: String, expected| {
        Err(EvaluationError::Option {
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
pub(super) fn distinct(weights: &[[u32; 2]]) -> Vec<[u32; 2]> {
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

/// Checks what can be known before models are trained: that both parts have rows, and that a page
/// has places.
pub(super) fn check_log(
    dataset: &Dataset,
    options: &CompareOptions,
) -> Result<(), EvaluationError> {
    let refuse = |problem: String| {
        Err(LogError::Log {
            log: dataset.name().to_owned(),
            problem,
        }
        .into())
    };
    for (part, name) in [(Part::Tune, "tune"), (Part::Test, "test")] {
        if dataset.share(part) == Some(0.0) {
            return refuse(format!(
                "the split leaves the {name} part empty, and it is needed; give the split a `{name}` share"
            ));
        }
    }
    let has = dataset.columns().map_err(LogError::from)?;
    if options.log.k.is_none() && !has.iter().any(|own| own == columns::PLACES) {
        return refuse("the log has no column `k`; give the places of the page (k)".to_owned());
    }
    Ok(())
}

/// The two objectives that are compared.
pub(super) fn objectives(
    dataset: &Dataset,
    options: &CompareOptions,
) -> Result<[String; 2], EvaluationError> {
    let all = dataset.objectives();
    let refuse = |problem: String| LogError::Log {
        log: dataset.name().to_owned(),
        problem,
    };
    let find = |named: &Option<String>, other: Option<&str>| match named {
        Some(name) if all.contains(&name.as_str()) => Ok(name.clone()),
        Some(name) => Err(refuse(format!(
            "{name:?} is not an objective; use one of {}",
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
            "{gained:?} is both the gain and the cost; name two objectives"
        ))
        .into());
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
