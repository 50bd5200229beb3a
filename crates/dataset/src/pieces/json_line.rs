//! Explains what is wrong with a line that should contain one JSON object, and what to write
//! instead.

use serde_json::{Map, Value, error::Category};

/// Maximum nesting depth of the values of a line. JSON parsers recurse once per level, and the
/// stack overflows long before memory is exhausted.
const DEEPEST: usize = 64;

/// Rejects a line whose values are nested too deeply, without calling a JSON parser.
pub(super) fn check_depth(line: &[u8]) -> Result<(), String> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for &byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(format!(
                        "the values on this line are nested more than {DEEPEST} deep; \
                         write numbers, texts and lists of these"
                    ));
                }
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Parses the object on the line. The error says what to do.
pub(super) fn object(line: &str) -> Result<Map<String, Value>, String> {
    // A JSON array may span all lines of the file, so its first line alone is not valid JSON.
    if line.trim_start().starts_with('[') {
        return Err("this is a JSON array, not one object per line; \
             write it as NDJSON, for example with `jq -c '.[]' array.json > rows.ndjson`"
            .to_owned());
    }
    check_depth(line.as_bytes())?;
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("this is not a JSON object; write one object on each line".to_owned()),
        Err(error) => Err(explain(line, &error)),
    }
}

fn explain(line: &str, error: &serde_json::Error) -> String {
    let column = error.column();
    // The column is the byte after the last one that was read. Search a few bytes back as well,
    // because the parser stops at different bytes of a literal such as `-Infinity`.
    let nearby = |back: usize| line.get(column.saturating_sub(back)..).unwrap_or_default();
    let literal = (0..4).rev().map(nearby).find_map(|text| {
        let literals = ["NaN", "nan", "-Infinity", "Infinity", "-inf", "inf"];
        literals
            .into_iter()
            .find(|literal| text.starts_with(literal))
    });
    match (literal, error.classify()) {
        (Some(literal), _) => {
            format!("{literal} at byte {column} is not JSON; write null where a number is missing")
        }
        (None, Category::Eof) => {
            "the line ends within an object; write each object on one line".to_owned()
        }
        (None, _) => {
            format!(
                "this is not valid JSON from byte {column} on; write one JSON object on each line"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: &str) -> String {
        object(line).unwrap_err()
    }

    #[test]
    fn the_message_says_what_to_write() {
        for (line, part) in [
            ("[{\"a\":1}, {\"a\":2}]", "jq -c"),
            (" [", "jq -c"),
            ("{\"x\": NaN, \"y\": 0}", "NaN at byte 7"),
            ("{\"x\": nan}", "nan at byte"),
            ("{\"x\":Infinity}", "Infinity at byte"),
            ("{\"x\":-Infinity}", "-Infinity at byte"),
            ("{", "on one line"),
            ("{\"a\":1,", "on one line"),
            ("{\"a\":'b'}", "not valid JSON"),
            ("3", "not a JSON object"),
            ("x,y", "not valid JSON"),
        ] {
            let problem = problem(line);
            assert!(problem.contains(part), "{line}: {problem}");
        }
        assert!(object("{\"NaN\": \"Infinity\"}").is_ok());
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_parsed() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(&nested(DEEPEST - 1)).is_ok());
        for depth in [DEEPEST, 300, 60_000, 10_000_000] {
            assert!(problem(&nested(depth)).contains("nested more than 64 deep"));
        }
        // Brackets inside a string are text, even after an escaped quote.
        let text = format!("{{\"a\":\"\\\"{}\"}}", "[{".repeat(1_000));
        assert!(object(&text).is_ok());
    }
}
