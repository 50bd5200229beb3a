//! Builds the schema of a model from the inputs and features of a description.

use counterweight_config::did_you_mean;
use counterweight_model::{Column, Expression, Feature, Input, Kind, Schema};

use crate::{
    DatasetError,
    spec::{Fault, FeatureSpec, InputSpec, KindName, ObjectiveSpec, Spec},
};

/// The schema of an objective, with its features and the inputs that they need. Without an
/// objective, the schema of all features.
pub(crate) fn build_schema(
    spec: &Spec,
    objective: Option<&ObjectiveSpec>,
    origin: &str,
) -> Result<Schema, DatasetError> {
    let fault = |(element, problem): Fault| DatasetError::Description {
        origin: origin.to_owned(),
        element,
        problem,
    };
    let mut features: Vec<Feature> = spec
        .input
        .iter()
        .filter(|input| input.feature)
        .map(|input| Feature::of_input(&input.name))
        .collect();
    for feature in &spec.feature {
        features.push(Feature {
            name: feature.name.clone(),
            of: to_expression(feature).map_err(fault)?,
        });
    }
    let mut inputs = inputs(spec, origin)?;
    // All features are checked first, so that a mistake is reported even in a feature that no
    // objective uses.
    let max_text_bytes = spec
        .max_text_bytes
        .unwrap_or(counterweight_model::DEFAULT_MAX_TEXT_BYTES);
    let checked = |inputs, features| {
        Schema::new(inputs, features, max_text_bytes).map_err(|source| DatasetError::Schema {
            origin: origin.to_owned(),
            source,
        })
    };
    checked(inputs.clone(), features.clone())?;
    if let Some((objective, names)) =
        objective.and_then(|objective| Some((objective, objective.features.as_ref()?)))
    {
        for name in names {
            if features.iter().all(|feature| feature.name != *name) {
                let near = did_you_mean(name, features.iter().map(|feature| feature.name.as_str()));
                return Err(fault((
                    objective.element(),
                    format!("features: {name:?} is not a feature{near}"),
                )));
            }
        }
        features.retain(|feature| names.contains(&feature.name));
    }
    // An input that no feature reads does not need to be sent.
    inputs.retain(|input| {
        features
            .iter()
            .any(|feature| feature.of.inputs().contains(&input.name.as_str()))
    });
    checked(inputs, features)
}

/// All inputs of the description.
pub(crate) fn inputs(spec: &Spec, origin: &str) -> Result<Vec<Input>, DatasetError> {
    let fault = |(element, problem): Fault| DatasetError::Description {
        origin: origin.to_owned(),
        element,
        problem,
    };
    spec.input
        .iter()
        .map(to_input)
        .collect::<Result<_, _>>()
        .map_err(fault)
}

fn to_input(input: &InputSpec) -> Result<Input, Fault> {
    Ok(Input {
        name: input.name.clone(),
        kind: to_kind(input)?,
        side: input.side,
        optional: input.optional,
        served: input.served,
    })
}

pub(crate) fn to_kind(input: &InputSpec) -> Result<Kind, Fault> {
    let fault = |problem: &str| Err((format!("input `{}`", input.name), problem.to_owned()));
    match (input.kind, input.dim) {
        (KindName::Vector, Some(dim)) if dim > 0 => Ok(Kind::Vector { dim }),
        (KindName::Vector, _) => {
            fault("a vector needs `dim`, the number of its elements, at least 1")
        }
        (_, Some(_)) => fault("`dim` applies only to vectors; leave it out"),
        (KindName::Numeric, None) => Ok(Kind::Numeric),
        (KindName::Boolean, None) => Ok(Kind::Boolean),
        (KindName::Categorical, None) => Ok(Kind::Categorical),
        (KindName::Text, None) => Ok(Kind::Text),
        (KindName::List, None) => Ok(Kind::List),
    }
}

pub(crate) fn to_expression(feature: &FeatureSpec) -> Result<Expression, Fault> {
    let two = |operands: &Option<[String; 2]>, make: fn(String, String) -> Expression| {
        operands.clone().map(|[left, right]| make(left, right))
    };
    let all = [
        feature
            .log1p
            .clone()
            .map(|input| Expression::Log1p { input }),
        two(&feature.ratio, |numerator, denominator| Expression::Ratio {
            numerator,
            denominator,
        }),
        two(&feature.product, |left, right| Expression::Product {
            left,
            right,
        }),
        two(&feature.pair, |left, right| Expression::Pair {
            left,
            right,
        }),
        two(&feature.contains, |list, item| Expression::Contains {
            list,
            item,
        }),
        two(&feature.equal, |left, right| Expression::Equal {
            left,
            right,
        }),
        two(&feature.dot, |left, right| Expression::Dot { left, right }),
    ];
    let mut given = all.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(expression), None) => Ok(expression),
        _ => Err((
            format!("feature `{}`", feature.name),
            "give exactly one of log1p, ratio, product, pair, contains, equal, dot".to_owned(),
        )),
    }
}

/// A column without rows.
pub(crate) fn empty_column(kind: Kind) -> Column<'static> {
    match kind {
        Kind::Numeric | Kind::Boolean => Column::Numeric(Vec::new()),
        Kind::Categorical | Kind::Text => Column::Text(Vec::new()),
        Kind::List => Column::List(Vec::new()),
        Kind::Vector { dim } => Column::Vector {
            dim,
            values: Vec::new(),
        },
    }
}
