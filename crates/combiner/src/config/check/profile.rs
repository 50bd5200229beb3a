//! Checks a profile: its default weights and its safe set lie within its bounds.

use std::collections::BTreeMap;

use counterweight_config::did_you_mean;
use counterweight_ranking::{Bound, Weights, WeightsError, check_range};

use super::problem::{Checked, problem};
use crate::config::{
    raw,
    types::{Objective, Profile},
};

pub(in crate::config) fn profile(
    name: String,
    raw: &raw::Profile,
    objectives: &[Objective],
) -> Checked<Profile> {
    let key = format!("profile.{name}");
    if name.is_empty() {
        return problem("profile", "a profile's name is empty");
    }
    check_names(&format!("{key}.weights"), raw.weights.keys(), || {
        objectives.iter().map(|objective| objective.name.as_str())
    })?;
    let positions: Vec<usize> = (0..objectives.len())
        .filter(|&at| raw.weights.contains_key(&objectives[at].name))
        .collect();
    if positions.is_empty() {
        return problem(
            format!("{key}.weights"),
            "is empty; write a weight for each objective that ranks this profile",
        );
    }
    let names: Vec<&str> = positions
        .iter()
        .map(|&at| objectives[at].name.as_str())
        .collect();
    let bounds = bounds(&format!("{key}.bounds"), &raw.bounds, &names)?;
    let weights = weights(&format!("{key}.weights"), &raw.weights, &names, &bounds)?;
    let safe = raw
        .safe
        .as_ref()
        .map(|safe| self::weights(&format!("{key}.safe"), safe, &names, &bounds))
        .transpose()?;
    Ok(Profile {
        name,
        weights,
        safe,
        bounds,
        objectives: positions,
        on_model_failure: raw.on_model_failure,
        on_model_overload: raw.on_model_overload,
        on_model_change: raw.on_model_change,
        limit: raw.limit,
    })
}

/// Refuses a name that is not an objective.
fn check_names<'a, I: Iterator<Item = &'a str>>(
    key: &str,
    written: impl Iterator<Item = &'a String>,
    known: impl Fn() -> I,
) -> Checked<()> {
    for objective in written {
        if !known().any(|known| known == objective) {
            let suggestion = did_you_mean(objective, known());
            return problem(
                format!("{key}.{objective}"),
                format!(
                    "is not an objective{suggestion}: add an [[objective]] of this name or correct it"
                ),
            );
        }
    }
    Ok(())
}

/// A weight set that names each objective of the profile, within the bounds.
fn weights(
    key: &str,
    raw: &BTreeMap<String, f64>,
    names: &[&str],
    bounds: &[Bound],
) -> Checked<Weights> {
    check_names(key, raw.keys(), || names.iter().copied())?;
    let mut values = Vec::with_capacity(names.len());
    for &name in names {
        match raw.get(name) {
            Some(&weight) => values.push(weight),
            None => {
                return problem(
                    key,
                    format!("has no weight for {name:?}; name every objective of the profile"),
                );
            }
        }
    }
    let weights = match Weights::settable(values) {
        Ok(weights) => weights,
        Err(WeightsError::NotFinite { objective, weight }) => {
            return problem(
                format!("{key}.{}", names[objective]),
                format!("is {weight}; write a finite number"),
            );
        }
        Err(WeightsError::TooLarge { objective, weight }) => {
            return problem(
                format!("{key}.{}", names[objective]),
                format!(
                    "is {weight:e}; write a number from -1e12 to 1e12, with which every score is finite"
                ),
            );
        }
        Err(error @ WeightsError::AllZero) => return problem(key, error.to_string()),
    };
    match check_range(bounds, &weights) {
        Ok(()) => Ok(weights),
        Err(error) => problem(
            format!("{key}.{}", names[error.objective()]),
            format!("{error}; correct the weight or the bounds"),
        ),
    }
}

fn bounds(key: &str, raw: &BTreeMap<String, raw::Bound>, names: &[&str]) -> Checked<Vec<Bound>> {
    check_names(key, raw.keys(), || names.iter().copied())?;
    names
        .iter()
        .map(|&name| match raw.get(name) {
            Some(raw) => bound(&format!("{key}.{name}"), raw),
            None => Ok(Bound::default()),
        })
        .collect()
}

fn bound(key: &str, raw: &raw::Bound) -> Checked<Bound> {
    let limits = [
        ("min", raw.min),
        ("max", raw.max),
        ("max_step", raw.max_step),
    ];
    for (field, value) in limits {
        if let Some(value) = value
            && !value.is_finite()
        {
            return problem(
                format!("{key}.{field}"),
                format!("is {value}; write a finite number, or leave it out"),
            );
        }
    }
    let none = Bound::default();
    let mut bound = Bound {
        min: raw.min.unwrap_or(none.min),
        max: raw.max.unwrap_or(none.max),
        max_step: raw.max_step.unwrap_or(none.max_step),
    };
    match raw.sign {
        Some(raw::Sign::NonNegative) => bound.min = bound.min.max(0.0),
        Some(raw::Sign::NonPositive) => bound.max = bound.max.min(0.0),
        None => {}
    }
    if bound.min > bound.max {
        return problem(
            key,
            format!(
                "no weight lies between {} and {}; correct sign, min or max",
                bound.min, bound.max
            ),
        );
    }
    if bound.max_step <= 0.0 {
        return problem(
            format!("{key}.max_step"),
            format!("is {}; write a number above 0", bound.max_step),
        );
    }
    Ok(bound)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, OnModelChange};

    const BASE: &str = r#"
        [store]
        path = "weights.log"
        [[objective]]
        name = "engagement"
        column = { name = "e" }
        [[objective]]
        name = "engagement_bait"
        column = { name = "b" }
        [profile.default]
        weights = { engagement = 1, engagement_bait = -0.5 }
        safe = { engagement = 1, engagement_bait = -2 }
        on_model_change = "hold"
        [profile.default.bounds]
        engagement_bait = { sign = "non_positive", min = -2.0, max_step = 0.5 }
    "#;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "combiner.toml", Path::new("")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_holds_bounds_a_safe_set_and_a_policy() {
        let config = parse(BASE).unwrap();
        let profile = &config.profiles[0];
        assert_eq!(profile.bounds[0], super::Bound::default());
        let bait = profile.bounds[1];
        assert_eq!((bait.min, bait.max, bait.max_step), (-2.0, 0.0, 0.5));
        assert_eq!(profile.safe.as_ref().unwrap().as_slice(), [1.0, -2.0]);
        assert_eq!(profile.on_model_change, OnModelChange::Hold);
    }

    #[test]
    fn every_refusal_names_its_key() {
        let cases = [
            (
                "engagement_bait = -0.5",
                "engagement_bait = 0.5",
                "profile.default.weights.engagement_bait: the weight is 0.5, above its maximum 0",
            ),
            (
                "engagement_bait = -0.5",
                "engagement_bait = -2.5",
                "profile.default.weights.engagement_bait: the weight is -2.5, below its minimum -2",
            ),
            (
                "engagement_bait = -2 }",
                "engagement_bait = -2.1 }",
                "profile.default.safe.engagement_bait: the weight is -2.1, below its minimum -2",
            ),
            (
                "safe = { engagement = 1, ",
                "safe = { ",
                "profile.default.safe: has no weight for \"engagement\"",
            ),
            (
                "safe = { engagement = 1",
                "safe = { engagment = 1",
                "profile.default.safe.engagment: is not an objective (did you mean \"engagement\"?)",
            ),
            (
                "safe = { engagement = 1, engagement_bait = -2 }",
                "safe = { engagement = 0, engagement_bait = 0 }",
                "profile.default.safe: every weight is zero",
            ),
            (
                "engagement_bait = { sign",
                "bait = { sign",
                "profile.default.bounds.bait: is not an objective",
            ),
            (
                "min = -2.0",
                "min = 2.0",
                "profile.default.bounds.engagement_bait: no weight lies between 2 and 0",
            ),
            (
                "engagement = 1, engagement_bait = -0.5",
                "engagement = 1.7e308, engagement_bait = -0.5",
                "profile.default.weights.engagement: is 1.7e308; write a number from -1e12",
            ),
            (
                "min = -2.0",
                "min = nan",
                "profile.default.bounds.engagement_bait.min: is NaN",
            ),
            (
                "max_step = 0.5",
                "max_step = 0.0",
                "profile.default.bounds.engagement_bait.max_step: is 0",
            ),
            ("\"hold\"", "\"stay\"", "stay"),
            ("non_positive", "minus", "minus"),
        ];
        for (from, to, expected) in cases {
            assert!(BASE.contains(from), "{from}");
            let text = parse(&BASE.replacen(from, to, 1)).unwrap_err();
            assert!(text.contains(expected), "{to:?} gave {text:?}");
        }
    }
}
