//! How many events of each unit were joined on a day. A unit with more than anyone can cause is a
//! program, and would outweigh the others.

use std::{collections::HashMap, path::Path};

use counterweight_impressions::columns;
use counterweight_journal::hour_folder;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    error::JoinError,
    frame::{Cells, open_columns},
    manifest::Manifest,
};

/// The column with the number of events of a row.
pub(crate) const EVENTS: &str = "events";

/// The events of the units on one UTC day, by the hash of the unit. It takes some 16 bytes for each
/// unit with an event.
#[derive(Default)]
pub(crate) struct UnitEvents {
    /// The hour that would continue it.
    next_hour: i64,
    counts: HashMap<u64, u64>,
}

impl UnitEvents {
    /// Prepares for an hour: counts the day's earlier hours, unless they were counted as they were
    /// joined.
    pub(crate) fn begin_hour(
        &mut self,
        hour: i64,
        manifest: &Manifest,
        out: &Path,
    ) -> Result<(), JoinError> {
        let midnight = hour.div_euclid(24) * 24;
        if self.next_hour != hour || hour == midnight {
            self.counts.clear();
            for earlier in midnight..hour {
                let hour = manifest.hours.get(&hour_folder(earlier));
                for file in hour.into_iter().flat_map(|hour| &hour.files) {
                    self.add_file(&out.join(&file.path))?;
                }
            }
        }
        self.next_hour = hour + 1;
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> Result<(), JoinError> {
        for frame in open_columns(path, &[columns::USER, EVENTS], &[])? {
            let frame = frame?;
            let cells = Cells::new(&frame, path);
            let (units, events) = (cells.texts(columns::USER)?, cells.integers(EVENTS)?);
            for row in 0..frame.height() {
                let events = events.as_ref().and_then(|events| events.get(row));
                if let Some(events) = events.filter(|&events| events > 0) {
                    self.add(units.get(row), u64::try_from(events).unwrap_or(0));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, unit: &str, events: u64) {
        if !unit.is_empty() && events > 0 {
            *self.counts.entry(xxh3_64(unit.as_bytes())).or_default() += events;
        }
    }

    /// How many more events of the unit may be joined.
    pub(crate) fn left(&self, unit: &str, most: u64) -> u64 {
        if unit.is_empty() {
            return u64::MAX;
        }
        let joined = self.counts.get(&xxh3_64(unit.as_bytes()));
        most.saturating_sub(joined.copied().unwrap_or(0))
    }
}
