//! A checked description, and the ways to read its rows.

use std::path::{Path, PathBuf};

use counterweight_config::did_you_mean;
use counterweight_model::Schema;

use crate::{
    DatasetError, Loaded, Role, Rows, SplitBy, check,
    files::{self, DataFile},
    gather::{AllPieces, Gathered},
    plan::Plan,
    schema,
    spec::{ObjectiveSpec, Spec},
    split::Splitter,
};

/// A checked dataset description. Its files are opened when rows are read.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub(crate) spec: Spec,
    pub(crate) origin: String,
    folder: PathBuf,
}

impl Dataset {
    /// Reads a description. Its files are relative to `data_dir`, or to the description's folder if
    /// `data_dir` is `None`.
    ///
    /// # Errors
    /// [`DatasetError::Config`] for invalid TOML (the error names an unknown key and its line),
    /// [`DatasetError::Description`] and [`DatasetError::Schema`] if keys contradict each other.
    pub fn open(description: &Path, data_dir: Option<&Path>) -> Result<Self, DatasetError> {
        let spec = counterweight_config::read_toml(description)?;
        let folder = data_dir.or(description.parent()).unwrap_or(Path::new(""));
        Self::checked(spec, description.display().to_string(), folder.to_owned())
    }

    /// Parses a description; `origin` names it in errors and `folder` is where its files are.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn parse(text: &str, origin: &str, folder: &Path) -> Result<Self, DatasetError> {
        Self::checked(
            counterweight_config::parse_toml(text, origin)?,
            origin.to_owned(),
            folder.to_owned(),
        )
    }

    pub(crate) fn checked(
        spec: Spec,
        origin: String,
        folder: PathBuf,
    ) -> Result<Self, DatasetError> {
        check::check(&spec, &origin)?;
        Ok(Self {
            spec,
            origin,
            folder,
        })
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The names of the objectives, in the order of the description.
    pub fn objectives(&self) -> Vec<&str> {
        self.spec
            .objective
            .iter()
            .map(|objective| objective.name.as_str())
            .collect()
    }

    /// The files to read, in reading order.
    ///
    /// # Errors
    /// [`DatasetError::Description`] if a pattern finds no file, or a file has an unknown ending.
    pub fn files(&self) -> Result<Vec<PathBuf>, DatasetError> {
        Ok(self
            .data_files()?
            .into_iter()
            .map(|file| file.path)
            .collect())
    }

    /// How the rows are split; `None` when every row trains.
    pub fn split_by(&self) -> Option<SplitBy> {
        self.spec.split.as_ref().map(|split| split.by)
    }

    /// The inputs and features of an objective.
    ///
    /// # Errors
    /// [`DatasetError::UnknownObjective`].
    pub fn schema(&self, objective: &str) -> Result<Schema, DatasetError> {
        schema::build_schema(&self.spec, Some(self.objective(objective)?), &self.origin)
    }

    /// The label rule of an objective in words, such as `likes / views > training median`.
    ///
    /// # Errors
    /// [`DatasetError::UnknownObjective`].
    pub fn label_rule(&self, objective: &str) -> Result<String, DatasetError> {
        Ok(self.objective(objective)?.label.describe())
    }

    /// Reads the rows of an objective that pass the filters and have a label and a part, in the
    /// order of the files.
    ///
    /// # Errors
    /// See [`DatasetError`]. If no row remains, [`DatasetError::NoRows`].
    pub fn load(&self, objective: &str) -> Result<Loaded, DatasetError> {
        self.load_as(objective, &self.schema(objective)?)
    }

    /// Like [`Dataset::load`], but with the inputs of another schema, such as that of a trained
    /// model that is evaluated.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load_as(&self, objective: &str, schema: &Schema) -> Result<Loaded, DatasetError> {
        let plan = self.plan(objective, schema.inputs().to_vec())?;
        self.loaded(objective, &plan, schema.clone())
    }

    /// The rows of an objective without inputs: labels, parts, groups and times. The schema still
    /// lists the inputs.
    pub(crate) fn load_labels(&self, objective: &str) -> Result<Loaded, DatasetError> {
        let mut plan = self.plan(objective, Vec::new())?;
        plan.with_times = true;
        self.loaded(objective, &plan, self.schema(objective)?)
    }

    /// Reads every row of the files, in order, with the inputs of a schema, for prediction.
    /// Filters, labels and the split do not apply. Each item contains the rows of one piece, which
    /// limits memory to one piece.
    ///
    /// # Errors
    /// As [`Dataset::files`]. The items report errors in the files.
    pub fn inputs(&self, schema: &Schema) -> Result<InputPieces, DatasetError> {
        let plan = Plan {
            inputs: schema.inputs().to_vec(),
            renamed: self.renamed(),
            roles: self.roles(),
            filters: Vec::new(),
            label: None,
            splitter: Splitter::AllTrain,
            negatives: None,
            with_times: false,
        };
        let pieces = AllPieces::new(self.data_files()?, plan.needed());
        Ok(InputPieces {
            plan,
            schema: schema.clone(),
            pieces,
        })
    }

    pub(crate) fn objective(&self, name: &str) -> Result<&ObjectiveSpec, DatasetError> {
        self.spec
            .objective
            .iter()
            .find(|objective| objective.name == name)
            .ok_or_else(|| {
                let known = self.objectives();
                DatasetError::UnknownObjective {
                    origin: self.origin.clone(),
                    name: name.to_owned(),
                    suggestion: did_you_mean(name, known.iter().copied()),
                    known: if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    },
                }
            })
    }

    pub(crate) fn data_files(&self) -> Result<Vec<DataFile>, DatasetError> {
        files::resolve(&self.spec.files, &self.folder, &self.origin)
    }

    /// The inputs whose column in the files has another name, and that name.
    pub(crate) fn renamed(&self) -> Vec<(String, String)> {
        let inputs = self.spec.input.iter();
        inputs
            .filter_map(|input| Some((input.name.clone(), input.column.clone()?)))
            .collect()
    }

    pub(crate) fn roles(&self) -> Vec<(Role, String)> {
        check::roles(&self.spec.columns)
            .into_iter()
            .map(|(role, column)| (role, column.to_owned()))
            .collect()
    }
}

/// The rows of all files, piece by piece. See [`Dataset::inputs`].
pub struct InputPieces {
    plan: Plan,
    schema: Schema,
    pieces: AllPieces,
}

impl Iterator for InputPieces {
    type Item = Result<Rows, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.next()?;
        Some(piece.and_then(|piece| {
            let mut gathered = Gathered::new(&self.plan);
            gathered.add(&self.plan, piece)?;
            Ok(Rows {
                schema: self.schema.clone(),
                columns: gathered.columns,
                ids: gathered.ids,
                numbers: gathered.numbers,
            })
        }))
    }
}
