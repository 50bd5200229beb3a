//! The time column: reads each value as a moment and checks that all values are comparable.

use std::path::PathBuf;

use jiff::Timestamp;
use polars::prelude::{DataType, TimeUnit};

use super::cells::Cells;
use crate::{DatasetError, Excerpt, moment::Moment, pieces::Piece};

const TIME: &str = "a time; write ISO 8601 such as 2024-02-03 or 2024-02-03T10:15:00+01:00, or \
                    numbers in one unit, in all rows";
const SAME_FORM: &str = "a time like those before it; write ISO 8601 in all rows, or numbers in \
                         one unit in all rows";

/// The years 1990 to 2100 in seconds since 1970. A number in this range is interpreted as a time in
/// seconds, and a number in this range multiplied by a finer unit's factor as a time in that unit.
const SECONDS: std::ops::Range<f64> = 631_152_000.0..4_102_444_800.0;
const UNITS: [(f64, &str); 4] = [
    (1.0, "seconds"),
    (1e3, "milliseconds"),
    (1e6, "microseconds"),
    (1e9, "nanoseconds"),
];

/// Reads the times of one column, piece by piece, and rejects times that cannot be compared with
/// earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Times {
    are_numbers: Option<bool>,
    /// The first number in each unit, in row order.
    units: Vec<FirstOfUnit>,
    /// For each unit, whether a number lies between its range and that of the next finer unit.
    between: [bool; UNITS.len() - 1],
}

#[derive(Debug)]
struct FirstOfUnit {
    unit: usize,
    column: String,
    file: PathBuf,
    row: u64,
    value: f64,
}

impl Times {
    /// For rows whose times are compared with a known moment.
    pub(crate) fn comparable_with(known: Option<&Moment>) -> Self {
        Self {
            are_numbers: known.map(|moment| moment.is_number()),
            ..Self::default()
        }
    }

    /// The moments of all rows of a piece; `None` if the value is missing or the piece does not
    /// have the column.
    pub(crate) fn read(
        &mut self,
        piece: &Piece,
        column: &str,
    ) -> Result<Vec<Option<Moment>>, DatasetError> {
        let Some(cells) = Cells::find(piece, column) else {
            return Ok(vec![None; piece.len()]);
        };
        let moments = cells.moments()?;
        for (row, moment) in moments.iter().enumerate() {
            let Some(moment) = moment else { continue };
            let are_numbers = *self.are_numbers.get_or_insert(moment.is_number());
            if moment.is_number() != are_numbers {
                return Err(cells.wrong_value(row, &moment.to_string(), SAME_FORM));
            }
            if let Moment::Number(number) = moment {
                self.note(*number, || FirstOfUnit {
                    unit: 0,
                    column: column.to_owned(),
                    file: piece.file.clone(),
                    row: piece.rows[row],
                    value: *number,
                });
            }
        }
        Ok(moments)
    }

    fn note(&mut self, number: f64, first: impl Fn() -> FirstOfUnit) {
        for (unit, (factor, _)) in UNITS.into_iter().enumerate() {
            let (low, high) = (SECONDS.start * factor, SECONDS.end * factor);
            if (low..high).contains(&number) {
                if self.units.iter().all(|known| known.unit != unit) {
                    self.units.push(FirstOfUnit { unit, ..first() });
                }
                return;
            }
            if let Some((finer, _)) = UNITS.get(unit + 1)
                && (high..SECONDS.start * finer).contains(&number)
            {
                self.between[unit] = true;
                return;
            }
        }
    }

    /// Rejects a column that mixes units. If some numbers lie between two units, the numbers are
    /// not times since 1970 but another count, such as nanoseconds since a start, and are accepted.
    pub(crate) fn finish(&self) -> Result<(), DatasetError> {
        let Some((first, later)) = self.units.split_first() else {
            return Ok(());
        };
        for other in later {
            let (coarse, fine) = (first.unit.min(other.unit), first.unit.max(other.unit));
            if self.between[coarse..fine].contains(&true) {
                continue;
            }
            return Err(DatasetError::Value {
                column: other.column.clone(),
                file: other.file.clone(),
                row: other.row,
                value: Excerpt::value(other.value),
                expected: format!(
                    "a time in {} like {} in row {} of {}, but looks like {}; \
                     write one unit in all rows",
                    UNITS[first.unit].1,
                    first.value,
                    first.row,
                    first.file.display(),
                    UNITS[other.unit].1,
                ),
            });
        }
        Ok(())
    }
}

impl Cells<'_> {
    fn moments(&self) -> Result<Vec<Option<Moment>>, DatasetError> {
        let instant: fn(i64) -> Option<Timestamp> = match self.series.dtype() {
            DataType::Date => |days| Timestamp::from_second(days.checked_mul(86_400)?).ok(),
            DataType::Datetime(TimeUnit::Milliseconds, _) => {
                |count| Timestamp::from_millisecond(count).ok()
            }
            DataType::Datetime(TimeUnit::Microseconds, _) => {
                |count| Timestamp::from_microsecond(count).ok()
            }
            DataType::Datetime(TimeUnit::Nanoseconds, _) => {
                |count| Timestamp::from_nanosecond(count.into()).ok()
            }
            dtype if dtype.is_primitive_numeric() => {
                return Ok(self.numbers()?.into_iter().map(Moment::number).collect());
            }
            _ => return self.parsed_moments(),
        };
        let physical = self.series.to_physical_repr().cast(&DataType::Int64);
        let physical = physical.map_err(|_| self.wrong_type(TIME))?;
        let counts = physical.i64().map_err(|_| self.wrong_type(TIME))?;
        let moment = |(row, count): (usize, Option<i64>)| {
            let Some(count) = count else { return Ok(None) };
            match instant(count) {
                Some(instant) => Ok(Some(Moment::Instant(instant))),
                None => Err(self.wrong_value(row, &count.to_string(), "a time within 9,999 years")),
            }
        };
        counts.iter().enumerate().map(moment).collect()
    }

    fn parsed_moments(&self) -> Result<Vec<Option<Moment>>, DatasetError> {
        let texts = self.texts()?;
        let moment = |(row, text): (usize, &String)| match Moment::parse(text) {
            None if text.trim().is_empty() => Ok(None),
            None => Err(self.wrong_value(row, text, TIME)),
            moment => Ok(moment),
        };
        texts.iter().enumerate().map(moment).collect()
    }
}
