//! Evaluates the expression of a feature over the columns of a batch.
//!
//! The result has one value per row, or a single value if all inputs are broadcast or absent. It
//! borrows from the batch where possible.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::column::{Batch, Column};
use crate::error::ModelError;
use crate::feature::{Expression, Feature, Kind};
use crate::schema::Schema;

/// Values of one feature: one per row of the batch, or a single value for all rows.
pub enum Values<'b> {
    /// Numbers and booleans; NaN is missing, and no number is infinite.
    Numbers(Cow<'b, [f64]>),
    /// Texts.
    Texts(&'b [Cow<'b, str>]),
    /// Categories.
    Categories(Categories<'b>),
    /// Lists.
    Lists(&'b [Vec<String>]),
    /// Vectors, row-major.
    Vectors {
        /// Numbers per vector.
        dim: usize,
        /// All numbers.
        values: Cow<'b, [f32]>,
    },
}

/// Whether an input with a served value has that value or the one in the batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Values as in the batch, which come from a log.
    Logged,
    /// Values as in serving.
    Served,
}

/// Categories, or pairs of them.
#[derive(Clone, Copy)]
pub struct Categories<'b> {
    left: &'b [Cow<'b, str>],
    right: Option<&'b [Cow<'b, str>]>,
}

/// Separates the two categories of a pair: the ASCII unit separator, which names of categories do
/// not normally contain.
const PAIR_SEPARATOR: char = '\u{1f}';
const MISSING_TEXT: &[Cow<'static, str>] = &[Cow::Borrowed("")];
const MISSING_LIST: &[Vec<String>] = &[Vec::new()];

impl Values<'_> {
    /// Number of values: the number of rows, or 1.
    #[allow(clippy::len_without_is_empty, reason = "at least one value exists")]
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Categories(values) => values.len(),
            Self::Lists(values) => values.len(),
            Self::Vectors { dim, values } => values.len() / dim,
        }
    }
}

impl Categories<'_> {
    /// Number of values: the number of rows, or 1.
    #[allow(clippy::len_without_is_empty, reason = "at least one value exists")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.right
            .map_or(self.left.len(), |right| self.left.len().max(right.len()))
    }

    /// Calls `visit` with the index and the category of every value; a missing category is `None`.
    pub fn for_each(&self, mut visit: impl FnMut(usize, Option<&str>)) {
        let Some(right) = self.right else {
            for (at, value) in self.left.iter().enumerate() {
                visit(at, if value.is_empty() { None } else { Some(value) });
            }
            return;
        };
        let mut key = String::new();
        for at in 0..self.len() {
            let (a, b) = (pick(self.left, at), pick(right, at));
            if a.is_empty() || b.is_empty() {
                visit(at, None);
                continue;
            }
            key.clear();
            key.push_str(a);
            key.push(PAIR_SEPARATOR);
            key.push_str(b);
            visit(at, Some(&key));
        }
    }
}

/// A category in readable form: a pair is shown as `left × right`.
pub(crate) fn display_category(category: &str) -> String {
    category.replace(PAIR_SEPARATOR, " × ")
}

/// The values of a feature, as logged.
///
/// # Errors
/// [`ModelError::OtherSchema`] if the batch was checked against other inputs, and
/// [`ModelError::Length`] if it has no rows.
pub fn feature_values<'b>(
    schema: &Schema,
    feature: &Feature,
    batch: &'b Batch<'_>,
) -> Result<Values<'b>, ModelError> {
    batch.fits(schema)?;
    if batch.rows() == 0 {
        return Err(ModelError::Length {
            what: "rows",
            expected: 1,
            found: 0,
        });
    }
    Ok(evaluate(schema, &feature.of, batch, Mode::Logged))
}

/// Evaluates `expression` over a batch that was checked against `schema` and has at least one row.
pub(crate) fn evaluate<'b>(
    schema: &Schema,
    expression: &Expression,
    batch: &'b Batch<'_>,
    mode: Mode,
) -> Values<'b> {
    let inputs = Inputs {
        schema,
        batch,
        mode,
    };
    match expression {
        Expression::Input { input } => inputs.values(input),
        Expression::Log1p { input } => Values::Numbers(
            inputs
                .numbers(input)
                .iter()
                .map(|x| if x.is_nan() { *x } else { x.max(0.0).ln_1p() })
                .collect(),
        ),
        Expression::Ratio {
            numerator,
            denominator,
        } => {
            let quotient = |n: &f64, d: &f64| if *d == 0.0 { f64::NAN } else { finite(n / d) };
            Values::Numbers(zip(
                &inputs.numbers(numerator),
                &inputs.numbers(denominator),
                quotient,
            ))
        }
        Expression::Product { left, right } => Values::Numbers(zip(
            &inputs.numbers(left),
            &inputs.numbers(right),
            |a, b| finite(a * b),
        )),
        Expression::Pair { left, right } => Values::Categories(Categories {
            left: inputs.texts(left),
            right: Some(inputs.texts(right)),
        }),
        Expression::Equal { left, right } => {
            let equal =
                |a: &Cow<'_, str>, b: &Cow<'_, str>| flag(a == b, a.is_empty() || b.is_empty());
            Values::Numbers(zip(inputs.texts(left), inputs.texts(right), equal))
        }
        Expression::Contains { list, item } => {
            Values::Numbers(contains(inputs.lists(list), inputs.texts(item)))
        }
        Expression::Dot { left, right } => {
            let ((dim, a), (_, b)) = (inputs.vectors(left), inputs.vectors(right));
            let rows: (Vec<_>, Vec<_>) = (a.chunks(dim).collect(), b.chunks(dim).collect());
            let dot = |a: &&[f32], b: &&[f32]| {
                finite(
                    a.iter()
                        .zip(*b)
                        .map(|(a, b)| f64::from(*a) * f64::from(*b))
                        .sum(),
                )
            };
            Values::Numbers(zip(&rows.0, &rows.1, dot))
        }
    }
}

/// The columns of a batch by name. The batch was checked, so every column has the kind of its
/// input.
struct Inputs<'s, 'b, 'a> {
    schema: &'s Schema,
    batch: &'b Batch<'a>,
    mode: Mode,
}

impl<'b> Inputs<'_, 'b, '_> {
    fn values(&self, name: &str) -> Values<'b> {
        match self.kind(name) {
            Some(Kind::Categorical) => Values::Categories(Categories {
                left: self.texts(name),
                right: None,
            }),
            Some(Kind::Text) => Values::Texts(self.texts(name)),
            Some(Kind::List) => Values::Lists(self.lists(name)),
            Some(Kind::Vector { .. }) => {
                let (dim, values) = self.vectors(name);
                Values::Vectors { dim, values }
            }
            Some(Kind::Numeric | Kind::Boolean) | None => Values::Numbers(self.numbers(name)),
        }
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        self.schema
            .input_index(name)
            .map(|at| self.schema.inputs()[at].kind)
    }

    fn column(&self, name: &str) -> Option<&'b Column<'b>> {
        let column = self
            .schema
            .input_index(name)
            .and_then(|at| self.batch.columns()[at].as_ref());
        column.map(|column| -> &'b Column<'b> { column })
    }

    fn numbers(&self, name: &str) -> Cow<'b, [f64]> {
        let served = self
            .schema
            .input_index(name)
            .and_then(|at| self.schema.inputs()[at].served);
        match (self.mode, served, self.column(name)) {
            (Mode::Served, Some(value), _) => Cow::Owned(vec![value]),
            (_, _, Some(Column::Numeric(values))) => Cow::Borrowed(values),
            _ => Cow::Owned(vec![f64::NAN]),
        }
    }

    fn texts(&self, name: &str) -> &'b [Cow<'b, str>] {
        match self.column(name) {
            Some(Column::Text(values)) => values,
            _ => MISSING_TEXT,
        }
    }

    fn lists(&self, name: &str) -> &'b [Vec<String>] {
        match self.column(name) {
            Some(Column::List(values)) => values,
            _ => MISSING_LIST,
        }
    }

    fn vectors(&self, name: &str) -> (usize, Cow<'b, [f32]>) {
        let dim = match self.kind(name) {
            Some(Kind::Vector { dim }) => dim,
            _ => 1,
        };
        match self.column(name) {
            Some(Column::Vector { values, .. }) => (dim, Cow::Borrowed(values)),
            _ => (dim, Cow::Owned(vec![f32::NAN; dim])),
        }
    }
}

/// Applies `with` to the values of each row; an operand with a single value is repeated.
fn zip<A, B>(left: &[A], right: &[B], with: impl Fn(&A, &B) -> f64) -> Cow<'static, [f64]> {
    (0..left.len().max(right.len()))
        .map(|at| with(pick(left, at), pick(right, at)))
        .collect()
}

/// Whether each list contains its item, as 0 or 1; NaN where the list or the item is missing.
fn contains(lists: &[Vec<String>], items: &[Cow<'_, str>]) -> Cow<'static, [f64]> {
    // A single list is searched once per item. A set makes the time grow with the sum of both
    // lengths instead of their product, which a caller could make very large.
    if let [list] = lists
        && items.len() > 1
    {
        let set: HashSet<&str> = list.iter().map(String::as_str).collect();
        let found = |item: &Cow<'_, str>| {
            flag(
                set.contains(item.as_ref()),
                list.is_empty() || item.is_empty(),
            )
        };
        return items.iter().map(found).collect();
    }
    zip(lists, items, |list, item| {
        flag(
            list.iter().any(|element| element == item),
            list.is_empty() || item.is_empty(),
        )
    })
}

fn pick<T>(values: &[T], at: usize) -> &T {
    &values[if values.len() == 1 { 0 } else { at }]
}

/// An overflow counts as missing, so that no feature is infinite.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::NAN }
}

fn flag(yes: bool, missing: bool) -> f64 {
    match (missing, yes) {
        (true, _) => f64::NAN,
        (false, yes) => f64::from(u8::from(yes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_for_all_items_gives_the_same_result_as_a_copy_per_item() {
        let names =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&n| n.to_owned()).collect() };
        let items: Vec<Cow<'_, str>> = ["a", "", "c", "b", "a"].map(Cow::Borrowed).into();
        for list in [names(&["b", "a", "b"]), names(&[])] {
            let copies = vec![list.clone(); items.len()];
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
            let together: Vec<u64> = bits(&contains(&[list], &items));
            let apart: Vec<u64> = bits(&contains(&copies, &items));
            assert_eq!(together, apart);
        }
    }

    #[test]
    fn a_long_list_and_many_items_do_not_take_time_for_each_pair() {
        let list: Vec<String> = (0..200_000).map(|at| format!("e{at}")).collect();
        let items: Vec<Cow<'_, str>> = (0..200_000).map(|at| format!("i{at}").into()).collect();
        // 4·10^10 comparisons would take minutes.
        let began = std::time::Instant::now();
        let found = contains(&[list], &items);
        assert!(found.iter().all(|&found| found == 0.0));
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
    }
}
