//! Joins one hour of requests: reads its parts, labels their rows, and writes them as new files.

use std::{collections::BTreeMap, fs, path::Path};

use counterweight_dataset::ParquetFrames;
use counterweight_journal::{Forgotten, PartFile, hour_folder};
use polars::prelude::{DataFrame, PolarsResult};
use uuid::Uuid;

use crate::{
    counts::Counts,
    error::{JoinError, output},
    events::{Events, Pass},
    forget::in_rankings,
    manifest::{Hour, LABELLED, LabelledFile},
    output_file::Unfinished,
    posts::Posts,
    rows::{Added, Labeller, Labelling},
    rules::{LabelRule, Rules},
    spill::{Bucket, Spill},
    united::{REQUIRED, United},
    units::UnitEvents,
};

/// What joining an hour needs.
pub(crate) struct HourJoin<'a> {
    pub(crate) out: &'a Path,
    pub(crate) rules: &'a Rules,
    pub(crate) posts: &'a Posts,
    pub(crate) forgotten: &'a Forgotten,
    pub(crate) known_until_ms: i64,
    pub(crate) hour: i64,
    pub(crate) parts: &'a [PartFile],
}

impl HourJoin<'_> {
    /// Joins the hour. Its files are durable, and become part of the log with the manifest. Returns
    /// the kinds of its features as well.
    pub(crate) fn run(
        &self,
        spill: &mut Spill,
        units: &mut UnitEvents,
    ) -> Result<(Hour, BTreeMap<String, String>), JoinError> {
        let united = United::of(self.parts, &REQUIRED)?;
        let labels = self.rules.for_objectives(&united.objectives());
        if let Some(column) = united.taken(&Added::names(&labels)) {
            let problem = format!("the parts have a column `{column}`, which the join writes");
            return Err(output(&self.parts[0].path)(problem));
        }
        let mut hour = Hour {
            parts: self.parts.len(),
            ..Hour::default()
        };
        for pass in Pass::all(spill.bytes(Bucket::Hour(self.hour))?) {
            let mut counts = Counts::default();
            let events = Events::read(spill, self.hour, pass, &mut counts)?;
            let with = Labelling {
                rules: self.rules,
                labels: &labels,
                posts: self.posts,
                known_until_ms: self.known_until_ms,
                pass,
            };
            let mut labeller = Labeller::new(with, events, units);
            let file = self.write(&united, &labels, &mut labeller)?;
            hour.files.extend(file);
            counts.add(&labeller.finish());
            hour.counts.add(&counts);
        }
        Ok((hour, united.features))
    }

    /// Writes the rows of a pass; no file where there are none.
    fn write(
        &self,
        united: &United,
        labels: &BTreeMap<String, LabelRule>,
        labeller: &mut Labeller<'_>,
    ) -> Result<Option<LabelledFile>, JoinError> {
        let name = format!("part-{}.parquet", Uuid::now_v7());
        let relative = format!("{LABELLED}/{}/{name}", hour_folder(self.hour));
        let path = self.out.join(&relative);
        let folder = self.out.join(LABELLED).join(hour_folder(self.hour));
        fs::create_dir_all(&folder).map_err(output(&folder))?;
        let mut file: Option<Unfinished> = None;
        for part in self.parts {
            for frame in ParquetFrames::open(&part.path, None)? {
                let (frame, _) = in_rankings(frame?, self.forgotten).map_err(output(&part.path))?;
                let added = labeller.label(&frame, &part.path)?;
                let rows = rows(united, &frame, &added, labels).map_err(output(&part.path))?;
                if rows.height() == 0 {
                    continue;
                }
                let file = match &mut file {
                    Some(file) => file,
                    None => file.insert(Unfinished::create(&path, &rows)?),
                };
                file.add(rows).map_err(output(&path))?;
            }
            labeller.end_part();
        }
        let Some(file) = file else {
            return Ok(None);
        };
        let (rows, bytes) = file.finish(&[]).map_err(output(&path))?;
        Ok(Some(LabelledFile {
            path: relative,
            rows,
            bytes,
        }))
    }
}

/// The rows of a part with all columns.
fn rows(
    united: &United,
    frame: &DataFrame,
    added: &Added,
    labels: &BTreeMap<String, LabelRule>,
) -> PolarsResult<DataFrame> {
    let kept = frame.filter(&added.keep())?;
    let mut columns = united.complete(&kept)?;
    columns.extend(added.frame(labels)?.columns().to_vec());
    DataFrame::new(kept.height(), columns)
}
