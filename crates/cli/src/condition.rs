//! Parses attributes and conditions: `user_country=DE,AT`, `user_sessions_7d>=5`.

use counterweight_proto::counterweight::v1::{
    Attribute, AttributeRange, AttributeValue, AttributeValues, Condition, attribute_value::Value,
    condition::Test,
};

use crate::{number::parse_number, usage::WrongUse};

/// Parses one condition. A range has one end here; [`merge_ranges`] joins the two ends.
pub(crate) fn parse_condition(text: &str) -> Result<Condition, String> {
    let wrong = || {
        "write ATTRIBUTE=VALUE, ATTRIBUTE=VALUE,VALUE, ATTRIBUTE>=NUMBER or ATTRIBUTE<NUMBER, in quotes for the shell".to_owned()
    };
    let end = text.find(['=', '<', '>', '!']).ok_or_else(wrong)?;
    let (attribute, rest) = (text[..end].trim(), &text[end..]);
    if attribute.is_empty() {
        return Err(wrong());
    }
    let range = |at_least, below| Test::Range(AttributeRange { at_least, below });
    let test = if let Some(number) = rest.strip_prefix(">=") {
        range(Some(parse_end(number)?), None)
    } else if rest.starts_with('>') || rest.starts_with("<=") {
        return Err(
            "a range includes its lower end and excludes its upper end: write >= or <".to_owned(),
        );
    } else if let Some(number) = rest.strip_prefix('<') {
        range(None, Some(parse_end(number)?))
    } else if let Some(values) = rest.strip_prefix('=') {
        let values = parse_values(values)?
            .into_iter()
            .map(|value| AttributeValue { value: Some(value) });
        Test::AnyOf(AttributeValues {
            values: values.collect(),
        })
    } else {
        return Err(wrong());
    };
    Ok(Condition {
        attribute: attribute.to_owned(),
        test: Some(test),
    })
}

/// Merges conditions into the form of the combiner: `>=` and `<` of one attribute become one range.
///
/// # Errors
/// An attribute has two `=`, two `>=` or two `<`, or its range is empty.
pub(crate) fn merge_ranges(written: &[Condition]) -> Result<Vec<Condition>, WrongUse> {
    let mut merged: Vec<Condition> = Vec::new();
    for condition in written {
        let known = merged.iter_mut().find(|known| {
            known.attribute == condition.attribute
                && matches!(known.test, Some(Test::AnyOf(_)))
                    == matches!(condition.test, Some(Test::AnyOf(_)))
        });
        let wrong = |what: String| Err(WrongUse(format!("--when {}{what}", condition.attribute)));
        match (known.and_then(|known| known.test.as_mut()), &condition.test) {
            (None, _) => merged.push(condition.clone()),
            (Some(Test::Range(range)), Some(Test::Range(end))) => {
                if let Err(what) = narrow(range, *end) {
                    return wrong(what);
                }
            }
            _ => {
                return wrong(
                    "= is given twice; list the values after one =, with commas between them"
                        .to_owned(),
                );
            }
        }
    }
    Ok(merged)
}

/// Adds the other end to a range.
fn narrow(range: &mut AttributeRange, end: AttributeRange) -> Result<(), String> {
    let ends = [
        (&mut range.at_least, end.at_least, ">="),
        (&mut range.below, end.below, "<"),
    ];
    for (own, new, sign) in ends {
        if new.is_some() && own.is_some() {
            return Err(format!("{sign} is given twice"));
        }
        *own = own.or(new);
    }
    match (range.at_least, range.below) {
        (Some(low), Some(high)) if low >= high => {
            Err(format!(" can never be at least {low} and below {high}"))
        }
        _ => Ok(()),
    }
}

/// Parses one attribute of a request, ATTRIBUTE=VALUE.
pub(crate) fn parse_attribute(text: &str) -> Result<Attribute, String> {
    let (name, written) = text
        .split_once('=')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or("write ATTRIBUTE=VALUE, for example user_country=DE")?;
    Ok(Attribute {
        name: name.trim().to_owned(),
        value: Some(AttributeValue {
            value: Some(parse_value(written)?),
        }),
    })
}

/// Parses one end of a range.
fn parse_end(text: &str) -> Result<f64, String> {
    let text = text.trim();
    match digits(text) {
        Some(number) if number.is_finite() => Ok(number),
        _ => Err(format!(
            "{text:?} is not a finite number: >= and < compare with numbers only"
        )),
    }
}

/// Parses values that are separated by commas; a comma in double quotes is part of the value.
fn parse_values(text: &str) -> Result<Vec<Value>, String> {
    let (mut quoted, mut escaped, mut start) = (false, false, 0);
    let mut values = Vec::new();
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                values.push(parse_value(&text[start..at])?);
                start = at + 1;
            }
            _ => {}
        }
    }
    values.push(parse_value(&text[start..])?);
    Ok(values)
}

/// Parses one value. Digits are a number, `true` and `false` are 1 and 0, and anything else is
/// text. A value in double quotes, written as in JSON, is always text.
fn parse_value(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.starts_with('"') {
        return match serde_json::from_str::<String>(text) {
            Ok(text) if !text.is_empty() => Ok(Value::Text(text)),
            Ok(_) => Err(empty()),
            Err(_) => Err(format!(
                "{text} is not a quoted text: write it as in JSON, for example \"1\""
            )),
        };
    }
    match (text, digits(text)) {
        ("", _) => Err(empty()),
        ("true", _) => Ok(Value::Number(1.0)),
        ("false", _) => Ok(Value::Number(0.0)),
        (_, Some(number)) if number.is_finite() => Ok(Value::Number(number)),
        (_, Some(_)) => Err(format!("{text} is too large for a number")),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// Parses a number with at least one digit: `nan` and `inf` are text.
fn digits(text: &str) -> Option<f64> {
    let number = parse_number(text)?;
    text.contains(|letter: char| letter.is_ascii_digit())
        .then_some(number)
}

fn empty() -> String {
    "a value is empty: an empty text counts as missing, and no condition is true for a missing attribute".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn all(written: &[&str]) -> Result<Vec<Condition>, String> {
        let written: Result<Vec<_>, _> = written.iter().map(|text| parse_condition(text)).collect();
        merge_ranges(&written?).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_numbers_where_they_read_as_numbers() {
        assert_eq!(parse_values("DE,AT"), Ok(vec![text("DE"), text("AT")]));
        assert_eq!(
            parse_values("1, \u{2212}2.5e1,\"1\""),
            Ok(vec![Value::Number(1.0), Value::Number(-25.0), text("1")])
        );
        assert_eq!(
            parse_values("true,false"),
            Ok(vec![Value::Number(1.0), Value::Number(0.0)])
        );
        assert_eq!(parse_values("nan,inf"), Ok(vec![text("nan"), text("inf")]));
        assert_eq!(
            parse_values(r#""a,b","say \"x\"""#),
            Ok(vec![text("a,b"), text("say \"x\"")])
        );
        for wrong in ["", "DE,", ",DE", "\"\"", "\"open", "\"a\"b", "1e999"] {
            assert!(parse_values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bounds_of_one_attribute_are_one_range() {
        let found = all(&["n>=5", "user_country=DE,AT", "n < 20", "m<3"]).unwrap();
        let range = |at: usize| match found[at].test {
            Some(Test::Range(range)) => (range.at_least, range.below),
            _ => panic!("no range"),
        };
        assert_eq!(found.len(), 3);
        assert_eq!(
            (found[0].attribute.as_str(), range(0)),
            ("n", (Some(5.0), Some(20.0)))
        );
        assert_eq!(found[1].attribute, "user_country");
        assert_eq!(
            (found[2].attribute.as_str(), range(2)),
            ("m", (None, Some(3.0)))
        );
    }

    #[test]
    fn a_value_may_contain_the_operators_of_conditions() {
        let found = parse_condition("name=a=b<c").unwrap();
        let expected = parse_attribute("name=a=b<c").unwrap();
        assert_eq!(expected.value.clone().unwrap().value, Some(text("a=b<c")));
        let values = vec![expected.value.unwrap()];
        assert_eq!(found.test, Some(Test::AnyOf(AttributeValues { values })));
    }

    #[test]
    fn an_invalid_condition_is_rejected() {
        for (wrong, wanted) in [
            (&["user_country"][..], "ATTRIBUTE=VALUE"),
            (&["=DE"], "ATTRIBUTE=VALUE"),
            (&["n!=5"], "ATTRIBUTE=VALUE"),
            (&["n>5"], "write >= or <"),
            (&["n<=5"], "write >= or <"),
            (&["n>=x"], "not a finite number"),
            (&["n<nan"], "not a finite number"),
            (&["n>=inf"], "not a finite number"),
            (&["n>=1e999"], "not a finite number"),
            (&["c="], "empty"),
            (&["c=DE", "c=AT"], "commas"),
            (&["n>=1", "n>=2"], ">= is given twice"),
            (&["n<1", "n<2"], "< is given twice"),
            (&["n>=5", "n<5"], "can never be at least 5 and below 5"),
        ] {
            let error = all(wrong).unwrap_err();
            assert!(error.contains(wanted), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn an_attribute_has_one_value() {
        let read = parse_attribute("user_country=DE,AT").unwrap();
        assert_eq!(
            read.value.unwrap().value,
            Some(text("DE,AT")),
            "the comma is part of it"
        );
        assert!(parse_attribute("user_country").is_err() && parse_attribute("=1").is_err());
        assert!(parse_attribute("user_country=").is_err());
    }
}
