//! Writes conditions and their outcomes as text for a person.

use std::fmt;

use super::{
    Test, Value,
    rules::{Misfit, NoArm},
};

impl fmt::Display for Misfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attribute = &self.condition.attribute;
        match self.found {
            None => write!(f, "{attribute} is missing"),
            Some(found) => write!(f, "{attribute} is {found}, not {}", self.condition.test),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyOf(values) => {
                f.write_str(if values.len() > 1 { "one of " } else { "" })?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::Range { at_least, below } => match (at_least, below) {
                (Some(low), Some(high)) => write!(f, "at least {low} and below {high}"),
                (Some(low), None) => write!(f, "at least {low}"),
                (None, Some(high)) => write!(f, "below {high}"),
                (None, None) => f.write_str("a number"),
            },
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl fmt::Display for NoArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSegment(wanted) => write!(f, "takes only requests of segment {wanted:?}"),
            Self::NoUnit => f.write_str("the request names no unit"),
            Self::Bucket(bucket) => write!(f, "bucket {bucket} has no arm"),
        }
    }
}
