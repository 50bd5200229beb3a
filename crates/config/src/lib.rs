//! Reads TOML files. Errors name the file, the line, the wrong key and the key that was probably
//! intended.

mod duration;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

pub use duration::parse_duration;

/// Why a TOML file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The text is not valid TOML, or does not have the expected form.
    #[error("{origin}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Parse {
        /// Where the text comes from, usually a path.
        origin: String,
        /// The line, counted from 1, if known.
        line: Option<usize>,
        /// What is wrong, and what was probably intended.
        message: String,
    },
}

/// Reads and parses a TOML file.
///
/// # Errors
/// [`ConfigError::Read`] when the file cannot be read, [`ConfigError::Parse`] as [`parse_toml`].
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse_toml(&text, &path.display().to_string())
}

/// Parses a TOML text. `origin` is its name in errors. Errors suggest the most similar known key
/// only if `T` uses `deny_unknown_fields`.
///
/// # Errors
/// [`ConfigError::Parse`], which names the line and, for an unknown key or variant, the most
/// similar known one.
pub fn parse_toml<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Parse {
        origin: origin.to_owned(),
        line: error
            .span()
            .map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1),
        message: with_suggestion(error.message()),
    })
}

/// Longest names to compare, in bytes. The time of a comparison grows with the product of both
/// lengths, and a caller may send a name of any length.
const LONGEST_COMPARED: usize = 64;
/// Maximum number of known names to compare with a wrong name.
const MOST_COMPARED: usize = 1_000;

/// The known name that is most similar to a wrong one, if it is similar enough. Names of more than
/// 64 bytes are not compared, and neither are names after the first thousand.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .take(MOST_COMPARED)
        .filter(|name| wrong.len().max(name.len()) <= LONGEST_COMPARED)
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= 1 + wrong.len().max(name.len()) / 3)
        .min()
        .map(|(_, name)| name)
}

/// ` (did you mean "…"?)`, or an empty text if no known name is similar.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known).map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

// serde's message contains first the unknown key and then the known keys, each in backticks.
fn with_suggestion(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((wrong, known)) if message.starts_with("unknown ") => {
            format!("{message}{}", did_you_mean(wrong, known.iter().copied()))
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only its key matters here")]
        endpoint: Option<String>,
        #[expect(dead_code, reason = "only its key matters here")]
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        Fail,
        Without,
    }

    fn error(text: &str) -> String {
        parse_toml::<Example>(text, "a.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_unknown_key_names_itself_its_line_and_the_nearest_known_key() {
        let error = error("# comment\nendpiont = 'x'\n");
        assert!(
            error.starts_with("a.toml:2: unknown field `endpiont`"),
            "{error}"
        );
        assert!(error.ends_with("(did you mean \"endpoint\"?)"), "{error}");
    }

    #[test]
    fn an_unknown_variant_names_the_nearest_one() {
        let error = error("mode = 'witout'");
        assert!(error.contains("did you mean \"without\""), "{error}");
    }

    #[test]
    fn a_far_key_gets_no_suggestion_and_a_wrong_type_names_its_line() {
        assert!(!error("zzzzzzzz = 1").contains("did you mean"));
        assert!(error("\n\nendpoint = 1").starts_with("a.toml:3: "));
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.toml");
        let error = read_toml::<Example>(&path).unwrap_err().to_string();
        assert!(error.contains("none.toml"), "{error}");
    }

    #[test]
    fn nearest_prefers_the_smallest_distance() {
        assert_eq!(nearest("titel", ["title", "tile", "views"]), Some("title"));
        assert_eq!(nearest("x", ["subscribers"]), None);
    }

    #[test]
    fn names_of_any_length_are_answered_at_once() {
        let (long, fits) = ("a".repeat(8 << 20), "a".repeat(64));
        assert_eq!(nearest(&long, [long.as_str(), "a"]), None);
        assert_eq!(
            nearest("profile", [long.as_str(), "profil"]),
            Some("profil")
        );
        assert_eq!(nearest(&fits[1..], [fits.as_str()]), Some(fits.as_str()));
        let others = std::iter::repeat_n("subscribers", MOST_COMPARED - 1);
        assert_eq!(
            nearest("titel", others.clone().chain(["title"])),
            Some("title")
        );
        assert_eq!(nearest("titel", others.chain(["x", "title"])), None);
    }
}
