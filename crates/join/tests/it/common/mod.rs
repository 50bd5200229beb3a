//! Logs on disk, as the combiner and the feedback service write them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use counterweight_dataset::{ParquetFrames, ParquetRows};
use counterweight_join::{Joined, Manifest, Options, Rules, join};
use counterweight_journal::{HOUR_MS, hour_folder};
use polars::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-01-02T00:00Z.
pub(crate) const START_MS: i64 = 1_767_312_000_000;

/// A request log, an event log, and the output of their join.
pub(crate) struct Logs {
    folder: TempDir,
    parts: u32,
}

/// A ranking of candidates `c0`, `c1` …, of which the first `k` were shown.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    pub(crate) id: String,
    pub(crate) request: String,
    pub(crate) unit: String,
    pub(crate) time_ms: i64,
    pub(crate) candidates: usize,
    pub(crate) k: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) ranking: String,
    pub(crate) request: String,
    pub(crate) unit: String,
    pub(crate) candidate: String,
    pub(crate) kind: String,
    pub(crate) value: Option<f64>,
    pub(crate) time_ms: i64,
    pub(crate) position: Option<i32>,
    pub(crate) received_ms: i64,
    pub(crate) objective: String,
    pub(crate) sampling: Option<f64>,
}

/// A ranking of four candidates on two places. Its id has its time, as the combiner makes it.
pub(crate) fn ranking(name: &str, time_ms: i64) -> Ranking {
    let seconds = u64::try_from(time_ms / 1000).unwrap();
    let nanos = u32::try_from(time_ms % 1000).unwrap() * 1_000_000;
    let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
    Ranking {
        id: Uuid::new_v7(time).to_string(),
        request: format!("request-{name}"),
        unit: format!("unit-{name}"),
        time_ms,
        candidates: 4,
        k: 2,
    }
}

/// A click on a candidate some time after its ranking, which arrives a second later.
pub(crate) fn click(ranking: &Ranking, candidate: usize, after_ms: i64) -> Event {
    Event {
        id: format!("{}-{candidate}-{after_ms}", ranking.request),
        ranking: ranking.id.clone(),
        candidate: format!("candidate-{candidate}"),
        kind: "engagement".to_owned(),
        time_ms: ranking.time_ms + after_ms,
        received_ms: ranking.time_ms + after_ms + 1_000,
        ..Event::default()
    }
}

impl Logs {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            parts: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.path("joined")
    }

    /// Writes rows as a part of an hour of the log `requests` or `events`.
    pub(crate) fn part(&mut self, log: &str, hour: i64, frame: &DataFrame) -> PathBuf {
        self.parts += 1;
        let folder = self.path(log).join(log).join(hour_folder(hour));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("part-test-{:04}.parquet", self.parts));
        let mut writer = ParquetRows::begin(File::create(&path).unwrap(), frame.schema()).unwrap();
        writer.write(frame).unwrap();
        writer.finish().unwrap();
        path
    }

    /// Writes rankings, one part for each hour.
    pub(crate) fn rank(&mut self, rankings: &[Ranking]) {
        for (hour, own) in by_hour(rankings, |ranking| ranking.time_ms) {
            self.part("requests", hour, &ranking_frame(&own));
        }
    }

    /// Writes events, one part for each hour of their arrival.
    pub(crate) fn happen(&mut self, events: &[Event]) {
        for (hour, own) in by_hour(events, |event| event.received_ms) {
            self.part("events", hour, &event_frame(&own));
        }
    }

    /// By name, with a window of a day and an hour to arrive.
    pub(crate) fn options(&self, now_ms: i64) -> Options {
        Options {
            requests: self.path("requests"),
            events: vec![self.path("events")],
            out: self.out(),
            rules: Rules::by_name(DAY_MS, HOUR_MS),
            rebuild: None,
            now_ms,
        }
    }

    /// Joins when everything is complete.
    pub(crate) fn join(&self) -> Joined {
        join(&self.options(START_MS + 100 * DAY_MS), &mut |_| {}).unwrap()
    }

    /// All rows of the labelled log.
    pub(crate) fn rows(&self) -> DataFrame {
        let manifest = Manifest::read(&self.out()).unwrap().unwrap();
        let files = manifest.hours.values().flat_map(|hour| &hour.files);
        let frames =
            files.flat_map(|file| ParquetFrames::open(&self.out().join(&file.path), None).unwrap());
        let all = frames.map(Result::unwrap).reduce(|mut all, frame| {
            all.vstack_mut(&frame).unwrap();
            all
        });
        all.unwrap()
    }

    /// The label of a candidate, and the time at which it was known.
    pub(crate) fn label(&self, ranking: &Ranking, candidate: &str) -> Option<(bool, i64)> {
        label_in(&self.rows(), ranking, candidate)
    }
}

/// The label of a candidate among rows, and the time at which it was known.
pub(crate) fn label_in(
    rows: &DataFrame,
    ranking: &Ranking,
    candidate: &str,
) -> Option<(bool, i64)> {
    let at = row_of(rows, ranking, candidate);
    let label = rows.column("label_engagement").unwrap();
    let time = rows.column("label_time_engagement").unwrap();
    Some((label.bool().unwrap().get(at)?, time.i64().unwrap().get(at)?))
}

/// The row of a candidate of a ranking.
pub(crate) fn row_of(rows: &DataFrame, ranking: &Ranking, candidate: &str) -> usize {
    let rankings = rows.column("ranking_id").unwrap().str().unwrap();
    let candidates = rows.column("candidate_id").unwrap().str().unwrap();
    let own = |row: &usize| {
        rankings.get(*row) == Some(&ranking.id) && candidates.get(*row) == Some(candidate)
    };
    (0..rows.height()).find(own).unwrap()
}

fn by_hour<T: Clone>(all: &[T], time: impl Fn(&T) -> i64) -> BTreeMap<i64, Vec<T>> {
    let mut hours = BTreeMap::<i64, Vec<T>>::new();
    for one in all {
        let hour = time(one).div_euclid(HOUR_MS);
        hours.entry(hour).or_default().push(one.clone());
    }
    hours
}

pub(crate) fn ranking_frame(rankings: &[Ranking]) -> DataFrame {
    let rows = || {
        let each = rankings.iter();
        each.flat_map(|ranking| (0..ranking.candidates).map(move |at| (ranking, at)))
    };
    let text = |of: fn(&Ranking) -> &String| -> Vec<Option<String>> {
        let texts = rows().map(|(ranking, _)| Some(of(ranking).clone()));
        texts
            .map(|text| text.filter(|text| !text.is_empty()))
            .collect()
    };
    let place = |at: usize| i32::try_from(at + 1).unwrap();
    let position: Vec<Option<i32>> = rows()
        .map(|(ranking, at)| (at < ranking.k).then_some(place(at)))
        .collect();
    df!(
        "ranking_id" => text(|ranking| &ranking.id),
        "request_id" => text(|ranking| &ranking.request),
        "user_id" => text(|ranking| &ranking.unit),
        "candidate_id" => rows().map(|(_, at)| format!("candidate-{at}")).collect::<Vec<_>>(),
        "time" => rows().map(|(ranking, _)| ranking.time_ms).collect::<Vec<_>>(),
        "k" => rows().map(|(ranking, _)| place(ranking.k) - 1).collect::<Vec<_>>(),
        "w_engagement" => vec![1.0; position.len()],
        "position" => position,
        "p_engagement" => rows().map(|(_, at)| 0.5 / f64::from(place(at))).collect::<Vec<_>>(),
    )
    .unwrap()
}

pub(crate) fn event_frame(events: &[Event]) -> DataFrame {
    let text = |of: fn(&Event) -> &String| -> Vec<Option<String>> {
        let texts = events.iter().map(|event| Some(of(event).clone()));
        texts
            .map(|text| text.filter(|text| !text.is_empty()))
            .collect()
    };
    df!(
        "event_id" => text(|event| &event.id),
        "ranking_id" => text(|event| &event.ranking),
        "request_id" => text(|event| &event.request),
        "user_id" => text(|event| &event.unit),
        "candidate_id" => text(|event| &event.candidate),
        "type" => text(|event| &event.kind),
        "value" => events.iter().map(|event| event.value).collect::<Vec<_>>(),
        "time" => events.iter().map(|event| event.time_ms).collect::<Vec<_>>(),
        "position" => events.iter().map(|event| event.position).collect::<Vec<_>>(),
        "received" => events.iter().map(|event| event.received_ms).collect::<Vec<_>>(),
        "objective" => text(|event| &event.objective),
        "sampling_probability" => events.iter().map(|event| event.sampling).collect::<Vec<_>>(),
    )
    .unwrap()
}

/// Every file below a folder with its content, by name.
pub(crate) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}
