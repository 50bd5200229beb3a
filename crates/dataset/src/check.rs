//! Checks across the keys of a description, before any file is read.

use std::collections::HashSet;

use crate::{
    DatasetError, Role,
    schema::{build_schema, to_expression, to_kind},
    spec::{
        Above, Fault, Filter, LabelSpec, ObjectiveSpec, OutcomeSpec, RequestsSpec, RoleColumns,
        Spec, SplitBy, SplitSpec,
    },
};

/// Checks everything that does not need a file.
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
        to_kind(input).map_err(fault)?;
    }
    for feature in &spec.feature {
        to_expression(feature).map_err(fault)?;
    }
    if let Some(requests) = &spec.requests {
        check_requests(requests, &spec.columns).map_err(fault)?;
    }
    if let Some(split) = &spec.split {
        check_split(split, &spec.columns).map_err(fault)?;
    }
    // Evaluation needs no features. Training without features fails when the schema is built.
    let log_only = spec.input.is_empty() && spec.feature.is_empty();
    let mut names = HashSet::new();
    for objective in &spec.objective {
        if objective.name.is_empty() || !names.insert(objective.name.as_str()) {
            return Err(fault((
                objective.element(),
                "each objective needs its own name".into(),
            )));
        }
        check_objective(objective).map_err(fault)?;
        if !log_only {
            check_leak(spec, objective, origin)?;
        }
    }
    if log_only {
        return Ok(());
    }
    build_schema(spec, None, origin).map(drop)
}

/// The role columns that the description names, in the order of [`Role`].
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

/// The group column may also be the request, user or candidate column. All other roles need
/// different columns.
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
        return fault("NaN is not a bound; use not_missing to leave missing values out");
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

fn check_requests(requests: &RequestsSpec, columns: &RoleColumns) -> Result<(), Fault> {
    let fault = |problem: &str| Err(("requests".to_owned(), problem.to_owned()));
    match (requests.candidates, requests.scattered) {
        (Some(0), _) => fault("`candidates` must be at least 1"),
        (Some(_), false) if columns.request.is_some() => {
            fault("[columns] already names a `request` column; remove it or remove `candidates`")
        }
        (None, true) if columns.request.is_none() => {
            fault("`scattered` needs a `request` column in [columns]; add one or remove the key")
        }
        (Some(_), false) | (None, true) => Ok(()),
        _ => fault("give either `candidates`, to group rows, or `scattered = true`"),
    }
}

fn check_split(split: &SplitSpec, columns: &RoleColumns) -> Result<(), Fault> {
    let fault = |problem: &str| Err(("split".to_owned(), problem.to_owned()));
    let fractions = [
        split.train.unwrap_or(0.0),
        split.calibrate,
        split.tune,
        split.test,
    ];
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
                "by = \"column\" needs no fractions: the column gives each row's part; remove them",
            );
        }
        SplitBy::Column => return Ok(()),
        _ if split.column.is_some() => {
            return fault("`column` belongs to by = \"column\"; leave it out");
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
    if split.train.is_none() || sum == 0.0 {
        return fault(
            "`train` is missing or all fractions are 0; write `train` above 0, or train = 0 and \
             another fraction for a log that is only evaluated",
        );
    }
    Ok(())
}

fn check_objective(objective: &ObjectiveSpec) -> Result<(), Fault> {
    let fault = |problem: String| Err((objective.element(), problem));
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
        check_filter(&format!("{}, filter", objective.element()), filter)?;
    }
    if objective.features.as_ref().is_some_and(Vec::is_empty) {
        return fault("features: name at least one, or leave the key out to use all".into());
    }
    if let Some(OutcomeSpec { column, ratio }) = &objective.outcome
        && column.is_some() == ratio.is_some()
    {
        return fault("outcome: give either `column` or `ratio = [numerator, denominator]`".into());
    }
    match (objective.sample_negatives, above) {
        (Some(share), _) if !(share > 0.0 && share <= 1.0) => fault(
            "sample_negatives is the share of training negatives to keep; \
                 it must be above 0 and at most 1"
                .into(),
        ),
        (Some(_), Some(Above::Text(_))) => fault(
            "sample_negatives needs labels that do not depend on other rows; \
             give `above` as a number instead of the training median"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// The only text that `above` accepts.
pub(crate) const TRAINING_MEDIAN: &str = "training median";

/// Refuses a model that would read a column from which its label is made.
fn check_leak(spec: &Spec, objective: &ObjectiveSpec, origin: &str) -> Result<(), DatasetError> {
    let schema = build_schema(spec, Some(objective), origin)?;
    let label = objective
        .label
        .column
        .iter()
        .chain(objective.label.ratio.iter().flatten());
    for column in label {
        let column_of = |input: &str| {
            let own = spec.input.iter().find(|own| own.name == input);
            own.and_then(|own| own.column.clone())
                .unwrap_or_else(|| input.to_owned())
        };
        let mut inputs = schema.inputs().iter();
        if inputs.any(|input| column_of(&input.name) == *column) {
            return Err(DatasetError::Description {
                origin: origin.to_owned(),
                element: objective.element(),
                problem: format!(
                    "{column:?} is both an input and part of the label, so the model would read \
                     its own label; leave its features out of `features`"
                ),
            });
        }
    }
    Ok(())
}
