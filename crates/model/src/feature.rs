//! Raw inputs, and the features derived from them.
//!
//! An *input* is a raw value that a client sends or a log contains. A *feature* is an expression
//! over inputs. Encoders read features, and contributions are reported per feature.

use serde::{Deserialize, Serialize};

/// The kind of the values of an input or of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A finite number; NaN is missing.
    Numeric,
    /// 0 or 1; NaN is missing.
    Boolean,
    /// One name out of a set of names; the empty string is missing.
    Categorical,
    /// Free text; the empty string is missing.
    Text,
    /// Any number of names; the empty list is missing.
    List,
    /// A fixed number of finite numbers, such as an embedding; any NaN makes the whole vector
    /// missing.
    Vector {
        /// Numbers per row, at least 1.
        dim: usize,
    },
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Numeric => f.write_str("numeric"),
            Self::Boolean => f.write_str("boolean"),
            Self::Categorical => f.write_str("categorical"),
            Self::Text => f.write_str("text"),
            Self::List => f.write_str("list"),
            Self::Vector { dim } => write!(f, "vector of {dim}"),
        }
    }
}

/// Whether an input describes one candidate, or the request context (such as the user and the
/// time), which all candidates share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// One value per candidate.
    Candidate,
    /// One value per request; its column may have a single row for all candidates.
    Context,
}

/// One raw input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name, unique among the inputs; the tensor with the values has the same name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether it describes a candidate or the request.
    pub side: Side,
    /// Whether the whole column may be absent; the value is then missing in every row.
    #[serde(default)]
    pub optional: bool,
    /// Set for a numeric input that is known only in training, such as the position at which a
    /// candidate was shown. Serving always uses this value, even if a request sends another one,
    /// and requests may leave the input out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<f64>,
}

impl Input {
    /// A required input of the candidate.
    pub fn candidate(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            side: Side::Candidate,
            optional: false,
            served: None,
        }
    }

    /// A required input of the request context.
    pub fn context(name: impl Into<String>, kind: Kind) -> Self {
        Self {
            side: Side::Context,
            ..Self::candidate(name, kind)
        }
    }
}

/// How a feature is computed from inputs, which are given by name. A boolean input may be used
/// where a numeric input is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expression {
    /// The input itself.
    Input {
        /// Any input.
        input: String,
    },
    /// `ln(1 + max(x, 0))` of a number.
    Log1p {
        /// A numeric input.
        input: String,
    },
    /// The quotient of two numbers; missing where the denominator is 0, where either is missing,
    /// and where the quotient overflows.
    Ratio {
        /// A numeric input.
        numerator: String,
        /// A numeric input.
        denominator: String,
    },
    /// The pair of two categories as one category; missing where either is missing.
    Pair {
        /// A categorical input.
        left: String,
        /// A categorical input.
        right: String,
    },
    /// The product of two numbers; missing where either is missing, and where the product
    /// overflows.
    Product {
        /// A numeric input.
        left: String,
        /// A numeric input.
        right: String,
    },
    /// Whether a category is in a list; missing where the category is missing or the list is empty.
    Contains {
        /// A list input.
        list: String,
        /// A categorical input.
        item: String,
    },
    /// Whether two categories are equal; missing where either is missing.
    Equal {
        /// A categorical input.
        left: String,
        /// A categorical input.
        right: String,
    },
    /// The inner product of two vectors of the same width; missing where either is missing, and
    /// where the product overflows.
    Dot {
        /// A vector input.
        left: String,
        /// A vector input.
        right: String,
    },
}

impl Expression {
    /// The inputs that it reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<&str> {
        match self {
            Self::Input { input } | Self::Log1p { input } => vec![input],
            Self::Ratio {
                numerator,
                denominator,
            } => vec![numerator, denominator],
            Self::Contains { list, item } => vec![list, item],
            Self::Pair { left, right }
            | Self::Product { left, right }
            | Self::Equal { left, right }
            | Self::Dot { left, right } => vec![left, right],
        }
    }
}

/// A named feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Name, unique among the features.
    pub name: String,
    /// How it is computed.
    pub of: Expression,
}

impl Feature {
    /// A feature with the value of the input of the same name.
    pub fn of_input(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            of: Expression::Input {
                input: name.clone(),
            },
            name,
        }
    }
}
