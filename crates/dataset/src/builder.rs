//! Builds a description in code, without TOML.

use std::path::{Path, PathBuf};

use glob::Pattern;

use crate::{
    Dataset, DatasetError, Role,
    spec::{LabelSpec, ObjectiveSpec, RoleColumns, Spec},
};

/// The description of a log with known columns. It has no inputs, so no model can train on it.
///
/// ```
/// use counterweight_dataset::{DatasetBuilder, Role};
///
/// let dataset = DatasetBuilder::new("log", ["a \"quoted\" name.csv"])
///     .role(Role::Request, "request_id")
///     .objective("engagement", "label_engagement")
///     .build()?;
/// assert_eq!(dataset.objectives(), ["engagement"]);
/// # Ok::<(), counterweight_dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DatasetBuilder {
    spec: Spec,
}

impl DatasetBuilder {
    /// A dataset of these files or patterns, relative to the working directory.
    pub fn new<F: Into<String>>(name: &str, files: impl IntoIterator<Item = F>) -> Self {
        Self {
            spec: Spec {
                name: name.to_owned(),
                files: files.into_iter().map(Into::into).collect(),
                max_text_bytes: None,
                columns: RoleColumns::default(),
                filter: Vec::new(),
                input: Vec::new(),
                feature: Vec::new(),
                objective: Vec::new(),
                requests: None,
                split: None,
            },
        }
    }

    /// A dataset of one file, whatever characters its name has. `None` if the path is not UTF-8.
    pub fn of_file(name: &str, file: &Path) -> Option<Self> {
        // Files are named by patterns; an escaped path matches only itself.
        Some(Self::new(name, [Pattern::escape(file.to_str()?)]))
    }

    /// Sets the column of a role.
    #[must_use]
    pub fn role(mut self, role: Role, column: &str) -> Self {
        let columns = &mut self.spec.columns;
        let named = match role {
            Role::Request => &mut columns.request,
            Role::User => &mut columns.user,
            Role::Candidate => &mut columns.candidate,
            Role::Time => &mut columns.time,
            Role::Position => &mut columns.position,
            Role::Group => &mut columns.group,
        };
        *named = Some(column.to_owned());
        self
    }

    /// Adds an objective whose label is a column of 0 and 1.
    #[must_use]
    pub fn objective(mut self, name: &str, label: &str) -> Self {
        self.spec.objective.push(ObjectiveSpec {
            name: name.to_owned(),
            label: LabelSpec {
                column: Some(label.to_owned()),
                ratio: None,
                above: None,
            },
            outcome: None,
            filter: Vec::new(),
            features: None,
            sample_negatives: None,
        });
        self
    }

    /// Checks the description. Errors refer to the dataset by its name.
    ///
    /// # Errors
    /// As [`Dataset::parse`].
    pub fn build(self) -> Result<Dataset, DatasetError> {
        let origin = format!("the {}", self.spec.name);
        Dataset::checked(self.spec, origin, PathBuf::new())
    }
}
