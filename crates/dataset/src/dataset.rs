//! A description that was checked, and what can be read by it.

use std::path::{Path, PathBuf};

use counterweight_config::did_you_mean;
use counterweight_model::{Input, Schema};

use crate::{
    Counts, DatasetError, Loaded, Role, Rows, SplitBy, check,
    files::{self, DataFile},
    fingerprint::fingerprint,
    gather::{AllPieces, Gathered},
    label::Target,
    loaded::Targets,
    pieces::Piece,
    plan::Plan,
    spec::{Filter, ObjectiveSpec, Spec, SplitSpec},
    split::{self, Moment, Splitter},
};

/// A checked dataset description. Files are opened when rows are asked for.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub(crate) spec: Spec,
    pub(crate) origin: String,
    folder: PathBuf,
}

impl Dataset {
    /// Reads a description. Its files are relative to `data_dir` or, where that is not given, to the description's folder.
    ///
    /// # Errors
    /// [`DatasetError::Config`] for a file that is no such TOML (an unknown key is named with its line),
    /// [`DatasetError::Description`] and [`DatasetError::Schema`] for one that contradicts itself.
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

    fn checked(spec: Spec, origin: String, folder: PathBuf) -> Result<Self, DatasetError> {
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

    /// The files that are read, in that order.
    ///
    /// # Errors
    /// [`DatasetError::Description`] for a pattern that finds nothing or a file of unknown ending.
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
        check::schema(&self.spec, Some(self.objective(objective)?), &self.origin)
    }

    /// The label rule of an objective in words, such as `likes / views > training median`.
    ///
    /// # Errors
    /// [`DatasetError::UnknownObjective`].
    pub fn label_rule(&self, objective: &str) -> Result<String, DatasetError> {
        Ok(self.objective(objective)?.label.words())
    }

    /// Reads the rows of an objective: those that pass the filters and have a label and a part, in the order of the files.
    ///
    /// # Errors
    /// What is wrong with the files: see [`DatasetError`]. No row left is [`DatasetError::NoRows`].
    pub fn load(&self, objective: &str) -> Result<Loaded, DatasetError> {
        self.load_as(objective, &self.schema(objective)?)
    }

    /// As [`Dataset::load`], with the inputs of another schema: that of a trained model that is evaluated.
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load_as(&self, objective: &str, schema: &Schema) -> Result<Loaded, DatasetError> {
        let plan = self.plan(objective, schema.inputs().to_vec())?;
        self.loaded(objective, &plan, schema.clone())
    }

    /// The rows of an objective without inputs: labels, parts and groups. The schema names the inputs all the same.
    pub(crate) fn load_labels(&self, objective: &str) -> Result<Loaded, DatasetError> {
        let plan = self.plan(objective, Vec::new())?;
        self.loaded(objective, &plan, self.schema(objective)?)
    }

    /// Reads every row of the files, in their order, with the inputs of a schema, to predict on: no filter, no label and
    /// no split apply. One item holds the rows of one piece, so that memory holds no more than that.
    ///
    /// # Errors
    /// As [`Dataset::files`]; the items carry what is wrong with the files.
    pub fn inputs(&self, schema: &Schema) -> Result<InputPieces, DatasetError> {
        let plan = Plan {
            inputs: schema.inputs().to_vec(),
            roles: self.roles(),
            filters: Vec::new(),
            label: None,
            splitter: Splitter::AllTrain,
            negatives: None,
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

    fn roles(&self) -> Vec<(Role, String)> {
        check::roles(&self.spec.columns)
            .into_iter()
            .map(|(role, column)| (role, column.to_owned()))
            .collect()
    }

    /// What one reading for an objective has to keep.
    fn plan(&self, objective: &str, inputs: Vec<Input>) -> Result<Plan, DatasetError> {
        let objective = self.objective(objective)?;
        let mut plan = self.plan_without_label(inputs, &objective.filter);
        plan.label = Some(objective.label.clone());
        let seed = self.spec.split.as_ref().map_or(0, |split| split.seed);
        plan.negatives = objective.sample_negatives.map(|share| (share, seed));
        plan.splitter = self.splitter(&plan)?;
        Ok(plan)
    }

    /// Every row that passes the filters.
    pub(crate) fn plan_without_label(&self, inputs: Vec<Input>, more_filters: &[Filter]) -> Plan {
        Plan {
            inputs,
            roles: self.roles(),
            filters: self
                .spec
                .filter
                .iter()
                .chain(more_filters)
                .cloned()
                .collect(),
            label: None,
            splitter: Splitter::AllTrain,
            negatives: None,
        }
    }

    fn splitter(&self, plan: &Plan) -> Result<Splitter, DatasetError> {
        let Some(spec) = self.spec.split.clone() else {
            return Ok(Splitter::AllTrain);
        };
        let columns = &self.spec.columns;
        Ok(match spec.by {
            SplitBy::Group => Splitter::Hash {
                spec,
                column: columns.group.clone(),
            },
            SplitBy::Hash => Splitter::Hash { spec, column: None },
            SplitBy::Column => Splitter::Column(spec.column.unwrap_or_default()),
            SplitBy::Time => {
                let column = columns.time.clone().unwrap_or_default();
                let starts = self.time_starts(plan, &column, &spec)?;
                Splitter::Time { column, starts }
            }
        })
    }

    /// Reads the time column of the labelled rows alone, to find where the parts start.
    fn time_starts(
        &self,
        plan: &Plan,
        column: &str,
        spec: &SplitSpec,
    ) -> Result<Vec<Option<Moment>>, DatasetError> {
        let plan = Plan {
            inputs: Vec::new(),
            roles: vec![(Role::Time, column.to_owned())],
            splitter: Splitter::AllTrain,
            negatives: None,
            ..plan.clone()
        };
        let mut moments: Vec<Moment> = Vec::new();
        for piece in AllPieces::new(self.data_files()?, plan.needed()) {
            let piece = labelled(&plan, piece?)?;
            let found = split::moments(&piece, column)?;
            if let (Some(first), Some(next)) = (moments.first(), found.first())
                && std::mem::discriminant(first) != std::mem::discriminant(next)
            {
                return Err(DatasetError::Type {
                    column: column.to_owned(),
                    file: piece.file,
                    found: "times of another form than the rows before".to_owned(),
                    expected: "numbers or dates throughout, or ISO 8601 texts throughout"
                        .to_owned(),
                });
            }
            moments.extend(found);
        }
        Ok(split::starts(moments, spec))
    }

    /// Carries out a plan that has labels.
    fn loaded(&self, objective: &str, plan: &Plan, schema: Schema) -> Result<Loaded, DatasetError> {
        let gathered = self.gather(plan)?;
        let targets = targets(&gathered.targets);
        let rows = Rows {
            schema,
            columns: gathered.columns,
            ids: gathered.ids,
            numbers: gathered.numbers,
        };
        Ok(Loaded {
            fingerprint: fingerprint(&rows, &gathered.parts, &targets),
            objective: objective.to_owned(),
            rows,
            parts: gathered.parts,
            groups: gathered.groups,
            counts: gathered.counts,
            lossy_rows: gathered.lossy_rows,
            negatives_kept: plan.negatives.map(|(share, _)| share),
            targets,
        })
    }

    pub(crate) fn gather(&self, plan: &Plan) -> Result<Gathered, DatasetError> {
        let files = self.data_files()?;
        let first = files
            .first()
            .map(|file| file.path.clone())
            .unwrap_or_default();
        let gathered = Gathered::read(plan, files)?;
        if gathered.counts.read == 0 {
            let problem = "there is no row, only a header or a schema; check `files`".to_owned();
            return Err(DatasetError::Empty {
                file: first,
                problem,
            });
        }
        if gathered.parts.is_empty() {
            let Counts {
                filtered,
                unlabelled,
                unassigned,
                sampled_out,
                ..
            } = gathered.counts;
            let counts = format!(
                "{filtered} filtered, {unlabelled} without a label, {unassigned} in no part, {sampled_out} sampled out"
            );
            return Err(DatasetError::NoRows {
                origin: self.origin.clone(),
                read: gathered.counts.read,
                counts,
            });
        }
        Ok(gathered)
    }
}

/// What is left of a piece after filters and label.
fn labelled(plan: &Plan, mut piece: Piece) -> Result<Piece, DatasetError> {
    for filter in &plan.filters {
        let keep = filter.passes(&piece)?;
        piece.retain(&keep)?;
    }
    if let Some(label) = &plan.label {
        let keep: Vec<bool> = label
            .targets(&piece)?
            .iter()
            .map(|target| *target != Target::Missing)
            .collect();
        piece.retain(&keep)?;
    }
    Ok(piece)
}

/// All rows of one reading have the same kind of target.
fn targets(targets: &[Target]) -> Targets {
    if targets
        .iter()
        .any(|target| matches!(target, Target::Value(_)))
    {
        return Targets::AboveMedian(
            targets
                .iter()
                .map(|target| {
                    if let Target::Value(value) = target {
                        *value
                    } else {
                        f64::NAN
                    }
                })
                .collect(),
        );
    }
    Targets::Fixed(
        targets
            .iter()
            .map(|target| *target == Target::Known(true))
            .collect(),
    )
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
