//! `log join`: the labelled impression log of a request log and its events.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use counterweight_join::{Joined, Manifest, Options, Rules, parse_span};
use counterweight_journal::{Clock as _, HOUR_MS, SystemClock};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::json;

use crate::{
    output::{Output, table},
    progress,
};

/// Join a request log with its events into a labelled impression log.
///
/// `train --log`, `bench --log` and `data init --log` read the result. Each run joins the hours that
/// are not complete: an hour is complete when its end, the longest window and the grace have passed,
/// and no later run changes it. A run that was stopped can be started again.
///
/// Without --labels, an objective is labelled 1 by an event whose type is its name. A file of rules has
/// a section for each objective:
///
/// [label.engagement]
/// events = ["click", "share"]
///
/// [label.watched]
/// events = ["watch"]
/// rule = "sum"         # any (default), sum, max or last
/// at_least = 30        # the least value that makes the label 1
/// window = "2h"
/// seen = true          # a row counts from its `seen` event on
///
/// [label.engagement_bait]
/// posts = true         # labels of posts, sent with `feedback labels`
/// period = "7d"        # before and after the request
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Join {
    /// The folder of the request log: `path` in [request_log] of the combiner's configuration.
    #[arg(long, value_name = "DIR")]
    requests: PathBuf,
    /// The folders of event logs: `path` in [feedback].
    #[arg(long, value_name = "DIR", num_args = 1.., required = true)]
    events: Vec<PathBuf>,
    /// The folder of the labelled log.
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// How events become labels (TOML) [default: by the names of the objectives].
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// How long after a request its events count, unless the rules say otherwise.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_span)]
    window: i64,
    /// How long events may take to arrive after they happened. What arrives later is counted, and not
    /// joined.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_span)]
    grace: i64,
    /// Count events as arrived when they happened: for a log of the past, whose events were sent long
    /// afterwards and would all be late. Each run joins all hours. None is complete while any event of
    /// the log is in no part yet, so keep the events of the past in an event log of their own.
    #[arg(long)]
    backfill: bool,
    /// Join all hours from this time on again, complete or not, such as 2026-01-02T03 (UTC).
    #[arg(long, value_name = "TIME", value_parser = parse_hour)]
    from: Option<i64>,
    /// Join hours before this time again.
    #[arg(long, value_name = "TIME", value_parser = parse_hour)]
    to: Option<i64>,
}

impl Join {
    pub(super) fn run(self, output: Output) -> anyhow::Result<()> {
        let mut rules = match &self.labels {
            Some(file) => Rules::read(file, self.window, self.grace)?,
            None => Rules::by_name(self.window, self.grace),
        };
        rules.backfill = self.backfill;
        let options = Options {
            requests: self.requests.clone(),
            events: self.events.clone(),
            out: self.out.clone(),
            rules,
            rebuild: self.rebuild()?,
            now_ms: SystemClock.now_ms(),
        };
        check_log(&options.requests, "requests", "events")?;
        for folder in &options.events {
            check_log(folder, "events", "requests")?;
        }
        let bar = progress::spinner();
        let joined =
            counterweight_join::join(&options, &mut |hour| bar.set_message(hour.to_owned()));
        bar.finish_and_clear();
        let joined = joined?;
        let manifest = Manifest::read(&self.out)?.context("the manifest is gone")?;
        let value = json!({
            "out": self.out,
            "joined": joined,
            "hours": manifest.hours.len(),
            "all": manifest.counts(),
        });
        output.print(&value, |_| self.summary(&joined, &manifest))?;
        match joined.failed.len() {
            0 => Ok(()),
            count => {
                bail!("{count} hours could not be joined; restore their parts, or move them away")
            }
        }
    }

    fn rebuild(&self) -> anyhow::Result<Option<Range<i64>>> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let range = self.from.unwrap_or(i64::MIN)..self.to.unwrap_or(i64::MAX);
        if range.is_empty() {
            bail!("--from must be before --to");
        }
        Ok(Some(range))
    }

    fn summary(&self, joined: &Joined, manifest: &Manifest) -> String {
        let complete = joined.hours.values().filter(|complete| **complete).count();
        let counts = &joined.counts;
        let mut text = format!(
            "{}: joined {} hours, {complete} of them complete; the log has {} hours\n\
             rankings {}, candidates {}, shown {}",
            self.out.display(),
            joined.hours.len(),
            manifest.hours.len(),
            counts.rankings,
            counts.rows,
            counts.shown,
        );
        if let Some(coverage) = counts.coverage() {
            text.push_str(&format!(
                "\nrankings with events: {:.1} %",
                100.0 * coverage
            ));
        }
        let fates = counts.events.by_name().into_iter();
        let fates = fates.filter(|(name, count)| *name == "joined" || *count > 0);
        let fates: Vec<String> = fates
            .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
            .collect();
        text.push_str(&format!(
            "\nevents {}: {}",
            counts.events.all(),
            fates.join(", ")
        ));
        for (found, by) in [
            (counts.found_by_request, "request"),
            (counts.found_by_unit, "unit"),
        ] {
            if found > 0 {
                text.push_str(&format!("\nfound by {by} alone: {found} events"));
            }
        }
        let missed = counts.events.arrived_late + counts.events.orphans;
        if !self.backfill && missed > counts.events.joined {
            text.push_str(
                "\nmost events found no ranking in time; if they were sent long after they \
                 happened, join with --backfill into another folder",
            );
        }
        if counts.repeated_rankings > 0 {
            text.push_str(&format!(
                "\nleft out: {} rankings that an earlier part has",
                counts.repeated_rankings
            ));
        }
        text.push('\n');
        text.push_str(&labels_table(joined));
        for (oldest, what) in [
            (&joined.unconverted_requests, "rankings"),
            (&joined.unconverted_events, "events"),
        ] {
            if let Some(hour) = oldest {
                text.push_str(&format!(
                    "\n{what} since {hour} are in no part yet: their server makes parts with time, \
                     and when it starts; then join again"
                ));
            }
        }
        for (hour, problem) in &joined.failed {
            text.push_str(&format!("\n{hour} was not joined: {problem}"));
        }
        if let Some(next) = joined.next_complete_ms
            && let Ok(next) = Timestamp::from_millisecond(next)
        {
            text.push_str(&format!("\nthe oldest open hour can be complete at {next}"));
        }
        text
    }
}

/// Checks that a folder is a log of a kind: it has parts of the kind, or segments and no parts of the
/// other kind.
fn check_log(folder: &Path, kind: &str, other: &str) -> anyhow::Result<()> {
    let has = |name: &str| folder.join(name).is_dir();
    if has(kind) || (has("wal") && !has(other)) {
        return Ok(());
    }
    bail!(
        "{} is not the folder of a log: it has no folder {kind}",
        folder.display()
    )
}

/// The labels by objective, and when the events that decided them arrived.
fn labels_table(joined: &Joined) -> String {
    let mut rows = Vec::new();
    for (objective, labels) in &joined.counts.labels {
        let curve = labels.arrival_curve();
        let arrived = |share: f64| {
            let reached = curve.iter().find(|(_, arrived)| *arrived >= share);
            reached
                .map(|(seconds, _)| age(*seconds))
                .unwrap_or_default()
        };
        rows.push([
            objective.clone(),
            labels.known.to_string(),
            labels.positives.to_string(),
            arrived(0.5),
            arrived(0.9),
            arrived(0.99),
            arrived(1.0),
        ]);
    }
    let header = [
        "objective",
        "labels",
        "positive",
        "half arrived in",
        "90 % in",
        "99 % in",
        "all in",
    ];
    table(&header, 1, rows)
}

/// Seconds in a unit that fits.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{:.0} min", seconds as f64 / 60.0),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// The hour of a UTC time such as 2026-01-02, 2026-01-02T03 or 2026-01-02T03:00, counted from 1970.
fn parse_hour(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time: write for example 2026-01-02 or 2026-01-02T03");
    let full = match text.len() {
        10 => format!("{text}T00:00"),
        13 => format!("{text}:00"),
        _ => text.trim_end_matches('Z').to_owned(),
    };
    let time: DateTime = full.parse().map_err(|_| wrong())?;
    let time = TimeZone::UTC.to_timestamp(time).map_err(|_| wrong())?;
    Ok(time.as_millisecond().div_euclid(HOUR_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_utc() {
        assert_eq!(parse_hour("1970-01-02"), Ok(24));
        assert_eq!(parse_hour("1970-01-02T03"), Ok(27));
        assert_eq!(parse_hour("1970-01-02T03:59Z"), Ok(27));
        assert!(parse_hour("yesterday").is_err());
    }
}
