//! Reads a dataset: makes the plan for an objective, finds where time divides the parts, and loads
//! the rows.

use counterweight_model::{Input, Schema};

use crate::{
    Counts, Dataset, DatasetError, Excerpt, Loaded, Role, Rows, SplitBy,
    convert::Times,
    fingerprint::fingerprint,
    gather::{AllPieces, Gathered},
    label::Target,
    loaded::Targets,
    moment::Moment,
    pieces::Piece,
    plan::Plan,
    spec::{Filter, SplitSpec},
    split::{self, Splitter},
};

impl Dataset {
    /// The plan for one pass over the files for an objective.
    pub(crate) fn plan(&self, objective: &str, inputs: Vec<Input>) -> Result<Plan, DatasetError> {
        let objective = self.objective(objective)?;
        let mut plan = self.plan_without_label(inputs, &objective.filter);
        plan.label = Some(objective.label.clone());
        let seed = self.spec.split.as_ref().map_or(0, |split| split.seed);
        plan.negatives = objective.sample_negatives.map(|share| (share, seed));
        plan.splitter = self.splitter(&plan)?;
        Ok(plan)
    }

    /// The plan that keeps every row that passes the filters.
    pub(crate) fn plan_without_label(&self, inputs: Vec<Input>, more_filters: &[Filter]) -> Plan {
        Plan {
            inputs,
            renamed: self.renamed(),
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
            with_times: false,
        }
    }

    pub(crate) fn splitter(&self, plan: &Plan) -> Result<Splitter, DatasetError> {
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

    /// Reads only the time column of the labelled rows, to find where the parts start.
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
        let mut times = Times::default();
        let mut moments: Vec<Moment> = Vec::new();
        for piece in AllPieces::new(self.data_files()?, plan.needed()) {
            let piece = labelled(&plan, piece?)?;
            moments.extend(split::read_moments(&mut times, &piece, column)?);
        }
        times.finish()?;
        Ok(split::part_starts(moments, spec))
    }

    /// Executes a plan that has labels.
    pub(crate) fn loaded(
        &self,
        objective: &str,
        plan: &Plan,
        schema: Schema,
    ) -> Result<Loaded, DatasetError> {
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
            times: gathered.times,
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
            let problem = "the files have a header or a schema, but no rows; check `files`";
            return Err(DatasetError::Empty {
                file: first,
                problem: Excerpt::problem(problem),
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
                "{filtered} filtered, {unlabelled} without a label, {unassigned} in no part, \
                 {sampled_out} sampled out"
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

/// The rows of a piece that pass the filters and have a label.
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

/// Collects the targets. All rows of one pass have the same kind of target.
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
