//! Checks across the keys of a description, so that what is opened can be read.

use std::collections::HashSet;

use counterweight_config::did_you_mean;
use counterweight_model::{Column, Expression, Feature, Input, Kind, Schema};

use crate::{
    DatasetError, Role,
    spec::{
        Above, FeatureSpec, Filter, InputSpec, KindName, LabelSpec, ObjectiveSpec, RoleColumns,
        Spec, SplitBy, SplitSpec,
    },
};

/// What is wrong, and with which element of the description.
type Fault = (String, String);

/// Checks everything that needs no file.
pub(crate) fn check(spec: &Spec, origin: &str) -> Result<(), DatasetError> {
    let fault = |(element, problem): Fault| DatasetError::Description {
        origin: origin.to_owned(),
        element,
        problem,
    };
    if spec.files.is_empty() {
        return Err(fault((
            "files".into(),
            "name at least one file or pattern".into(),
        )));
    }
    check_roles(&spec.columns).map_err(fault)?;
    for filter in &spec.filter {
        check_filter("filter", filter).map_err(fault)?;
    }
    for input in &spec.input {
        kind_of(input).map_err(fault)?;
    }
    for feature in &spec.feature {
        expression_of(feature).map_err(fault)?;
    }
    if let Some(split) = &spec.split {
        check_split(split, &spec.columns).map_err(fault)?;
    }
    let mut names = HashSet::new();
    for objective in &spec.objective {
        if objective.name.is_empty() || !names.insert(objective.name.as_str()) {
            return Err(fault((
                element(objective),
                "each objective needs a name of its own".into(),
            )));
        }
        check_objective(objective).map_err(fault)?;
        check_leak(spec, objective, origin)?;
    }
    schema(spec, None, origin).map(|_| ())
}

/// The schema of an objective (its features and the inputs they need), or of all features.
pub(crate) fn schema(
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
            of: expression_of(feature).map_err(fault)?,
        });
    }
    let mut inputs = inputs(spec, origin)?;
    // The whole is checked first, so that a mistake in a feature that no objective uses is told too.
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
                    element(objective),
                    format!("features: there is no feature {name:?}{near}"),
                )));
            }
        }
        features.retain(|feature| names.contains(&feature.name));
    }
    // An input that no feature reads need not be sent.
    inputs.retain(|input| {
        features
            .iter()
            .any(|feature| operands(&feature.of).contains(&input.name.as_str()))
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
        .map(input_of)
        .collect::<Result<_, _>>()
        .map_err(fault)
}

/// The inputs that an expression reads.
fn operands(expression: &Expression) -> Vec<&str> {
    match expression {
        Expression::Input { input } | Expression::Log1p { input } => vec![input],
        Expression::Ratio {
            numerator,
            denominator,
        } => vec![numerator, denominator],
        Expression::Contains { list, item } => vec![list, item],
        Expression::Pair { left, right }
        | Expression::Product { left, right }
        | Expression::Equal { left, right }
        | Expression::Dot { left, right } => vec![left, right],
    }
}

fn element(objective: &ObjectiveSpec) -> String {
    format!("objective `{}`", objective.name)
}

/// The role columns that are named, in the order of [`Role`].
pub(crate) fn roles(columns: &RoleColumns) -> Vec<(Role, &str)> {
    let all = [
        (Role::Request, &columns.request),
        (Role::User, &columns.user),
        (Role::Candidate, &columns.candidate),
        (Role::Time, &columns.time),
        (Role::Position, &columns.position),
        (Role::Group, &columns.group),
    ];
    all.into_iter()
        .filter_map(|(role, column)| Some((role, column.as_deref()?)))
        .collect()
}

/// A group may be the request, the user or the candidate; the other roles exclude one another.
fn check_roles(columns: &RoleColumns) -> Result<(), Fault> {
    let named = roles(columns);
    for (index, (role, column)) in named.iter().enumerate() {
        if *role == Role::Group {
            continue;
        }
        if let Some((other, _)) = named[..index].iter().find(|(_, earlier)| earlier == column) {
            let (role, other) = (role.name(), other.name());
            return Err((
                "columns".into(),
                format!("{column:?} is both {other} and {role}; name one column for each"),
            ));
        }
    }
    Ok(())
}

fn check_filter(element: &str, filter: &Filter) -> Result<(), Fault> {
    let fault = |problem: &str| {
        Err((
            format!("{element} on {:?}", filter.column),
            problem.to_owned(),
        ))
    };
    let tests = [
        filter.min.is_some(),
        filter.max.is_some(),
        filter.not_between.is_some(),
        filter.equals.is_some(),
        filter.one_of.is_some(),
        filter.not_missing.is_some(),
    ];
    if !tests.contains(&true) {
        return fault("give at least one of min, max, equals, in, not_between, not_missing");
    }
    if filter.not_missing == Some(false) {
        return fault("not_missing = false tests nothing; leave it out");
    }
    let bounds = [
        filter.min,
        filter.max,
        filter.not_between.map(|b| b[0]),
        filter.not_between.map(|b| b[1]),
    ];
    if bounds.into_iter().flatten().any(f64::is_nan) {
        return fault("NaN is no bound; use not_missing to leave missing values out");
    }
    if let (Some(min), Some(max)) = (filter.min, filter.max)
        && min > max
    {
        return fault("min is above max, so no row passes");
    }
    if filter.not_between.is_some_and(|[low, high]| low > high) {
        return fault("not_between must give the lower bound first");
    }
    Ok(())
}

fn input_of(input: &InputSpec) -> Result<Input, Fault> {
    Ok(Input {
        name: input.name.clone(),
        kind: kind_of(input)?,
        side: input.side,
        optional: input.optional,
        served: input.served,
    })
}

fn kind_of(input: &InputSpec) -> Result<Kind, Fault> {
    let fault = |problem: &str| Err((format!("input `{}`", input.name), problem.to_owned()));
    match (input.kind, input.dim) {
        (KindName::Vector, Some(dim)) if dim > 0 => Ok(Kind::Vector { dim }),
        (KindName::Vector, _) => {
            fault("a vector needs `dim`, the number of its elements, at least 1")
        }
        (_, Some(_)) => fault("`dim` is of vectors only; leave it out"),
        (KindName::Numeric, None) => Ok(Kind::Numeric),
        (KindName::Boolean, None) => Ok(Kind::Boolean),
        (KindName::Categorical, None) => Ok(Kind::Categorical),
        (KindName::Text, None) => Ok(Kind::Text),
        (KindName::List, None) => Ok(Kind::List),
    }
}

fn expression_of(feature: &FeatureSpec) -> Result<Expression, Fault> {
    let two = |of: &Option<[String; 2]>, make: fn(String, String) -> Expression| {
        of.clone().map(|[left, right]| make(left, right))
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

fn check_split(split: &SplitSpec, columns: &RoleColumns) -> Result<(), Fault> {
    let fault = |problem: &str| Err(("split".to_owned(), problem.to_owned()));
    let fractions = [split.train, split.calibrate, split.tune, split.test];
    match split.by {
        SplitBy::Group if columns.group.is_none() => {
            return fault("by = \"group\" needs `group` in [columns]");
        }
        SplitBy::Time if columns.time.is_none() => {
            return fault("by = \"time\" needs `time` in [columns]");
        }
        SplitBy::Column if split.column.is_none() => {
            return fault(
                "by = \"column\" needs `column`, whose values are train, calibrate, tune or test",
            );
        }
        SplitBy::Column if fractions.iter().any(|&fraction| fraction != 0.0) => {
            return fault(
                "by = \"column\" takes no fractions, since the column says each row's part",
            );
        }
        SplitBy::Column => return Ok(()),
        _ if split.column.is_some() => {
            return fault("`column` is of by = \"column\" only; leave it out");
        }
        _ => {}
    }
    if fractions
        .iter()
        .any(|fraction| !(0.0..=1.0).contains(fraction))
    {
        return fault("train, calibrate, tune and test are fractions from 0 to 1");
    }
    let sum: f64 = fractions.iter().sum();
    if sum > 1.0 + 1e-9 {
        return Err((
            "split".to_owned(),
            format!("the fractions sum to {sum:.4}; they must not exceed 1"),
        ));
    }
    if split.train == 0.0 {
        return fault("`train` must be above 0");
    }
    Ok(())
}

fn check_objective(objective: &ObjectiveSpec) -> Result<(), Fault> {
    let fault = |problem: String| Err((element(objective), problem));
    let LabelSpec {
        column,
        ratio,
        above,
    } = &objective.label;
    match (column, ratio, above) {
        (Some(_), Some(_), _) | (None, None, _) => {
            return fault(
                "label: give either `column` or `ratio = [numerator, denominator]`".into(),
            );
        }
        (None, Some(_), None) => {
            return fault("label: a ratio needs `above`: a number or \"training median\"".into());
        }
        (_, _, Some(Above::Text(text))) if text != TRAINING_MEDIAN => {
            return fault(format!(
                "label: above = {text:?} is neither a number nor {TRAINING_MEDIAN:?}"
            ));
        }
        (_, _, Some(Above::Number(number))) if !number.is_finite() => {
            return fault("label: `above` must be finite".into());
        }
        _ => {}
    }
    for filter in &objective.filter {
        check_filter(&format!("{}, filter", element(objective)), filter)?;
    }
    if objective.features.as_ref().is_some_and(Vec::is_empty) {
        return fault("features: name at least one, or leave the key out to use all".into());
    }
    match (objective.sample_negatives, above) {
        (Some(share), _) if !(share > 0.0 && share <= 1.0) => {
            fault("sample_negatives is the share of training negatives to keep, above 0 and at most 1".into())
        }
        (Some(_), Some(Above::Text(_))) => fault(
            "sample_negatives needs labels that each row tells by itself; give `above` as a number in place of the training median"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// The one word that `above` knows.
pub(crate) const TRAINING_MEDIAN: &str = "training median";

/// A model that reads what its label is made of has nothing left to predict.
fn check_leak(spec: &Spec, objective: &ObjectiveSpec, origin: &str) -> Result<(), DatasetError> {
    let schema = schema(spec, Some(objective), origin)?;
    let label = objective
        .label
        .column
        .iter()
        .chain(objective.label.ratio.iter().flatten());
    for column in label {
        if schema.inputs().iter().any(|input| input.name == *column) {
            return Err(DatasetError::Description {
                origin: origin.to_owned(),
                element: element(objective),
                problem: format!(
                    "{column:?} is both an input and part of the label, so that the model would read the answer; leave its features out of `features`"
                ),
            });
        }
    }
    Ok(())
}

/// A column of no rows.
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
