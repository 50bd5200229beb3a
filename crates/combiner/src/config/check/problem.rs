//! A value of the configuration that is refused, and why.

/// A refused key, before the file that has it is known.
pub(in crate::config) struct Problem {
    pub(in crate::config) key: String,
    pub(in crate::config) problem: String,
}

pub(in crate::config) type Checked<T> = Result<T, Problem>;

pub(in crate::config) fn problem<T>(
    key: impl Into<String>,
    problem: impl Into<String>,
) -> Checked<T> {
    Err(Problem {
        key: key.into(),
        problem: problem.into(),
    })
}
