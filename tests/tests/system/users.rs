//! Simulated users in front of the system: simulated days by a driven clock, and the command against
//! real processes. The logs hold exactly what was played.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use counterweight_clock::DrivenClock;
use counterweight_combiner::{CombinerError, Config as CombinerConfig, serve};
use counterweight_model_server::{ModelServerError, ServerConfig};
use counterweight_simulator::Config;
use counterweight_test_support::Running;
use counterweight_users::{Counts, EVENT_TYPES, Played, Sent, Shown, UsersError, play_days};
use serde_json::Value;

use crate::{
    explored::Columns,
    request_log::parts,
    support::{Up, json, models, run, stderr, stdout},
    tables::rows_elsewhere,
};

pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
/// The first simulated day: 5 January 2026.
pub(crate) const START_MS: i64 = 1_767_571_200_000;

/// The configuration of a combiner with both logs, by the models of a server.
pub(crate) fn both_logs(model: &str) -> String {
    let objective = |name: &str| {
        format!(
            "[[objective]]\nname = {name:?}\nmodel = {{ name = {name:?}, endpoints = [\"http://{model}\"], timeout_ms = 60000 }}\n"
        )
    };
    format!(
        "request_log = {{ path = \"requests\", unit = \"raw\", sync = \"request\" }}\n\
         feedback = {{ path = \"events\" }}\n\
         store = {{ path = \"weights.log\" }}\n{}{}\
         [profile.default]\nweights = {{ engagement = 1.0, engagement_bait = -1.0 }}\n",
        objective("engagement"),
        objective("engagement_bait"),
    )
}

/// A combiner in this process, with its files in a folder and by this clock.
pub(crate) async fn combiner(
    folder: &Path,
    config: &str,
    clock: &DrivenClock,
) -> Running<CombinerError> {
    let mut config = CombinerConfig::parse(config, "test.toml", folder).unwrap();
    config.clock = Arc::new(clock.clone());
    Running::start(|listeners, shutdown| serve(config, listeners, shutdown)).await
}

/// The hour in the name of the folders of a part, as `YYYY-MM-DD/HH`.
fn hour_of(part: &Path) -> String {
    let mut folders = part.parent().unwrap().iter().rev();
    let hour = folders.next().unwrap().to_str().unwrap();
    let day = folders.next().unwrap().to_str().unwrap();
    let hour = hour.strip_prefix("hr=").unwrap();
    format!("{}/{hour}", day.strip_prefix("dt=").unwrap())
}

/// The same of a time in January 2026.
fn hour_at(time_ms: i64) -> String {
    let (day, hour) = (
        (time_ms - START_MS).div_euclid(DAY_MS) + 5,
        (time_ms - START_MS).rem_euclid(DAY_MS) / HOUR_MS,
    );
    format!("2026-01-{day:02}/{hour:02}")
}

/// Checks that every row is in the folder of its hour, and returns the hours.
fn check_hours(parts: &[PathBuf], column: &str) -> BTreeSet<String> {
    let hour = |part: &PathBuf| {
        let hour = hour_of(part);
        for time_ms in Columns::read(part).whole(column) {
            assert_eq!(hour_at(time_ms), hour, "{}", part.display());
        }
        hour
    };
    parts.iter().map(hour).collect()
}

/// The page and the time of every ranking in the parts of a request log.
fn rankings(parts: &[PathBuf]) -> BTreeMap<String, (i64, String, BTreeMap<i32, String>)> {
    let mut rankings = BTreeMap::new();
    for part in parts {
        let columns = Columns::read(part);
        let (ids, users) = (columns.text("ranking_id"), columns.text("user_id"));
        let (times, candidates) = (columns.whole("time"), columns.text("candidate_id"));
        for (row, place) in columns.places().into_iter().enumerate() {
            let (.., page) = rankings
                .entry(ids[row].clone())
                .or_insert_with(|| (times[row], users[row].clone(), BTreeMap::new()));
            if let Some(place) = place {
                page.insert(place, candidates[row].clone());
            }
        }
    }
    rankings
}

/// One event as a log has it: its id, ranking, candidate, type, time and position.
type Logged = (String, String, String, String, i64, Option<i32>);

/// Every event in the parts of an event log with the number of its copies, and when the first
/// arrived.
fn events(parts: &[PathBuf]) -> BTreeMap<Logged, (u32, i64)> {
    let mut events = BTreeMap::new();
    for part in parts {
        let columns = Columns::read(part);
        let texts = ["event_id", "ranking_id", "candidate_id", "type"].map(|one| columns.text(one));
        let [times, received] = ["time", "received"].map(|name| columns.whole(name));
        for (row, place) in columns.places().into_iter().enumerate() {
            let [id, ranking, candidate, event_type] = texts.each_ref().map(|one| one[row].clone());
            let logged = (id, ranking, candidate, event_type, times[row], place);
            let (copies, first) = events.entry(logged).or_insert((0, received[row]));
            *copies += 1;
            *first = received[row].min(*first);
        }
    }
    events
}

/// The events of what was played, as a log should have them.
fn played_events(visits: &[Played]) -> BTreeMap<Logged, (u32, i64)> {
    let shown = visits
        .iter()
        .flat_map(|visit| visit.shown.iter().map(move |shown| (visit, shown)));
    let events = |(visit, shown): (&Played, &Shown)| {
        let event = |(event_type, sent): (&str, &Option<Sent>)| {
            let sent = sent.as_ref()?;
            let logged = (
                sent.event_id.clone(),
                visit.ranking_id.clone(),
                shown.reaction.candidate_id.clone(),
                event_type.to_owned(),
                sent.time_ms,
                (event_type == "seen").then_some(shown.reaction.position),
            );
            Some((logged, (sent.copies, sent.first_sent_ms.unwrap())))
        };
        let types = EVENT_TYPES.into_iter();
        types
            .zip(&shown.events)
            .filter_map(event)
            .collect::<Vec<_>>()
    };
    shown.flat_map(events).collect()
}

pub(crate) async fn model_server() -> Running<ModelServerError> {
    Running::start(|listeners, shutdown| {
        counterweight_model_server::serve(ServerConfig::new(models()), listeners, shutdown)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_of_simulated_days_hold_exactly_what_was_played() {
    let folder = tempfile::tempdir().unwrap();
    let model = model_server().await;
    let text = both_logs(&model.address);
    let clock = DrivenClock::new(START_MS);
    let server = combiner(folder.path(), &text, &clock).await;
    let config = Config::of_days(3, 40, 5);
    let playing = play_days(config, server.channel().await, clock.clone());
    let (visits, counts) = playing.await.unwrap();
    server.stop().await;
    assert_eq!((counts.ranked, counts.failures()), (120, 0), "{counts:?}");
    assert_eq!((visits.len(), counts.shown), (120, 1_200));

    // The last segments become parts at the next start.
    clock.set(START_MS + 30 * DAY_MS);
    let server = combiner(folder.path(), &text, &clock).await;
    let requests = parts(&folder.path().join("requests"), "requests");
    let event_parts = parts(&folder.path().join("events"), "events");
    server.stop().await;

    let expected = visits.iter().map(|visit| {
        let shown = visit.shown.iter();
        let page = shown.map(|one| (one.reaction.position, one.reaction.candidate_id.clone()));
        let ranked = (visit.ranked_ms, visit.user_id.clone(), page.collect());
        (visit.ranking_id.clone(), ranked)
    });
    assert_eq!(rankings(&requests), expected.collect());
    let hours: BTreeSet<_> = visits
        .iter()
        .map(|visit| hour_at(visit.ranked_ms))
        .collect();
    assert_eq!(check_hours(&requests, "time"), hours);
    assert!(hours.len() > 50, "{hours:?}");

    check_hours(&event_parts, "received");
    let logged = events(&event_parts);
    assert!(
        logged == played_events(&visits),
        "the logged events are not those that were sent"
    );
    assert_eq!(logged.len() as u64, counts.events);
    let copies: u64 = logged.values().map(|(copies, _)| u64::from(*copies)).sum();
    assert_eq!(copies, counts.accepted);
    assert_eq!(copies, counts.events + counts.repeated);
    assert!(counts.repeated > 0 && counts.after_window > 0, "{counts:?}");
    check_join(folder.path(), &visits, &counts);
    // Events do not arrive in the order in which they happen.
    let mut by_arrival: Vec<_> = logged
        .iter()
        .map(|(key, (_, sent))| (*sent, key.4))
        .collect();
    by_arrival.sort_unstable();
    assert!(!by_arrival.is_sorted_by_key(|(_, time)| *time));
}

/// Joins the two logs in a folder by a window of 24 hours, and checks that the labels and the counts
/// are those of what was played. The grace is long enough for the last event of any visit: what
/// arrives later is counted as such, even if it also happened after the window.
fn check_join(folder: &Path, visits: &[Played], counts: &Counts) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (requests, events, out) = (path("requests"), path("events"), path("joined"));
    let joined = json([
        "log",
        "join",
        "--requests",
        &requests,
        "--events",
        &events,
        "--out",
        &out,
        "--grace",
        "36h",
    ]);
    let fates = &joined["all"]["events"];
    assert_eq!(
        fates["joined"],
        counts.events - counts.after_window,
        "{joined}"
    );
    assert_eq!(fates["after_window"], counts.after_window, "{joined}");
    assert_eq!(fates["duplicates"], counts.repeated, "{joined}");
    for other in [
        "orphans",
        "before_request",
        "arrived_late",
        "not_shown",
        "cut",
    ] {
        assert_eq!(fates[other], 0, "{other}: {joined}");
    }
    let mut labels = BTreeMap::new();
    let manifest = fs::read_to_string(folder.join("joined/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    for hour in manifest["hours"].as_object().unwrap().values() {
        assert_eq!(hour["complete"], true);
        for file in hour["files"].as_array().unwrap() {
            let file = Path::new(&out).join(file["path"].as_str().unwrap());
            let columns = Columns::read(&file);
            let [ids, candidates] = ["ranking_id", "candidate_id"].map(|name| columns.text(name));
            let [engaged, baits] =
                ["label_engagement", "label_engagement_bait"].map(|name| columns.labels(name));
            for (row, id) in ids.into_iter().enumerate() {
                if let Some(label) = engaged[row].zip(baits[row]) {
                    labels.insert((id, candidates[row].clone()), label);
                }
            }
        }
    }
    let in_time = |sent: &Option<Sent>| sent.as_ref().is_some_and(|sent| !sent.after_window);
    let shown = visits.iter().flat_map(|visit| {
        visit.shown.iter().map(|shown| {
            let key = (
                visit.ranking_id.clone(),
                shown.reaction.candidate_id.clone(),
            );
            (key, (in_time(&shown.events[1]), in_time(&shown.events[2])))
        })
    });
    assert!(
        labels == shown.collect(),
        "the labels are not those of the users"
    );
}

/// Plays a day of five visits against a combiner with this configuration.
async fn play_against(config: &str) -> Result<(Vec<Played>, Counts), UsersError> {
    let folder = tempfile::tempdir().unwrap();
    let clock = DrivenClock::new(START_MS);
    let server = combiner(folder.path(), config, &clock).await;
    let played = play_days(Config::of_days(1, 5, 5), server.channel().await, clock).await;
    server.stop().await;
    played
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_or_fails_is_counted_and_named() {
    let model = model_server().await;
    let text = both_logs(&model.address);

    let seen_only = text.replace("\"events\"", "\"events\", types = [\"seen\"]");
    let (visits, counts) = play_against(&seen_only).await.unwrap();
    assert_eq!((counts.ranked, counts.unknown), (5, 0), "{counts:?}");
    assert_eq!(
        counts.accepted + counts.refused,
        counts.events + counts.repeated
    );
    assert!(counts.accepted >= 50 && counts.refused > 0, "{counts:?}");
    let problems: u64 = counts.problems.values().sum();
    assert_eq!(problems, counts.refused);
    let known = |problem: &String| problem.starts_with("type: \"engagement");
    assert!(counts.problems.keys().all(known), "{counts:?}");
    for shown in visits.iter().flat_map(|visit| &visit.shown) {
        let copies = shown
            .events
            .each_ref()
            .map(|sent| Some(sent.as_ref()?.copies));
        assert!(
            matches!(copies, [Some(1 | 2), None | Some(0), None | Some(0)]),
            "{copies:?}"
        );
    }

    let no_events = text.replace("feedback = ", "#");
    let (visits, counts) = play_against(&no_events).await.unwrap();
    assert_eq!((counts.ranked, counts.accepted), (5, 0), "{counts:?}");
    assert_eq!(counts.unknown, counts.events + counts.repeated);
    assert_eq!(visits.len(), 5, "what they saw is known all the same");
    let problem = counts.problems.keys().next().unwrap();
    assert!(
        problem.starts_with("WriteEvents: UNIMPLEMENTED"),
        "{problem}"
    );

    let other = text.replace("[profile.default]", "[profile.other]");
    let (visits, counts) = play_against(&other).await.unwrap();
    assert_eq!((counts.ranked, counts.not_ranked, visits.len()), (0, 5, 0));
    let (problem, count) = counts.problems.iter().next().unwrap();
    assert!(problem.starts_with("Rank: NOT_FOUND"), "{problem}");
    assert_eq!(*count, 5);

    let column = text.replace(
        "[profile.default]",
        "[[objective]]\nname = \"click\"\ncolumn = { name = \"p_click\" }\n[profile.default]",
    );
    let refused = play_against(&column).await.unwrap_err().to_string();
    assert!(
        refused.contains("objectives click need the feature \"p_click\""),
        "{refused}"
    );
    model.stop().await;
    let refused = play_against(&text).await.unwrap_err().to_string();
    assert!(
        refused.contains("\"engagement\" cannot be ranked"),
        "{refused}"
    );
}

/// Checks that the file of the truth, the log and what was printed agree.
fn check_truth(truth: &Columns, logged: &BTreeMap<Logged, (u32, i64)>, played: &Value) {
    let kept = logged.iter();
    let kept: BTreeMap<_, _> = kept
        .map(|(one, (copies, _))| (one.0.clone(), *copies))
        .collect();
    let mut expected = BTreeMap::new();
    for event_type in EVENT_TYPES {
        let ids = truth.texts(&format!("{event_type}_event_id"));
        let copies = truth.counts(&format!("{event_type}_copies"));
        for (id, copies) in ids.into_iter().zip(copies) {
            let Some(id) = id else { continue };
            expected.insert(id, u32::try_from(copies.unwrap()).unwrap());
        }
    }
    assert!(
        kept == expected,
        "{} kept, {} sent",
        kept.len(),
        expected.len()
    );
    assert_eq!(played["accepted"], expected.values().sum::<u32>());
    for (label, name) in [
        ("label_engagement", "engaged"),
        ("label_engagement_bait", "baits"),
    ] {
        let positive = truth
            .labels(label)
            .into_iter()
            .flatten()
            .filter(|&label| label);
        assert_eq!(played[name], positive.count(), "{label}");
    }
    for probability in [
        "truth_engagement",
        "truth_engagement_at_1",
        "truth_engagement_bait",
    ] {
        let mut values = truth.numbers(probability).into_iter();
        assert!(values.all(|p| 0.0 < p && p < 1.0), "{probability}");
    }
}

#[test]
fn users_of_the_command_play_against_real_processes() {
    let mut up = Up::start();
    let truth = up.state.join("truth.parquet");
    let truth_file = truth.to_str().unwrap();
    let played = up.json(&[
        "data",
        "simulate-users",
        "--requests",
        "30",
        "--speed",
        "1e6",
        "--truth",
        truth_file,
    ]);
    assert_eq!(played["ranked"], 30, "{played}");
    let none = ["not_ranked", "refused", "unknown"].map(|name| played[name].as_u64());
    assert_eq!(none, [Some(0); 3], "{played}");
    let state = up.state.clone();
    up.server.stop();
    let up = Up::start_with(&state);
    let logged = events(&parts(&state.join("event-log"), "events"));
    check_truth(&Columns::read(&truth), &logged, &played);
    if let Some(rows) = rows_elsewhere(&[&truth]) {
        assert_eq!(rows, [300]);
    }

    let text = |output: &std::process::Output| stdout(output) + &stderr(output);
    let plain = up.run(&[
        "data",
        "simulate-users",
        "--requests",
        "2",
        "--speed",
        "1e9",
    ]);
    assert!(
        text(&plain).contains("2 visits were ranked, 0 were not"),
        "{}",
        text(&plain)
    );
    drop(up);
    let gone = run([
        "data",
        "simulate-users",
        "--requests",
        "1",
        "--address",
        "127.0.0.1:1",
    ]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        stderr(&gone).contains("cannot reach the combiner"),
        "{}",
        stderr(&gone)
    );
}
