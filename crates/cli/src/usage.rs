//! Wrong use of the command line, which ends the program with another exit code than a failure.

use counterweight_config::did_you_mean;

/// The command was called wrongly: exit code 2, as for a flag that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// The position of `name` among `names`.
///
/// # Errors
/// None of them has this name; the closest one is suggested.
pub(crate) fn position<'a>(
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, WrongUse> {
    names.clone().position(|own| own == name).ok_or_else(|| {
        let suggestion = did_you_mean(name, names);
        WrongUse(format!("there is no {what} {name:?}{suggestion}"))
    })
}
