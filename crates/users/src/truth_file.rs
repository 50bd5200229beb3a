//! Writes what was played to Parquet, one row for each shown candidate, so that a join of the logs
//! can be checked to the row.

use std::path::PathBuf;

use counterweight_impressions::columns;
use counterweight_simulator::{OBJECTIVES, ParquetFile};
use polars::prelude::{
    BooleanChunked, Column, DataFrame, Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn as _,
    NewChunkedArray as _, PolarsResult, StringChunked,
};

use crate::{
    error::UsersError,
    played::{EVENT_TYPES, Played, Sent, Shown},
};

/// A row group ends with the visit that reaches this number of rows.
const ROW_GROUP_ROWS: usize = 32_768;

/// A file of the truth that appears when it is finished.
pub struct TruthFile {
    file: ParquetFile,
    group: Vec<Played>,
    rows: usize,
}

impl TruthFile {
    /// Creates the file.
    ///
    /// # Errors
    /// [`UsersError::Simulator`].
    pub fn create(path: PathBuf) -> Result<Self, UsersError> {
        let empty = frame(&[]).map_err(|source| {
            let path = path.clone();
            counterweight_simulator::SimulatorError::Encode { path, source }
        })?;
        Ok(Self {
            file: ParquetFile::create(path, &empty)?,
            group: Vec::new(),
            rows: 0,
        })
    }

    /// Writes a visit.
    ///
    /// # Errors
    /// [`UsersError::Simulator`].
    pub fn write(&mut self, played: Played) -> Result<(), UsersError> {
        self.rows += played.shown.len();
        self.group.push(played);
        if self.rows >= ROW_GROUP_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Finishes the file.
    ///
    /// # Errors
    /// [`UsersError::Simulator`].
    pub fn finish(mut self) -> Result<(), UsersError> {
        self.flush()?;
        self.file.finish()?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UsersError> {
        let group = std::mem::take(&mut self.group);
        self.rows = 0;
        Ok(self.file.write(frame(&group))?)
    }
}

fn frame(group: &[Played]) -> PolarsResult<DataFrame> {
    let rows: Vec<(&Played, &Shown)> = group
        .iter()
        .flat_map(|played| played.shown.iter().map(move |shown| (played, shown)))
        .collect();
    let text = |name: &str, value: &dyn Fn(&Played, &Shown) -> String| {
        let values = rows.iter().map(|(played, shown)| value(played, shown));
        StringChunked::from_iter_values(name.into(), values).into_column()
    };
    let float = |name: &str, value: &dyn Fn(&Shown) -> f64| {
        let values = rows.iter().map(|(_, shown)| value(shown));
        Float64Chunked::from_iter_values(name.into(), values).into_column()
    };
    let mut all = vec![
        text("ranking_id", &|played, _| played.ranking_id.clone()),
        text(columns::REQUEST, &|played, _| played.request_id.clone()),
        text(columns::USER, &|played, _| played.user_id.clone()),
        text(columns::CANDIDATE, &|_, shown| {
            shown.reaction.candidate_id.clone()
        }),
    ];
    let times = rows.iter().map(|(played, _)| played.ranked_ms);
    all.push(Int64Chunked::from_iter_values(columns::TIME.into(), times).into_column());
    let positions = rows.iter().map(|(_, shown)| shown.reaction.position);
    let positions = Int32Chunked::from_iter_values(columns::POSITION.into(), positions);
    all.push(positions.into_column());
    for (at, objective) in OBJECTIVES.into_iter().enumerate() {
        let [at_1, here] = columns::truth(objective);
        all.push(float(&here, &|shown| shown.reaction.truth[at]));
        if at == 0 {
            all.push(float(&at_1, &|shown| shown.reaction.engagement_at_1));
        }
        let labels = rows.iter().map(|(_, shown)| shown.reaction.labels[at]);
        let labels = BooleanChunked::from_iter_values(columns::label(objective).into(), labels);
        all.push(labels.into_column());
    }
    for (at, event_type) in EVENT_TYPES.into_iter().enumerate() {
        let events: Vec<_> = rows
            .iter()
            .map(|(_, shown)| shown.events[at].as_ref())
            .collect();
        all.extend(event_columns(event_type, &events));
    }
    DataFrame::new(rows.len(), all)
}

/// The columns of one type of events; null where there is no event.
fn event_columns(event_type: &str, events: &[Option<&Sent>]) -> [Column; 5] {
    let name = |what: &str| format!("{event_type}_{what}").into();
    let ids: StringChunked = events
        .iter()
        .map(|one| one.map(|one| &*one.event_id))
        .collect();
    let times: Int64Chunked = events
        .iter()
        .map(|one| one.map(|one| one.time_ms))
        .collect();
    let late: BooleanChunked = events
        .iter()
        .map(|one| one.map(|one| one.after_window))
        .collect();
    let sent: Int64Chunked = events
        .iter()
        .map(|one| one.and_then(|one| one.first_sent_ms))
        .collect();
    let copies: Int32Chunked = events
        .iter()
        .map(|one| one.map(|one| i32::try_from(one.copies).unwrap_or(i32::MAX)))
        .collect();
    [
        ids.with_name(name("event_id")).into_column(),
        times.with_name(name("time")).into_column(),
        late.with_name(name("after_window")).into_column(),
        sent.with_name(name("sent")).into_column(),
        copies.with_name(name("copies")).into_column(),
    ]
}
