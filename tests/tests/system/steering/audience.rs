//! Segments, experiments and stability: what is explained is what Rank does.

use std::fs;

use serde_json::Value;

use super::{CONFIG, Combiner, noise};
use crate::support::{stderr, stdout, weight};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_and_experiments_decide_who_gets_what() {
    let combiner = Combiner::start(CONFIG);
    combiner.json(&[
        "weights",
        "segment",
        "set",
        "often",
        "--when",
        "user_sessions_7d>=5",
        "β=-0.5",
    ]);
    combiner.json(&[
        "weights",
        "segment",
        "set",
        "german",
        "--when",
        "user_country=DE,AT",
        "--when",
        "user_sessions_7d<9",
        "--when",
        "user_sessions_7d>=0",
        "β=-3",
        "--first",
    ]);
    let listed = combiner.json(&["weights", "segment", "list"]);
    let names = |listed: &Value| -> Vec<String> {
        let segments = listed[0]["segments"].as_array().unwrap();
        let names = segments
            .iter()
            .map(|segment| segment["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&listed), ["german", "often"]);
    assert_eq!(
        listed[0]["segments"][0]["conditions"][1]["range"]["below"],
        9.0
    );
    let unknown = combiner.run(&["weights", "segment", "set", "x", "--when", "user_contry=DE"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("user_contry"),
        "{}",
        stderr(&unknown)
    );

    combiner.json(&[
        "weights",
        "experiment",
        "start",
        "calm",
        "--arm",
        "control=10%",
        "--arm",
        "gentle=10%:beta=-0.2",
        "--segment",
        "often",
        "--salt",
        "pepper",
    ]);
    let twice = combiner.run(&["weights", "experiment", "start", "calm", "--arm", "a=1%"]);
    assert_eq!(twice.status.code(), Some(2), "{}", stderr(&twice));
    let moved = combiner.json(&[
        "weights",
        "experiment",
        "shares",
        "calm",
        "control=15%",
        "gentle=40%",
    ]);
    assert_eq!(
        moved["moved_buckets"], 3500,
        "no unit that has an arm loses it"
    );
    let moved = combiner.json(&["weights", "experiment", "shares", "calm", "gentle=30%"]);
    assert_eq!(moved["moved_buckets"], 1000);

    // What explain tells is what Rank does, for every request.
    let answers = combiner.rank(60).await;
    let (mut segments, mut arms) = (0, 0);
    for answer in &answers {
        let number: u64 = answer.request_id[1..].parse().unwrap();
        let (unit, sessions) = (format!("u{}", number % 50), number % 10);
        let country = if number.is_multiple_of(4) { "DE" } else { "FR" };
        let reported = combiner.json(&[
            "weights",
            "explain",
            "--unit",
            &unit,
            &format!("user_country={country}"),
            &format!("user_sessions_7d={sessions}"),
        ]);
        assert_eq!(reported["segment"], answer.segment, "{reported}");
        assert_eq!(reported["arm"], answer.arm, "{reported}");
        assert_eq!(
            *weight(&reported["weights"], "engagement_bait"),
            answer.objectives[1].weight,
            "{reported}"
        );
        segments += u32::from(!answer.segment.is_empty());
        arms += u32::from(answer.arm == "calm/gentle");
    }
    assert!(
        segments > 20 && arms > 0,
        "{segments} in segments, {arms} in the arm"
    );
    let text = stdout(&combiner.run(&["weights", "get"]));
    for wanted in [
        "segment german: user_country=DE,AT and user_sessions_7d>=0 and user_sessions_7d<9",
        "gentle 30 %",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }

    let lost = combiner.run(&["weights", "segment", "remove", "german", "--expect", "1"]);
    assert!(stderr(&lost).contains("ABORTED"), "{}", stderr(&lost));
    let named = combiner.run(&["weights", "segment", "remove", "often"]);
    assert_eq!(named.status.code(), Some(1), "an experiment needs it");
    combiner.json(&["weights", "experiment", "stop", "calm"]);
    combiner.json(&["weights", "segment", "remove", "often"]);
    assert_eq!(
        names(&combiner.json(&["weights", "segment", "list"])),
        ["german"]
    );
    let history = stdout(&combiner.run(&["weights", "history"]));
    assert!(history.contains("+ 2 segments + 1 experiment"), "{history}");
}

#[test]
fn a_ranking_on_the_command_line_says_how_far_it_stands() {
    let combiner = Combiner::start(CONFIG);
    let candidates = combiner.path("candidates.ndjson");
    let rows = ["a", "b", "c"].map(|id| {
        let p = noise(u64::from(id.as_bytes()[0]));
        format!(
            "{{\"candidate_id\":\"{id}\",\"p_click\":{p},\"p_bait\":{}}}\n",
            1.0 - p
        )
    });
    fs::write(&candidates, rows.concat()).unwrap();
    let file = candidates.to_str().unwrap();
    combiner.json(&[
        "weights",
        "segment",
        "set",
        "german",
        "--when",
        "user_country=DE",
        "β=-2",
    ]);
    let answer = combiner.json(&[
        "rank",
        file,
        "-k",
        "2",
        "--stability",
        "--unit",
        "u1",
        "--attribute",
        "user_country=DE",
    ]);
    assert_eq!(answer["segment"], "german");
    let stable = &answer["objectives"][1]["page_range"];
    assert!(
        stable["low"] == "-Infinity" || stable["low"].as_f64().unwrap() <= -2.0,
        "{stable}"
    );
    assert!(stable["high"].as_f64().unwrap() >= -2.0, "{stable}");
    assert_eq!(
        answer["candidates"][0]["page_ranges"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let text = stdout(&combiner.run(&[
        "rank",
        file,
        "-k",
        "2",
        "--stability",
        "--attribute",
        "user_country=DE",
    ]));
    for wanted in [
        "stays for β",
        "this page stays the same for α",
        "segment german",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let without = combiner.json(&["rank", file]);
    assert!(without["objectives"][0].get("page_range").is_none());
    let unknown = combiner.run(&["rank", file, "--attribute", "user_contry=DE"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("user_contry"),
        "{}",
        stderr(&unknown)
    );
}
