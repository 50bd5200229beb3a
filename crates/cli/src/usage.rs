//! Wrong usage of the command line. It has an exit code of its own, 2; a failure has 1.

use counterweight_config::did_you_mean;

/// The command line is wrong. The exit code is 2, as for an unknown flag.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// The position of `name` among `names`.
///
/// # Errors
/// `names` does not contain `name`; the error suggests the closest one.
pub(crate) fn position<'a>(
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<usize, WrongUse> {
    names.clone().position(|own| own == name).ok_or_else(|| {
        let suggestion = did_you_mean(name, names);
        WrongUse(format!("{what} {name:?} does not exist{suggestion}"))
    })
}
