//! Rows to evaluate on, piece by piece: every row that passes the filters, with or without labels,
//! with its outcomes and the inputs of the models that score it.

use counterweight_model::{Batch, Column, Input, ModelError, Schema};

use crate::{
    Dataset, DatasetError, IdColumn, Part, Role,
    convert::Cells,
    gather::{AllPieces, Gathered, identity, ids},
    label::Target,
    pieces::{self, Needed, Piece, Shape},
    plan::Plan,
    spec::{ObjectiveSpec, OutcomeSpec},
    split::Splitter,
};

/// What to read of each row, in addition to its roles and outcomes.
#[derive(Debug, Clone, Default)]
pub struct LogColumns {
    /// The schemas of the models that score the rows.
    pub schemas: Vec<Schema>,
    /// Inputs to read under the names of their columns, beside those of the schemas.
    pub inputs: Vec<Input>,
    /// For each objective of the description, the training median that its label rule needs. The
    /// objective's model stores it.
    pub thresholds: Vec<Option<f64>>,
    /// Columns to read as numbers.
    pub numbers: Vec<String>,
    /// Columns to read as text.
    pub texts: Vec<String>,
}

/// How rows without a request are grouped into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DealtRequests {
    /// Candidates per request.
    pub candidates: usize,
    /// Seed of the random order.
    pub seed: u64,
}

/// The rows of one piece that pass the dataset's filters, in file order.
pub struct LogPiece {
    /// The role columns.
    pub ids: Vec<IdColumn>,
    /// The number of each row over all files, from 0.
    pub rows: Vec<u64>,
    /// One column per name in [`LogColumns::numbers`]; NaN is missing.
    pub numbers: Vec<Vec<f64>>,
    /// One column per name in [`LogColumns::texts`]; empty is missing.
    pub texts: Vec<Vec<String>>,
    /// One column per objective of the description: its outcome in [0, 1], or its label as 0 or 1
    /// if the objective has no outcome. NaN is missing, or left out by the objective's own filter.
    pub outcomes: Vec<Vec<f64>>,
    /// The part of each row; `None` for rows beyond the fractions of the split.
    pub parts: Vec<Option<Part>>,
    inputs: Vec<Input>,
    columns: Vec<Option<Column<'static>>>,
}

impl LogPiece {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the piece has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The values of a role, if the description names a column for it.
    pub fn id(&self, role: Role) -> Option<&[String]> {
        let found = self.ids.iter().find(|ids| ids.role == role)?;
        Some(&found.values)
    }

    /// The values of an input, by the name of its column; `None` if the files do not have it.
    pub fn input(&self, column: &str) -> Option<&Column<'static>> {
        let index = self.inputs.iter().position(|own| own.name == column)?;
        self.columns[index].as_ref()
    }

    /// A batch of rows, given by their index in the piece, with the inputs of one of the requested
    /// schemas.
    ///
    /// # Errors
    /// As [`Batch::new`].
    ///
    /// # Panics
    /// When an index is not below [`LogPiece::len`].
    pub fn batch<'a>(&'a self, schema: &Schema, rows: &[usize]) -> Result<Batch<'a>, ModelError> {
        let column = |input: &Input| Some(self.input(&input.name)?.gather(rows));
        let columns = schema.inputs().iter().map(column).collect();
        Batch::new(schema, rows.len(), columns)
    }
}

/// The pieces of a log. See [`Dataset::log`].
pub struct LogPieces {
    plan: Plan,
    wanted: LogColumns,
    objectives: Vec<ObjectiveSpec>,
    pieces: AllPieces,
}

impl Dataset {
    /// The columns of the first file, in file order; for NDJSON, the keys of its first line. Of a
    /// labelled log, the columns of all files.
    ///
    /// # Errors
    /// As [`Dataset::files`], and for a file that cannot be read.
    pub fn columns(&self) -> Result<Vec<String>, DatasetError> {
        let mut columns: Vec<String> = Vec::new();
        for (at, file) in self.data_files()?.iter().enumerate() {
            if at > 0 && !file.united {
                break;
            }
            let found = pieces::read_header(file)?;
            for name in found {
                if !columns.contains(&name) {
                    columns.push(name);
                }
            }
        }
        Ok(columns)
    }

    /// The column of a role, if the description names one.
    pub fn role(&self, role: Role) -> Option<String> {
        let found = self.roles().into_iter().find(|(own, _)| *own == role)?;
        Some(found.1)
    }

    /// The column of logged propensities, if the description names one.
    pub fn propensity(&self) -> Option<&str> {
        self.spec.columns.propensity.as_deref()
    }

    /// How rows without a request are grouped into requests, if the description says how.
    pub fn dealt_requests(&self) -> Option<DealtRequests> {
        let spec = self.spec.requests?;
        Some(DealtRequests {
            candidates: spec.candidates?,
            seed: spec.seed,
        })
    }

    /// Whether the rows of a request need not be adjacent.
    pub fn scattered_requests(&self) -> bool {
        self.spec.requests.is_some_and(|spec| spec.scattered)
    }

    /// Whether the label of an objective is compared with a training median, which only its model
    /// stores. False if the objective has an outcome, which replaces the label.
    ///
    /// # Errors
    /// [`DatasetError::UnknownObjective`].
    pub fn needs_threshold(&self, objective: &str) -> Result<bool, DatasetError> {
        let objective = self.objective(objective)?;
        Ok(objective.outcome.is_none() && objective.label.needs_threshold())
    }

    /// Reads every row that passes the dataset's filters, piece by piece.
    ///
    /// # Errors
    /// As [`Dataset::files`]; [`DatasetError::Description`] when two models read one input as
    /// different kinds. The items report errors in the files.
    pub fn log(&self, wanted: LogColumns) -> Result<LogPieces, DatasetError> {
        let objectives = self.spec.objective.clone();
        let mut plan = self.plan_without_label(self.union(&wanted)?, &[]);
        plan.splitter = match objectives.first() {
            // Exactly the parts on which the models were trained and measured.
            Some(objective) => self.plan(&objective.name, Vec::new())?.splitter,
            None => self.splitter(&plan)?,
        };
        let mut needed = plan.needed();
        let scalar = |column: &str, needed_as: &str| Needed {
            column: column.to_owned(),
            needed_as: needed_as.to_owned(),
            optional: false,
            shape: Shape::Scalar,
        };
        let columns = wanted.numbers.iter().chain(&wanted.texts);
        let mut more: Vec<Needed> = columns
            .map(|column| scalar(column, "column of the log"))
            .collect();
        for objective in &objectives {
            match &objective.outcome {
                Some(outcome) => {
                    more.extend(outcome.columns().map(|column| scalar(column, "outcome")));
                }
                None => more.extend(objective.label.needed()),
            }
            more.extend(objective.filter.iter().map(crate::spec::Filter::needed));
        }
        for column in more {
            match needed
                .iter_mut()
                .find(|earlier| earlier.column == column.column)
            {
                Some(earlier) => earlier.optional &= column.optional,
                None => needed.push(column),
            }
        }
        let pieces = AllPieces::new(self.data_files()?, needed);
        Ok(LogPieces {
            plan,
            wanted,
            objectives,
            pieces,
        })
    }

    /// All inputs to read, without duplicates.
    fn union(&self, wanted: &LogColumns) -> Result<Vec<Input>, DatasetError> {
        let mut inputs: Vec<Input> = Vec::new();
        let of_schemas = wanted.schemas.iter().flat_map(Schema::inputs);
        for input in of_schemas.chain(&wanted.inputs) {
            match inputs.iter_mut().find(|own| own.name == input.name) {
                None => inputs.push(input.clone()),
                Some(own) if own.kind == input.kind => own.optional &= input.optional,
                Some(own) => {
                    let (one, other) = (own.kind, input.kind);
                    return Err(DatasetError::Description {
                        origin: self.origin.clone(),
                        element: format!("input `{}`", input.name),
                        problem: format!(
                            "one model reads it as {one:?} and another as {other:?}; \
                             score the log with models that read it as one kind"
                        ),
                    });
                }
            }
        }
        Ok(inputs)
    }
}

impl OutcomeSpec {
    fn columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.column.iter().chain(self.ratio.iter().flatten());
        columns.map(String::as_str)
    }

    /// The value of each row in [0, 1]; NaN where missing.
    fn values(&self, piece: &Piece) -> Result<Vec<f64>, DatasetError> {
        let values = match (&self.column, &self.ratio) {
            (_, Some(ratio)) => Cells::ratios(piece, ratio)?,
            (Some(column), None) => Cells::numbers_or_missing(piece, column)?,
            (None, None) => vec![f64::NAN; piece.len()],
        };
        let wrong = |value: &f64| !(value.is_nan() || (0.0..=1.0).contains(value));
        match (values.iter().position(wrong), self.columns().next()) {
            (Some(row), Some(column)) => match Cells::find(piece, column) {
                Some(cells) => Err(cells.wrong_value(
                    row,
                    &values[row].to_string(),
                    "an outcome between 0 and 1",
                )),
                None => Ok(values),
            },
            _ => Ok(values),
        }
    }
}

impl Iterator for LogPieces {
    type Item = Result<LogPiece, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.pieces.next()?;
        Some(piece.and_then(|piece| self.piece(piece)))
    }
}

impl LogPieces {
    fn piece(&self, mut piece: Piece) -> Result<LogPiece, DatasetError> {
        for filter in &self.plan.filters {
            let keep = filter.passes(&piece)?;
            piece.retain(&keep)?;
        }
        let own = ids(&self.plan, &piece)?;
        let parts = match &self.plan.splitter {
            Splitter::AllTrain => vec![None; piece.len()],
            splitter => splitter.parts(&piece, &|row, seed| identity(&own, &piece, row, seed))?,
        };
        let mut gathered = Gathered::new(&self.plan);
        gathered.append(&self.plan, &piece, 0)?;
        let outcomes = self.objectives.iter().enumerate();
        let outcomes: Result<Vec<_>, _> = outcomes
            .map(|(at, objective)| self.outcome(at, objective, &piece))
            .collect();
        let length = piece.len();
        let numbers = self.wanted.numbers.iter().map(|column| {
            Cells::find(&piece, column)
                .map_or_else(|| Ok(vec![f64::NAN; length]), |cells| cells.numbers())
        });
        let texts = self.wanted.texts.iter().map(|column| {
            Cells::find(&piece, column)
                .map_or_else(|| Ok(vec![String::new(); length]), |cells| cells.texts())
        });
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let roles = self.plan.roles.iter().zip(own);
        Ok(LogPiece {
            ids: roles
                .map(|((role, column), (_, values))| IdColumn {
                    role: *role,
                    column: column.clone(),
                    values,
                })
                .collect(),
            rows: piece.global.clone(),
            numbers,
            texts,
            outcomes: outcomes?,
            parts,
            inputs: self.plan.inputs.clone(),
            columns: gathered.columns,
        })
    }

    fn outcome(
        &self,
        at: usize,
        objective: &ObjectiveSpec,
        piece: &Piece,
    ) -> Result<Vec<f64>, DatasetError> {
        let mut values = match &objective.outcome {
            Some(outcome) => outcome.values(piece)?,
            None => {
                let threshold = self.wanted.thresholds.get(at).copied().flatten();
                let value = |target| match target {
                    Target::Known(label) => f64::from(u8::from(label)),
                    Target::Value(value) => {
                        threshold.map_or(f64::NAN, |t| f64::from(u8::from(value > t)))
                    }
                    Target::Missing => f64::NAN,
                };
                objective
                    .label
                    .targets(piece)?
                    .into_iter()
                    .map(value)
                    .collect()
            }
        };
        for filter in &objective.filter {
            for (value, passes) in values.iter_mut().zip(filter.passes(piece)?) {
                if !passes {
                    *value = f64::NAN;
                }
            }
        }
        Ok(values)
    }
}
