//! Checks how rankings and events are logged.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use counterweight_feedback::FeedbackConfig;
use counterweight_journal::{
    Durability, PartStore, Retention, StoreOptions, StoreOptionsError, UnitRule,
};

use super::problem::{Checked, problem};
use crate::config::{raw, types::RequestLog};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const DAY_SECONDS: u64 = 24 * 60 * 60;
const MINUTES: RangeInclusive<u64> = 1..=60;
const DAYS: RangeInclusive<u64> = 1..=36_500;
const PART_MIB: RangeInclusive<u64> = 1..=200;
const KEPT_GIB: RangeInclusive<u64> = 1..=1_000_000;

pub(in crate::config) fn request_log(raw: raw::RequestLog, folder: &Path) -> Checked<RequestLog> {
    let of = "request_log";
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
    let interval = within(of, "sync_interval_ms", raw.sync_interval_ms, 1..=3_600_000)?;
    let durability = match raw.sync {
        raw::Sync::None => Durability::None,
        raw::Sync::Interval => Durability::Interval(Duration::from_millis(interval)),
        raw::Sync::Request => Durability::Request,
    };
    let queue_mib = within(of, "queue_mib", raw.queue_mib, 1..=65_536)?;
    let part_minutes = within(of, "part_minutes", raw.part_minutes, MINUTES)?;
    let keep_days = within(of, "keep_days", raw.keep_days, DAYS)?;
    let not_logged = raw.feature.into_iter().filter(|(_, feature)| !feature.log);
    Ok(RequestLog {
        features: raw.features,
        all_share: raw.all_share,
        left_out: not_logged.map(|(name, _)| name).collect(),
        unit: unit(of, raw.unit, raw.unit_key, &path, folder)?,
        durability,
        queue_bytes: usize::try_from(queue_mib * MIB).unwrap_or(usize::MAX),
        part_bytes: within(of, "part_mib", raw.part_mib, PART_MIB)? * MIB,
        part_age: Duration::from_secs(60 * part_minutes),
        retention: Retention {
            longest_age: Duration::from_secs(keep_days * DAY_SECONDS),
            most_bytes: within(of, "keep_gib", raw.keep_gib, KEPT_GIB)? * GIB,
        },
        store: part_store(of, raw.store)?,
        path,
    })
}

/// Events are kept as rankings are, where the configuration does not say otherwise: units then have
/// the same hash in both.
pub(in crate::config) fn feedback(
    raw: raw::Feedback,
    request_log: Option<&RequestLog>,
    folder: &Path,
) -> Checked<FeedbackConfig> {
    let of = "feedback";
    if raw.path.as_os_str().is_empty() {
        return problem(
            "feedback.path",
            "is empty; name the folder that keeps the events",
        );
    }
    let path = folder.join(raw.path);
    if request_log.is_some_and(|log| log.path == path) {
        return problem(
            "feedback.path",
            "is the folder of the request log; name another one",
        );
    }
    let defaults = FeedbackConfig::new(path.clone());
    let unit = match (raw.unit, raw.unit_key, request_log) {
        (None, None, Some(log)) => log.unit.clone(),
        (rule, key, _) => unit(of, rule.unwrap_or_default(), key, &path, folder)?,
    };
    let retention = Retention {
        longest_age: match raw.keep_days {
            None => defaults.retention.longest_age,
            Some(days) => Duration::from_secs(within(of, "keep_days", days, DAYS)? * DAY_SECONDS),
        },
        most_bytes: match raw.keep_gib {
            None => defaults.retention.most_bytes,
            Some(gib) => within(of, "keep_gib", gib, KEPT_GIB)? * GIB,
        },
    };
    Ok(FeedbackConfig {
        types: raw.types.into_iter().collect(),
        unit,
        retention,
        store: part_store(of, raw.store)?,
        part_bytes: match raw.part_mib {
            None => defaults.part_bytes,
            Some(mib) => within(of, "part_mib", mib, PART_MIB)? * MIB,
        },
        part_age: match raw.part_minutes {
            None => defaults.part_age,
            Some(minutes) => {
                Duration::from_secs(60 * within(of, "part_minutes", minutes, MINUTES)?)
            }
        },
        ..defaults
    })
}

fn unit(
    table: &str,
    unit: raw::Unit,
    key: Option<PathBuf>,
    path: &Path,
    folder: &Path,
) -> Checked<UnitRule> {
    match (unit, key) {
        (raw::Unit::KeyedHash, Some(key)) => Ok(UnitRule::KeyedHash(folder.join(key))),
        (raw::Unit::KeyedHash, None) => Ok(UnitRule::keyed_beside(path)),
        (_, Some(_)) => problem(
            format!("{table}.unit_key"),
            "has no effect unless unit is \"keyed_hash\"; leave it out",
        ),
        (raw::Unit::Raw, None) => Ok(UnitRule::Raw),
        (raw::Unit::None, None) => Ok(UnitRule::None),
    }
}

fn part_store(table: &str, raw: Option<raw::PartStore>) -> Checked<Option<PartStore>> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    let options = StoreOptions {
        url: raw.url,
        endpoint: raw.endpoint,
        region: raw.region,
        allow_http: raw.allow_http,
    };
    let opened = PartStore::open(&options);
    opened
        .map(Some)
        .or_else(|StoreOptionsError { key, problem }| {
            let key = key.map_or_else(String::new, |key| format!(".{key}"));
            self::problem(format!("{table}.store{key}"), problem)
        })
}

fn within(table: &str, key: &str, value: u64, range: RangeInclusive<u64>) -> Checked<u64> {
    match range.contains(&value) {
        true => Ok(value),
        false => problem(
            format!("{table}.{key}"),
            format!(
                "is {value}; write from {} to {}",
                range.start(),
                range.end()
            ),
        ),
    }
}
