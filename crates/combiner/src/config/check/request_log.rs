//! Checks how rankings are logged.

use std::{
    ffi::OsString,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use counterweight_journal::{Durability, Retention, UnitRule};

use super::problem::{Checked, problem};
use crate::config::{raw, types::RequestLog};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY_SECONDS: u64 = 24 * 60 * 60;

pub(in crate::config) fn request_log(raw: raw::RequestLog, folder: &Path) -> Checked<RequestLog> {
    if raw.path.as_os_str().is_empty() {
        return problem(
            "request_log.path",
            "is empty; name the folder that keeps the log",
        );
    }
    if !(0.0..=1.0).contains(&raw.all_share) {
        return problem(
            "request_log.all_share",
            format!("is {}; write a share from 0 to 1", raw.all_share),
        );
    }
    let path = folder.join(raw.path);
    let interval = within("sync_interval_ms", raw.sync_interval_ms, 1..=3_600_000)?;
    let durability = match raw.sync {
        raw::Sync::None => Durability::None,
        raw::Sync::Interval => Durability::Interval(Duration::from_millis(interval)),
        raw::Sync::Request => Durability::Request,
    };
    let queue_mib = within("queue_mib", raw.queue_mib, 1..=65_536)?;
    let part_minutes = within("part_minutes", raw.part_minutes, 1..=60)?;
    let keep_days = within("keep_days", raw.keep_days, 1..=36_500)?;
    let not_logged = raw.feature.into_iter().filter(|(_, feature)| !feature.log);
    Ok(RequestLog {
        features: raw.features,
        all_share: raw.all_share,
        left_out: not_logged.map(|(name, _)| name).collect(),
        unit: unit(raw.unit, raw.unit_key, &path, folder)?,
        durability,
        queue_bytes: usize::try_from(queue_mib * MIB).unwrap_or(usize::MAX),
        part_bytes: within("part_mib", raw.part_mib, 1..=200)? * MIB,
        part_age: Duration::from_secs(60 * part_minutes),
        retention: Retention {
            longest_age: Duration::from_secs(keep_days * DAY_SECONDS),
            most_bytes: within("keep_gib", raw.keep_gib, 1..=1_000_000)? * GIB,
        },
        path,
    })
}

/// The key lies beside the folder of the log, so that who copies the log does not copy the key.
fn unit(unit: raw::Unit, key: Option<PathBuf>, path: &Path, folder: &Path) -> Checked<UnitRule> {
    match (unit, key) {
        (raw::Unit::KeyedHash, Some(key)) => Ok(UnitRule::KeyedHash(folder.join(key))),
        (raw::Unit::KeyedHash, None) => {
            let mut key = OsString::from(path);
            key.push(".key");
            Ok(UnitRule::KeyedHash(key.into()))
        }
        (_, Some(_)) => problem(
            "request_log.unit_key",
            "has no effect unless unit is \"keyed_hash\"; leave it out",
        ),
        (raw::Unit::Raw, None) => Ok(UnitRule::Raw),
        (raw::Unit::None, None) => Ok(UnitRule::None),
    }
}

fn within(key: &'static str, value: u64, range: RangeInclusive<u64>) -> Checked<u64> {
    match range.contains(&value) {
        true => Ok(value),
        false => problem(
            format!("request_log.{key}"),
            format!(
                "is {value}; write from {} to {}",
                range.start(),
                range.end()
            ),
        ),
    }
}
