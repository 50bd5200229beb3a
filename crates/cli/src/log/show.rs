//! `log show`: why somebody saw what they saw, from the request log.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use counterweight_impressions::{
    FoundRanking, RankedRequest, find_ranking, nearest_ranking, read_ranking,
};
use counterweight_journal::{Forgotten, HOUR_MS, Kind, UnitRule, Units, hour_folder, parts_of};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    revision::{self, Revision},
    show_text::text,
    shown::Shown,
};
use crate::{
    client::OptionalCombiner, models::load_all, output::Output, runtime::runtime, usage::WrongUse,
};

/// Say why somebody saw what they saw.
#[derive(Args)]
pub(crate) struct Show {
    /// The ranking: `ranking_id` of its answer.
    #[arg(
        value_name = "RANKING",
        required_unless_present = "unit",
        conflicts_with = "unit"
    )]
    ranking: Option<String>,
    /// The folder of the log: `path` in [request_log] of the combiner's configuration.
    #[arg(long, value_name = "DIR")]
    requests: PathBuf,
    /// Instead of a ranking: the unit, whose ranking nearest to --around is shown.
    #[arg(long, value_name = "ID", requires = "around")]
    unit: Option<String>,
    /// The time around which to look for the unit, as 2026-01-02T03:04:05Z, or without an offset in
    /// the time zone of this machine. Its hour, the hour before and the hour after are read.
    #[arg(long, value_name = "TIME", requires = "unit", value_parser = parse_time)]
    around: Option<Timestamp>,
    /// The key by which the log hashes units [default: the folder's name with .key, where it exists].
    #[arg(long, value_name = "FILE", requires = "unit")]
    unit_key: Option<PathBuf>,
    /// Say which features moved each probability most, with these models: model folders, or a
    /// folder of model folders.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    models: Vec<PathBuf>,
    /// Read who set the weights from this file of an embedded weights store, instead of asking a
    /// combiner.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    #[command(flatten)]
    combiner: OptionalCombiner,
}

/// The hours of UTC whose parts are read, and these parts.
struct Searched {
    hours: [String; 3],
    parts: Vec<PathBuf>,
}

impl Show {
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        let found = self.find()?;
        let artefacts = load_all(&self.models)?;
        let mut ranking = read_ranking(&found, &artefacts)?;
        self.forget(&mut ranking.request)?;
        let revision = self.revision(&ranking.request)?;
        let shown = Shown::new(ranking, found.part, !artefacts.is_empty(), revision);
        output.print(&shown.json()?, |_| text(&shown))
    }

    /// What is known about the revision, where somebody can be asked.
    fn revision(&self, request: &RankedRequest) -> anyhow::Result<Option<Revision>> {
        let (profile, revision) = (&request.profile, request.revision);
        if let Some(history) = &self.history {
            return revision::read(history, profile, revision).map(Some);
        }
        let Some(combiner) = self.combiner.get() else {
            return Ok(None);
        };
        let asking = revision::ask(&combiner, profile, revision);
        runtime()?.block_on(asking).map(Some)
    }

    /// Obeys what the log must forget.
    fn forget(&self, request: &mut RankedRequest) -> anyhow::Result<()> {
        let forgotten = Forgotten::read(&self.requests)?;
        let time = request.time_ms;
        let unit = request.user.as_deref().unwrap_or_default();
        if forgotten.has_unit(unit, time) {
            bail!("the log must forget the unit of this ranking");
        }
        for candidate in &mut request.candidates {
            if forgotten.has_candidate(candidate, time) {
                "forgotten".clone_into(candidate);
            }
        }
        Ok(())
    }

    fn find(&self) -> anyhow::Result<FoundRanking> {
        if let (Some(unit), Some(around)) = (&self.unit, self.around) {
            let searched = Searched::around(&self.requests, around)?;
            let units = self.units(unit)?;
            let found = nearest_ranking(&searched.parts, &units, around.as_millisecond())?;
            return found.ok_or_else(|| {
                let what = format!("no ranking of unit {unit:?}");
                let advice = match units.len() {
                    1 => ". Where the log has keyed hashes of units, give --unit-key",
                    _ => "",
                };
                searched.nothing(&what, advice)
            });
        }
        let ranking = self.ranking.as_deref().unwrap_or_default();
        let (ranking, time) = parse_ranking(ranking)?;
        let searched = Searched::around(&self.requests, time)?;
        let found = find_ranking(&searched.parts, &ranking)?;
        found.ok_or_else(|| searched.nothing(&format!("no ranking {ranking}"), ""))
    }

    /// The forms in which the log may have a unit: as it is, and hashed where there is a key.
    fn units(&self, unit: &str) -> anyhow::Result<Vec<String>> {
        let rule = match &self.unit_key {
            Some(key) => UnitRule::KeyedHash(key.clone()),
            None => UnitRule::keyed_beside(&self.requests),
        };
        let mut units = vec![unit.to_owned()];
        let UnitRule::KeyedHash(key) = &rule else {
            return Ok(units);
        };
        // `Units` makes a key that does not exist, and no log has hashes of a new one.
        match (key.exists(), &self.unit_key) {
            (true, _) => match Units::new(rule.clone()).logged(unit) {
                Some(hash) => units.push(hash),
                None => bail!(
                    "{} cannot be read as a key of 64 hexadecimal digits; give the file `unit_key` of [request_log] as --unit-key",
                    key.display()
                ),
            },
            (false, Some(key)) => bail!("--unit-key {} does not exist", key.display()),
            (false, None) => {}
        }
        Ok(units)
    }
}

impl Searched {
    fn around(log: &Path, time: Timestamp) -> anyhow::Result<Self> {
        let hour = time.as_millisecond().div_euclid(HOUR_MS);
        let hours = [hour - 1, hour, hour + 1];
        let mut parts = parts_of(log, Kind::Requests)?;
        if parts.is_empty() {
            bail!(
                "{} has no parts yet; rankings become a part when their write-ahead segment is closed",
                log.display()
            );
        }
        parts.retain(|part| hours.contains(&part.hour));
        Ok(Self {
            hours: hours.map(hour_folder),
            parts: parts.into_iter().map(|part| part.path).collect(),
        })
    }

    fn nothing(&self, what: &str, advice: &str) -> anyhow::Error {
        let [first, _, last] = &self.hours;
        anyhow::anyhow!(
            "{what} is in the {} parts of the hours {first} to {last} (UTC){advice}. Rankings that are still in write-ahead segments are not read; they become a part when the segment is closed, by default within 15 minutes",
            self.parts.len()
        )
    }
}

/// An id that the combiner made, as the log has it, with the time in it.
fn parse_ranking(ranking: &str) -> Result<(String, Timestamp), WrongUse> {
    let parsed = || {
        let id = uuid::Uuid::parse_str(ranking.trim()).ok()?;
        let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
        let (seconds, nanoseconds) = (seconds.try_into().ok()?, nanoseconds.try_into().ok()?);
        Some((id.to_string(), Timestamp::new(seconds, nanoseconds).ok()?))
    };
    parsed().ok_or_else(|| {
        WrongUse(format!(
            "{ranking:?} is not the id of a ranking: give `ranking_id` of an answer, or --unit and --around"
        ))
    })
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let in_zone = || {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        TimeZone::system().to_timestamp(local).ok()
    };
    let time = text.parse().ok().or_else(in_zone);
    time.ok_or_else(|| "write a time as 2026-01-02T03:04:05Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_ranking_has_its_time() {
        let (id, time) = parse_ranking("0189B5F4-A900-7000-8000-000000000000").unwrap();
        assert_eq!(id, "0189b5f4-a900-7000-8000-000000000000");
        assert_eq!(time.as_millisecond(), 0x0189_b5f4_a900);
        for wrong in ["", "r17", "9b2f8f7e-0f0a-4c3d-9d61-0f5b1a2c3d4e"] {
            assert!(parse_ranking(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        let time = parse_time("2026-01-02T03:04:05+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-02T02:04:05Z");
        assert!(parse_time(" 2026-01-02 03:04 ").is_ok());
        assert!(parse_time("yesterday").is_err());
    }
}
