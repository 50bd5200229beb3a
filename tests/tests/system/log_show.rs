//! A request log of the whole system: its probabilities are computed again from the features as they
//! were served, and its rankings are explained.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use polars::prelude::{
    BooleanChunked, DataFrame, IntoColumn, NamedFrom, ParquetReader, ParquetWriter, SerReader,
    Series,
};
use serde_json::Value;

use crate::{
    request_log::parts,
    support::{Up, counterweight, json, models, root, run, stderr, stdout},
};

/// Requests of the sample that are ranked.
const REQUESTS: usize = 12;
const K: usize = 5;

fn read(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).unwrap())
        .finish()
        .unwrap()
}

fn write(path: &Path, mut frame: DataFrame) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ParquetWriter::new(File::create(path).unwrap())
        .finish(&mut frame)
        .unwrap();
}

fn text(frame: &DataFrame, column: &str) -> Vec<String> {
    let column = frame.column(column).unwrap().str().unwrap();
    column
        .iter()
        .map(|cell| cell.unwrap_or_default().to_owned())
        .collect()
}

/// The first requests of the sample, each in a file, with its user. They have texts, lists and
/// vectors, and missing values of all kinds.
fn requests(folder: &Path) -> Vec<(PathBuf, String)> {
    let sample = read(&root().join("data/sample/impressions.parquet"));
    let (ids, users) = (text(&sample, "request_id"), text(&sample, "user_id"));
    let rows: Vec<usize> = (0..ids.len()).collect();
    let chosen = rows.chunk_by(|a, b| ids[*a] == ids[*b]).take(REQUESTS);
    let files = chosen.map(|own| {
        let mask: BooleanChunked = rows.iter().map(|row| own.contains(row)).collect();
        let path = folder.join(format!("{}.parquet", ids[own[0]]));
        write(&path, sample.filter(&mask).unwrap());
        (path, users[own[0]].clone())
    });
    files.collect()
}

/// Answers to all requests: by the configuration, by a segment, and with a drawn λ.
fn rank(up: &Up, requests: &[(PathBuf, String)]) -> Vec<Value> {
    let mut answers = Vec::new();
    for (number, (file, user)) in requests.iter().enumerate() {
        if number == REQUESTS / 4 {
            up.json(&[
                "weights",
                "segment",
                "set",
                "everyone",
                "β=-6",
                "--when",
                "hour>=0",
                "-m",
                "less bait for now",
                "--author",
                "ana",
            ]);
        } else if number == REQUESTS / 2 {
            up.json(&["weights", "explore", "--low", "0.5", "--high", "4"]);
        }
        let (file, k) = (file.to_str().unwrap(), K.to_string());
        answers.push(up.json(&["rank", file, "--unit-id", user, "-k", &k]));
    }
    answers
}

/// Every logit is the sum of its terms, and every score of its contributions, to the bit.
fn check_sums(shown: &Value) {
    let number = |value: &Value| value.as_f64().unwrap();
    let all = |value: &Value| value.as_array().unwrap().clone();
    for candidate in all(&shown["page"]) {
        let mut score = 0.0;
        for objective in all(&candidate["objectives"]) {
            score += number(&objective["contribution"]);
            let explained = &objective["logit"];
            let mut logit = number(&explained["offset"]);
            for feature in all(&explained["features"]) {
                for term in all(&feature["terms"]) {
                    logit += number(&term["term"]);
                }
                assert_eq!(logit, number(&feature["logit_after"]));
            }
            assert_eq!(logit, number(&explained["logit"]), "{objective}");
            assert_eq!(explained["probability"], objective["probability"]);
        }
        assert_eq!(score, number(&candidate["score"]));
    }
}

/// A copy of the log in which the lowest bit of one shown probability is another.
fn changed(part: &Path, log: &Path, folder: &Path) -> (String, String) {
    let mut frame = read(part);
    let positions = frame.column("position").unwrap().i32().unwrap();
    let shown = positions.iter().position(|place| place == Some(3)).unwrap();
    let column = frame.column("p_engagement").unwrap().f64().unwrap();
    let mut values: Vec<f64> = column.iter().map(Option::unwrap).collect();
    values[shown] = f64::from_bits(values[shown].to_bits() ^ 1);
    let column = Series::new("p_engagement".into(), values).into_column();
    frame.with_column(column).unwrap();
    let own = ["ranking_id", "candidate_id"].map(|column| text(&frame, column)[shown].clone());
    write(&folder.join(part.strip_prefix(log).unwrap()), frame);
    own.into()
}

#[test]
fn a_log_is_computed_again_to_the_bit_and_says_why_a_page_was_shown() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let requests = requests(folder.path());
    let mut up = Up::start_with(&state);
    let answers = rank(&up, &requests);
    assert!(up.server.stop().success());
    // The segment of the first run becomes a part when the log is opened again.
    let up = Up::start_with(&state);
    let log = state.join("request-log");
    let part = parts(&log, "requests").pop().unwrap();
    let at = |path: &Path| path.to_str().unwrap().to_owned();
    let (log_path, models_path) = (at(&log), at(models()));

    let replay = [
        "log",
        "replay",
        "--requests",
        &log_path,
        "--models",
        &models_path,
    ];
    let replayed = json(replay);
    let replayed = &replayed["replayed"];
    assert_eq!(
        (&replayed["rankings"], &replayed["differing"]),
        (&REQUESTS.into(), &0.into())
    );
    let probabilities = &replayed["probabilities"];
    assert_eq!(
        probabilities["compared"],
        2 * K * REQUESTS,
        "{probabilities}"
    );
    assert_eq!(probabilities["differing"], 0, "{probabilities}");
    let all = replayed["candidates"].as_u64().unwrap();
    assert_eq!(
        probabilities["without_features"],
        2 * (all - (K * REQUESTS) as u64)
    );
    let one = json([&replay[..5], &[&at(&models().join("engagement"))]].concat());
    let other = &one["replayed"]["probabilities"]["not_at_hand"][0];
    assert_eq!(
        (&other["objective"], &other["probabilities"]),
        (&"engagement_bait".into(), &all.into())
    );

    let changed_log = folder.path().join("changed");
    let (ranking, candidate) = changed(&part, &log, &changed_log);
    let output = counterweight()
        .args(["--json", "log", "replay", "--requests"])
        .arg(&changed_log)
        .args(["--models", &models_path])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let probabilities = &replayed["replayed"]["probabilities"];
    assert_eq!(probabilities["differing"], 1, "{probabilities}");
    let difference = &probabilities["differences"][0];
    assert_eq!(
        (
            &difference["ranking"],
            &difference["candidate"],
            &difference["objective"]
        ),
        (&ranking.into(), &candidate.into(), &"engagement".into())
    );
    let bits = |name: &str| difference[name].as_f64().unwrap().to_bits();
    assert_eq!(bits("logged") ^ 1, bits("computed"));

    for (number, answer) in answers.iter().enumerate() {
        let id = answer["ranking_id"].as_str().unwrap();
        let shown = up.json(&[
            "log",
            "show",
            id,
            "--requests",
            &log_path,
            "--models",
            &models_path,
        ]);
        check_sums(&shown);
        let ids = |page: &Value, name: &str| -> Vec<Value> {
            let page = page.as_array().unwrap().iter();
            page.map(|one| one[name].clone()).collect()
        };
        assert_eq!(
            ids(&shown["page"], "candidate"),
            ids(&answer["candidates"], "id")
        );
        assert_eq!(
            ids(&shown["page"], "score"),
            ids(&answer["candidates"], "score")
        );
        check_weights(&shown, number);
        let log = state.join("weights.log");
        let offline = json([
            "log",
            "show",
            id,
            "--requests",
            &log_path,
            "--models",
            &models_path,
            "--history",
            log.to_str().unwrap(),
        ]);
        assert_eq!(offline, shown, "the file says what the combiner says");
    }
    check_words(&up, &answers[REQUESTS / 4], [&log_path, &models_path]);
    check_search(&requests, &answers[0], &log_path);
}

/// Who set the weights, and what the page would have been at the profile's own.
fn check_weights(shown: &Value, number: usize) {
    let own = &shown["objectives"][1]["own_weight"];
    if number < REQUESTS / 4 {
        assert_eq!(
            (&shown["revision"], &shown["set_by"]),
            (&0.into(), &Value::Null)
        );
        assert_eq!(shown["page_at_own_weights"], Value::Null);
        return;
    }
    assert_eq!(*own, -1.0);
    if number < REQUESTS / 2 {
        assert_eq!(shown["segment"], "everyone");
        assert_eq!(shown["set_by"]["author"], "ana");
        assert_eq!(shown["set_by"]["reason"], "less bait for now");
    } else {
        assert!(shown["draw"]["lambda"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(shown["page_at_own_weights"].as_array().unwrap().len(), K);
}

fn check_words(up: &Up, answer: &Value, [log, models]: [&str; 2]) {
    let id = answer["ranking_id"].as_str().unwrap();
    let output = up.run(&["log", "show", id, "--requests", log, "--models", models]);
    let words = stdout(&output);
    let first = answer["candidates"][0]["id"].as_str().unwrap();
    for wanted in [
        &format!("{first} was at place 1 because it had the highest score"),
        "They are those of segment everyone, as revision 1 of the profile says.",
        "ana set revision 1 at ",
        ": less bait for now",
        "It was raised most by ",
        "For every candidate shown, engagement was raised most by ",
        "At the profile's own weights, α engagement 1, β engagement_bait -1, the page would have been",
    ] {
        assert!(words.contains(wanted), "{wanted}: {words}");
    }
    let output = run(["log", "show", id, "--requests", log]);
    let words = stdout(&output);
    for wanted in [
        "Give --models",
        "Give --address or --history to see who set revision 1",
    ] {
        assert!(words.contains(wanted), "{wanted}: {words}");
    }
}

fn check_search(requests: &[(PathBuf, String)], answer: &Value, log: &str) {
    let id = answer["ranking_id"].as_str().unwrap();
    let shown = json(["log", "show", id, "--requests", log]);
    let time = shown["time"].as_str().unwrap();
    let unit = [
        "log",
        "show",
        "--requests",
        log,
        "--unit",
        &requests[0].1,
        "--around",
        time,
    ];
    assert_eq!(
        json(unit)["ranking_id"],
        id,
        "units are hashed with the key of the log"
    );
    let key = format!("{log}.key");
    assert_eq!(
        json([&unit[..], &["--unit-key", &key]].concat())["ranking_id"],
        id
    );

    let nobody = [
        "log",
        "show",
        "--requests",
        log,
        "--unit",
        "nobody",
        "--around",
        time,
    ];
    // An id of the same hour that no ranking has.
    let unknown = format!("{}0000", &id[..id.len() - 4]);
    let missing_key = [&unit[..], &["--unit-key", "/nowhere.key"]].concat();
    for (arguments, code, wanted) in [
        (&nobody[..], 1, "no ranking of unit \"nobody\""),
        (
            &["log", "show", &unknown, "--requests", log],
            1,
            "write-ahead segments",
        ),
        (
            &["log", "show", "r1", "--requests", log],
            2,
            "is not the id of a ranking",
        ),
        (&missing_key, 1, "/nowhere.key does not exist"),
        (&["log", "show", "--requests", log], 2, "required"),
    ] {
        let output = run(arguments);
        let problem = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {problem}");
        assert!(problem.contains(wanted), "{arguments:?}: {problem}");
    }
}
