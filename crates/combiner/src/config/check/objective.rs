//! Checks the objectives: the source of each one's probabilities, and the calibrator on top.

use std::{collections::HashSet, time::Duration};

use counterweight_model::Calibrator;
use counterweight_model_client::{ModelSource, Packed};

use super::problem::{Checked, problem};
use crate::config::{
    raw,
    types::{Objective, Source},
};

pub(in crate::config) fn objectives(raw: Vec<raw::Objective>) -> Checked<Vec<Objective>> {
    if raw.is_empty() {
        return problem(
            "objective",
            "no objective is configured: add at least one [[objective]]",
        );
    }
    let mut names = HashSet::new();
    raw.into_iter()
        .enumerate()
        .map(|(index, objective)| {
            let key = format!("objective[{index}] ({:?})", objective.name);
            if objective.name.is_empty() {
                return problem(format!("objective[{index}].name"), "is empty");
            }
            if !names.insert(objective.name.clone()) {
                return problem(key, "another objective has this name; names are unique");
            }
            let source = match (objective.model, objective.column) {
                (Some(model), None) => Source::Model(self::model(model, &format!("{key}.model"))?),
                (None, Some(column)) if column.name.is_empty() => {
                    return problem(
                        format!("{key}.column.name"),
                        "is empty; name a tensor of the request",
                    );
                }
                (None, Some(column)) => Source::Column { name: column.name },
                (None, None) => {
                    return problem(
                        key,
                        "has no source; write [objective.model] or [objective.column]",
                    );
                }
                (Some(_), Some(_)) => {
                    return problem(key, "has both a model and a column; keep one of them");
                }
            };
            calibrator(&objective.calibrator, &format!("{key}.calibrator"))?;
            if !(objective.base_rate > 0.0 && objective.base_rate <= 1.0) {
                return problem(
                    format!("{key}.base_rate"),
                    format!("is {}; write a probability above 0", objective.base_rate),
                );
            }
            Ok(Objective {
                name: objective.name,
                source,
                calibrator: objective.calibrator,
                base_rate: objective.base_rate,
            })
        })
        .collect()
}

fn model(raw: raw::Model, key: &str) -> Checked<ModelSource> {
    if raw.endpoints.is_empty() {
        return problem(
            format!("{key}.endpoints"),
            "is empty; write at least one, as \"http://127.0.0.1:8001\"",
        );
    }
    for (index, endpoint) in raw.endpoints.iter().enumerate() {
        let known = endpoint.starts_with("http://") || endpoint.starts_with("unix:");
        if !known || tonic::transport::Endpoint::from_shared(endpoint.clone()).is_err() {
            return problem(
                format!("{key}.endpoints[{index}]"),
                format!(
                    "{endpoint:?} is not an address: write \"http://host:port\" or \"unix:/path\""
                ),
            );
        }
    }
    for (field, value) in [
        ("name", &raw.name),
        ("version", &raw.version),
        ("output", &raw.output),
    ] {
        if value.is_empty() {
            return problem(format!("{key}.{field}"), "is empty");
        }
    }
    if raw.timeout_ms == 0 {
        return problem(format!("{key}.timeout_ms"), "is 0; write at least 1");
    }
    Ok(ModelSource {
        endpoints: raw.endpoints,
        name: raw.name,
        version: (raw.version != raw::LATEST).then_some(raw.version),
        output: raw.output,
        column: raw.column,
        timeout: Duration::from_millis(raw.timeout_ms),
        packed: raw
            .packed
            .map(|packed| self::packed(packed, &format!("{key}.packed")))
            .transpose()?,
        expand_context: raw.expand_context,
    })
}

fn packed(raw: raw::Packed, key: &str) -> Checked<Packed> {
    if raw.input.is_empty() {
        return problem(
            format!("{key}.input"),
            "is empty; name the tensor that the server accepts",
        );
    }
    if raw.features.is_empty() {
        return problem(
            format!("{key}.features"),
            "is empty; list the columns in the order in which the server expects them",
        );
    }
    let mut names = HashSet::new();
    if let Some(again) = raw
        .features
        .iter()
        .find(|feature| !names.insert(feature.as_str()))
    {
        return problem(
            format!("{key}.features"),
            format!("{again:?} is listed twice"),
        );
    }
    Ok(Packed {
        input: raw.input,
        features: raw.features,
    })
}

fn calibrator(calibrator: &Calibrator, key: &str) -> Checked<()> {
    let finite = |name: &str, value: f64| match value.is_finite() {
        true => Ok(()),
        false => problem(
            format!("{key}.{name}"),
            format!("is {value}; write a finite number"),
        ),
    };
    let not_negative = |name: &str, value: f64| match value >= 0.0 {
        true => finite(name, value),
        false => problem(
            format!("{key}.{name}"),
            format!("is {value}; write at least 0: a negative slope would reverse the order"),
        ),
    };
    match calibrator {
        Calibrator::None => Ok(()),
        Calibrator::Platt { slope, intercept } => {
            not_negative("slope", *slope)?;
            finite("intercept", *intercept)
        }
        Calibrator::Beta { a, b, c } => {
            not_negative("a", *a)?;
            not_negative("b", *b)?;
            finite("c", *c)
        }
        Calibrator::Isotonic { x, y } => {
            if x.is_empty() || x.len() != y.len() {
                return problem(
                    format!("{key}.y"),
                    format!(
                        "{} points for {} in x; write one y per x, at least one",
                        y.len(),
                        x.len()
                    ),
                );
            }
            if !x.iter().all(|value| value.is_finite())
                || x.windows(2).any(|pair| pair[0] >= pair[1])
            {
                return problem(
                    format!("{key}.x"),
                    "must be finite logits that strictly increase",
                );
            }
            if !y.iter().all(|value| (0.0..=1.0).contains(value))
                || y.windows(2).any(|pair| pair[0] > pair[1])
            {
                return problem(
                    format!("{key}.y"),
                    "must be probabilities that never decrease",
                );
            }
            Ok(())
        }
    }
}
