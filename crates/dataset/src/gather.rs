//! Executes a plan: filters, labels, splits and samples each piece, and keeps the remaining rows in
//! memory.

use counterweight_model::Column;
use counterweight_statistics::unit_interval;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    Counts, DatasetError, IdColumn, Part, Role,
    convert::{Cells, Times},
    files::DataFile,
    label::Target,
    moment::Moment,
    pieces::{self, Needed, Piece, PieceIterator, retain},
    plan::Plan,
    schema::empty_column,
    whole_number,
};

/// Makes the random draw of negatives independent of the draw of parts with the same seed.
const NEGATIVES_SALT: u64 = 0x6e65_6761_7469_7665;

/// The rows that are kept.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) columns: Vec<Option<Column<'static>>>,
    pub(crate) ids: Vec<IdColumn>,
    pub(crate) numbers: Vec<u64>,
    pub(crate) targets: Vec<Target>,
    pub(crate) parts: Vec<Part>,
    pub(crate) groups: Vec<u64>,
    /// Empty unless the plan asks for times.
    pub(crate) times: Vec<Option<Moment>>,
    time_column: Times,
    pub(crate) counts: Counts,
    pub(crate) lossy_rows: u64,
}

/// The pieces of all files in order. Rows are numbered across all files.
pub(crate) struct AllPieces {
    files: std::vec::IntoIter<DataFile>,
    needed: Vec<Needed>,
    current: Option<PieceIterator>,
    next_row: u64,
    /// Whether the columns that some of the united files have are optional.
    relaxed: bool,
}

impl AllPieces {
    pub(crate) fn new(files: Vec<DataFile>, needed: Vec<Needed>) -> Self {
        Self {
            files: files.into_iter(),
            needed,
            current: None,
            next_row: 0,
            relaxed: false,
        }
    }

    /// Makes the columns optional that a united file has; `first` is the first of these files.
    fn relax(&mut self, first: &DataFile) -> Result<(), DatasetError> {
        self.relaxed = true;
        let rest = self.files.as_slice().iter().filter(|file| file.united);
        for file in std::iter::once(first).chain(rest) {
            if self.needed.iter().all(|needed| needed.optional) {
                break;
            }
            let has = pieces::read_header(file)?;
            for needed in self.needed.iter_mut().filter(|needed| !needed.optional) {
                needed.optional = has.contains(&needed.column);
            }
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Piece>, DatasetError> {
        loop {
            if let Some(pieces) = &mut self.current {
                if let Some(piece) = pieces.next() {
                    let mut piece = piece?;
                    let end = self.next_row + piece.len() as u64;
                    piece.global = (self.next_row..end).collect();
                    self.next_row = end;
                    return Ok(Some(piece));
                }
                self.current = None;
            }
            let Some(file) = self.files.next() else {
                return Ok(None);
            };
            if file.united && !self.relaxed {
                self.relax(&file)?;
            }
            self.current = Some(pieces::open(&file, &self.needed)?);
        }
    }
}

impl Iterator for AllPieces {
    type Item = Result<Piece, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl Gathered {
    pub(crate) fn new(plan: &Plan) -> Self {
        let ids = plan.roles.iter().map(|(role, column)| IdColumn {
            role: *role,
            column: column.clone(),
            values: Vec::new(),
        });
        Self {
            columns: vec![None; plan.inputs.len()],
            ids: ids.collect(),
            ..Self::default()
        }
    }

    /// Reads all files.
    pub(crate) fn read(plan: &Plan, files: Vec<DataFile>) -> Result<Self, DatasetError> {
        let mut gathered = Self::new(plan);
        for piece in AllPieces::new(files, plan.needed()) {
            gathered.add(plan, piece?)?;
        }
        gathered.time_column.finish()?;
        Ok(gathered)
    }

    /// Adds the rows of a piece that the plan keeps.
    pub(crate) fn add(&mut self, plan: &Plan, mut piece: Piece) -> Result<(), DatasetError> {
        self.lossy_rows += piece.lossy;
        self.counts.read += piece.len() as u64;
        self.counts.filtered += filter(plan, &mut piece)?;

        let mut targets = match &plan.label {
            Some(label) => label.targets(&piece)?,
            None => vec![Target::Missing; piece.len()],
        };
        if plan.label.is_some() {
            let keep: Vec<bool> = targets
                .iter()
                .map(|target| *target != Target::Missing)
                .collect();
            self.counts.unlabelled += left_out(&keep);
            piece.retain(&keep)?;
            retain(&mut targets, &keep);
        }
        let mut ids = ids(plan, &piece)?;
        let mut parts = plan
            .splitter
            .parts(&piece, &|row, seed| identity(&ids, &piece, row, seed))?;
        let sampled_out = sampled_out(plan, &piece, &targets, &parts);
        let keep: Vec<bool> = parts
            .iter()
            .zip(&sampled_out)
            .map(|(part, sampled_out)| part.is_some() && !sampled_out)
            .collect();
        self.counts.unassigned += parts.iter().filter(|part| part.is_none()).count() as u64;
        self.counts.sampled_out += sampled_out.iter().filter(|out| **out).count() as u64;
        piece.retain(&keep)?;
        retain(&mut targets, &keep);
        retain(&mut parts, &keep);
        for (_, values) in &mut ids {
            retain(values, &keep);
        }

        self.counts.kept += piece.len() as u64;
        self.numbers.extend(&piece.global);
        if let Some((_, column)) = plan.roles.iter().find(|(role, _)| *role == Role::Time)
            && plan.with_times
        {
            self.times.extend(self.time_column.read(&piece, column)?);
        }
        self.groups.extend(groups(&ids, &piece));
        self.targets.extend(targets);
        self.parts.extend(parts.into_iter().flatten());
        for (into, (_, values)) in self.ids.iter_mut().zip(ids) {
            into.values.extend(values);
        }
        let before = self.parts.len() - piece.len();
        self.append(plan, &piece, before)
    }

    /// Converts and appends the input columns of a piece. `before` is the number of rows that the
    /// columns have already.
    pub(crate) fn append(
        &mut self,
        plan: &Plan,
        piece: &Piece,
        before: usize,
    ) -> Result<(), DatasetError> {
        for (into, input) in self.columns.iter_mut().zip(&plan.inputs) {
            let values = Cells::find(piece, plan.file_column(&input.name))
                .map(|cells| cells.column(input.kind))
                .transpose()?;
            if values.is_none() && into.is_none() {
                continue;
            }
            let into = into.get_or_insert_with(|| {
                let mut column = empty_column(input.kind);
                extend_missing(&mut column, before);
                column
            });
            match values {
                Some(values) => extend(into, values),
                None => extend_missing(into, piece.len()),
            }
        }
        Ok(())
    }
}

/// Removes the rows that do not pass the filters; returns their number.
fn filter(plan: &Plan, piece: &mut Piece) -> Result<u64, DatasetError> {
    let mut count = 0;
    for filter in &plan.filters {
        let keep = filter.passes(piece)?;
        count += left_out(&keep);
        piece.retain(&keep)?;
    }
    Ok(count)
}

fn left_out(keep: &[bool]) -> u64 {
    keep.iter().filter(|keep| !**keep).count() as u64
}

pub(crate) type Ids = Vec<(Role, Vec<String>)>;

pub(crate) fn ids(plan: &Plan, piece: &Piece) -> Result<Ids, DatasetError> {
    let values = |column| {
        Cells::find(piece, column).map_or_else(
            || Ok(vec![String::new(); piece.len()]),
            |cells| cells.texts(),
        )
    };
    let mut ids = Vec::new();
    for (role, column) in &plan.roles {
        let mut values = values(column)?;
        if *role == Role::Position {
            values.iter_mut().for_each(normalise_position);
        }
        ids.push((*role, values));
    }
    Ok(ids)
}

/// A position is an integer, even if a join turned it into `8.0`.
fn normalise_position(value: &mut String) {
    if let Some(number) = whole_number(value) {
        *value = number.to_string();
    }
}

fn find_values(ids: &Ids, role: Role) -> Option<&[String]> {
    ids.iter()
        .find(|(own, _)| *own == role)
        .map(|(_, values)| values.as_slice())
}

/// The hash of a row's request and candidate, or of its number if it has neither.
pub(crate) fn identity(ids: &Ids, piece: &Piece, row: usize, seed: u64) -> u64 {
    let value = |role| find_values(ids, role).map_or("", |values| values[row].as_str());
    let (request, candidate) = (value(Role::Request), value(Role::Candidate));
    if request.is_empty() && candidate.is_empty() {
        return xxh3_64_with_seed(&piece.global[row].to_le_bytes(), seed);
    }
    xxh3_64_with_seed(format!("{request}\u{1f}{candidate}").as_bytes(), seed)
}

/// Whether each row is a training negative that down-sampling leaves out. The draw depends on the
/// row number and the seed only, so it is the same for every size of pieces.
fn sampled_out(
    plan: &Plan,
    piece: &Piece,
    targets: &[Target],
    parts: &[Option<Part>],
) -> Vec<bool> {
    let Some((share, seed)) = plan.negatives else {
        return vec![false; piece.len()];
    };
    let drawn = |row: usize| {
        let negative = targets[row] == Target::Known(false) && parts[row] == Some(Part::Train);
        negative
            && unit_interval(xxh3_64_with_seed(
                &piece.global[row].to_le_bytes(),
                seed ^ NEGATIVES_SALT,
            )) >= share
    };
    (0..piece.len()).map(drawn).collect()
}

/// The hash of each row's group. A row without a group is its own group.
fn groups(ids: &Ids, piece: &Piece) -> Vec<u64> {
    let values = find_values(ids, Role::Group);
    let group = |(row, number): (usize, &u64)| {
        let value = values.map_or("", |values| values[row].as_str());
        if value.is_empty() {
            xxh3_64_with_seed(&number.to_le_bytes(), 0)
        } else {
            xxh3_64_with_seed(value.as_bytes(), 0)
        }
    };
    piece.global.iter().enumerate().map(group).collect()
}

/// Appends values to a column of the same kind.
fn extend(into: &mut Column<'static>, values: Column<'static>) {
    match (into, values) {
        (Column::Numeric(into), Column::Numeric(values)) => into.extend(values),
        (Column::Text(into), Column::Text(values)) => into.extend(values),
        (Column::List(into), Column::List(values)) => into.extend(values),
        (Column::Vector { values: into, .. }, Column::Vector { values, .. }) => into.extend(values),
        _ => {}
    }
}

fn extend_missing(into: &mut Column<'static>, rows: usize) {
    match into {
        Column::Numeric(values) => values.extend(std::iter::repeat_n(f64::NAN, rows)),
        Column::Text(values) => {
            values.extend(std::iter::repeat_n(std::borrow::Cow::Borrowed(""), rows));
        }
        Column::List(values) => values.extend(std::iter::repeat_n(Vec::new(), rows)),
        Column::Vector { dim, values } => values.extend(std::iter::repeat_n(f32::NAN, rows * *dim)),
    }
}
