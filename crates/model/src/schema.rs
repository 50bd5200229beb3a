//! The checked inputs and features of a model: names are unique, every reference is defined, and
//! kinds fit.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::feature::{Expression, Feature, Input, Kind};

/// The default limit of a schema on the bytes of a text; longer texts are cut.
pub const DEFAULT_MAX_TEXT_BYTES: usize = 16 * 1024;

/// The largest width of a vector input. An absent vector takes as much memory as one that is sent,
/// so a limit on the size of requests does not suffice.
const MAX_VECTOR_DIM: usize = 1 << 16;

/// The checked inputs and features of a model, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Schema {
    inputs: Vec<Input>,
    features: Vec<Feature>,
    max_text_bytes: usize,
    fingerprint: u64,
    /// Positions of the inputs by name, because every expression looks up its inputs in every
    /// batch.
    positions: HashMap<String, usize, RandomState>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    inputs: Vec<Input>,
    features: Vec<Feature>,
    max_text_bytes: usize,
}

impl TryFrom<Unchecked> for Schema {
    type Error = ModelError;

    fn try_from(raw: Unchecked) -> Result<Self, ModelError> {
        Self::new(raw.inputs, raw.features, raw.max_text_bytes)
    }
}

impl From<Schema> for Unchecked {
    fn from(schema: Schema) -> Self {
        Self {
            inputs: schema.inputs,
            features: schema.features,
            max_text_bytes: schema.max_text_bytes,
        }
    }
}

impl Schema {
    /// Checks names, references and kinds.
    ///
    /// # Errors
    /// [`ModelError::Schema`] names the first input or feature whose name is empty or not unique,
    /// whose served value or vector width is not allowed, that refers to an unknown input, or that
    /// combines kinds that do not fit. It is also returned if `features` is empty or if
    /// `max_text_bytes` is 0.
    pub fn new(
        inputs: Vec<Input>,
        features: Vec<Feature>,
        max_text_bytes: usize,
    ) -> Result<Self, ModelError> {
        let problem = |element: &str, problem: &str| ModelError::Schema {
            element: element.into(),
            problem: problem.into(),
        };
        if max_text_bytes == 0 {
            return Err(problem("max_text_bytes", "must be at least 1"));
        }
        if features.is_empty() {
            return Err(problem(
                "the list of features",
                "is empty; a model needs at least one",
            ));
        }
        let mut seen = HashSet::new();
        for input in &inputs {
            check_input(input, &mut seen)?;
        }
        let names = inputs.iter().map(|input| input.name.clone());
        let schema = Self {
            positions: names.zip(0..).collect(),
            fingerprint: fingerprint(&inputs, max_text_bytes),
            inputs,
            features,
            max_text_bytes,
        };
        let mut seen = HashSet::new();
        for feature in &schema.features {
            let element = format!("feature `{}`", feature.name);
            if feature.name.is_empty() {
                return Err(problem("a feature", "has an empty name; give it a name"));
            }
            if !seen.insert(feature.name.as_str()) {
                return Err(problem(&element, "is defined twice; rename one of the two"));
            }
            schema
                .kind_of(&feature.of)
                .map_err(|text| problem(&element, &text))?;
        }
        Ok(schema)
    }

    /// The inputs, in the order of the columns of a [`Batch`](crate::Batch).
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The features, in the order in which they are encoded.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The limit on the bytes of a text or category; longer ones are cut at a character boundary.
    #[must_use]
    pub fn max_text_bytes(&self) -> usize {
        self.max_text_bytes
    }

    /// Position of the input with this name among the [`inputs`](Self::inputs).
    #[must_use]
    pub fn input_index(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// Kind of the values of a feature.
    ///
    /// # Errors
    /// [`ModelError::Schema`] names an unknown input, or one whose kind does not fit the
    /// expression.
    pub fn feature_kind(&self, feature: &Feature) -> Result<Kind, ModelError> {
        self.kind_of(&feature.of)
            .map_err(|problem| ModelError::Schema {
                element: format!("feature `{}`", feature.name),
                problem,
            })
    }

    /// Names of the inputs that an expression reads.
    #[must_use]
    pub fn inputs_of(expression: &Expression) -> Vec<&str> {
        match expression {
            Expression::Input { input } | Expression::Log1p { input } => vec![input],
            Expression::Ratio {
                numerator: left,
                denominator: right,
            }
            | Expression::Contains {
                list: left,
                item: right,
            }
            | Expression::Pair { left, right }
            | Expression::Product { left, right }
            | Expression::Equal { left, right }
            | Expression::Dot { left, right } => vec![left, right],
        }
    }

    /// A hash of the inputs and the text limit. Schemas with equal fingerprints accept the same
    /// batches, even if their features differ.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn kind_of(&self, expression: &Expression) -> Result<Kind, String> {
        let kind = |name: &str| {
            self.input_index(name)
                .map(|at| self.inputs[at].kind)
                .ok_or_else(|| format!("refers to `{name}`, which is not an input"))
        };
        let needs = |name: &str, wanted: &str, fits: fn(Kind) -> bool| match kind(name)? {
            found if fits(found) => Ok(found),
            found => Err(format!("needs a {wanted} input, but `{name}` is {found}")),
        };
        let number: fn(Kind) -> bool = |kind| matches!(kind, Kind::Numeric | Kind::Boolean);
        let category: fn(Kind) -> bool = |kind| kind == Kind::Categorical;
        match expression {
            Expression::Input { input } => kind(input),
            Expression::Log1p { input } => needs(input, "numeric", number).map(|_| Kind::Numeric),
            Expression::Ratio {
                numerator: left,
                denominator: right,
            }
            | Expression::Product { left, right } => {
                needs(left, "numeric", number)?;
                needs(right, "numeric", number)?;
                Ok(Kind::Numeric)
            }
            Expression::Pair { left, right } => {
                needs(left, "categorical", category)?;
                needs(right, "categorical", category)
            }
            Expression::Equal { left, right } => {
                needs(left, "categorical", category)?;
                needs(right, "categorical", category)?;
                Ok(Kind::Boolean)
            }
            Expression::Contains { list, item } => {
                needs(list, "list", |kind| kind == Kind::List)?;
                needs(item, "categorical", category)?;
                Ok(Kind::Boolean)
            }
            Expression::Dot { left, right } => {
                let vector: fn(Kind) -> bool = |kind| matches!(kind, Kind::Vector { .. });
                let (a, b) = (
                    needs(left, "vector", vector)?,
                    needs(right, "vector", vector)?,
                );
                if a == b {
                    Ok(Kind::Numeric)
                } else {
                    Err(format!(
                        "needs two vectors of the same width, but `{left}` is a {a} and `{right}` \
                         is a {b}"
                    ))
                }
            }
        }
    }
}

fn check_input<'a>(input: &'a Input, seen: &mut HashSet<&'a str>) -> Result<(), ModelError> {
    let element = format!("input `{}`", input.name);
    let problem = |problem: &str| ModelError::Schema {
        element: element.clone(),
        problem: problem.into(),
    };
    if input.name.is_empty() {
        return Err(problem("has an empty name; give it a name"));
    }
    if !seen.insert(input.name.as_str()) {
        return Err(problem("is defined twice; rename one of the two"));
    }
    if let Kind::Vector { dim } = input.kind
        && !(1..=MAX_VECTOR_DIM).contains(&dim)
    {
        return Err(problem(&format!(
            "is a vector of {dim} values; use 1 to {MAX_VECTOR_DIM}"
        )));
    }
    if let Some(value) = input.served {
        if input.kind != Kind::Numeric {
            return Err(problem(
                "has a served value, but is not numeric; remove the served value",
            ));
        }
        if !value.is_finite() {
            return Err(problem(
                "has a served value that is not finite; use a finite number",
            ));
        }
    }
    Ok(())
}

fn fingerprint(inputs: &[Input], max_text_bytes: usize) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{inputs:?} {max_text_bytes}").as_bytes())
}
